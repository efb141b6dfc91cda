"""Attention whose dropout is sampled: ``nn.MultiheadAttention`` with the noise of a draw in its weights.

PyTorch drops attention weights inside a function that nothing can reach, so the layer is written out here:
softmax(q kᵀ/√d + masks) ⊙ m, times v. The weights of an item are [heads, queries, keys], so the noise has
that shape, and T networks need T · heads · queries · keys numbers for each such layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from acquisition.dropout.layers import MaskedDropout, Sampling
from acquisition.errors import InvalidInput
from acquisition.products import linear


class MaskedAttention(nn.MultiheadAttention):
    """Attention that meets the noise of the pass that runs now; outside such a pass nothing is dropped."""

    noise: MaskedDropout

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Computes attention as the parent does in training mode."""
        if query.dim() != 3:
            raise InvalidInput(f"Attention is to get [N, L, E], one item or more; found {list(query.shape)}.")
        if is_causal and attn_mask is None:
            raise InvalidInput("is_causal only says what attn_mask is; give attn_mask too.")
        ordered = (
            (query, key, value) if self.batch_first else (x.transpose(0, 1) for x in (query, key, value))
        )
        query_N_H_L_E, key_N_H_S_E, value_N_H_S_E = map(self._by_head, self._projected(*ordered))
        scores = query_N_H_L_E @ key_N_H_S_E.transpose(-2, -1) * self.head_dim**-0.5
        weights: Tensor = self.noise(self._masked(scores, attn_mask, key_padding_mask).softmax(-1))
        mixed = (weights @ value_N_H_S_E).transpose(1, 2).flatten(2)
        output = linear(mixed, self.out_proj.weight, self.out_proj.bias)
        output = output if self.batch_first else output.transpose(0, 1)
        if not need_weights:
            return output, None
        return output, weights.mean(1) if average_attn_weights else weights

    def _projected(self, *inputs: Tensor) -> list[Tensor]:
        separate = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        matrices = self.in_proj_weight.chunk(3) if self._qkv_same_embed_dim else separate
        bias = self.in_proj_bias
        biases: tuple[Tensor | None, ...] = (None, None, None) if bias is None else bias.chunk(3)
        return [linear(x, w, b) for x, w, b in zip(inputs, matrices, biases, strict=True)]

    def _by_head(self, projected: Tensor) -> Tensor:
        return projected.reshape(*projected.shape[:2], self.num_heads, -1).transpose(1, 2)

    def _masked(self, scores: Tensor, mask: Tensor | None, padding: Tensor | None) -> Tensor:
        if mask is not None:
            scores = _added(scores, mask.view(-1, *scores.shape[1:]) if mask.dim() == 3 else mask)
        return scores if padding is None else _added(scores, padding[:, None, None])


def _added(scores: Tensor, mask: Tensor) -> Tensor:
    """Applies a mask of truth values, where True is left out, or of numbers to add."""
    return scores.masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else scores + mask


def drops(layer: nn.Module) -> bool:
    """Whether a layer is attention with active dropout of the kind that is written out here."""
    if (
        not isinstance(layer, nn.MultiheadAttention)
        or type(layer).forward is not nn.MultiheadAttention.forward
    ):
        return False
    return layer.dropout > 0 and layer.bias_k is None and not layer.add_zero_attn


def mask_attention(layer: nn.MultiheadAttention, number: int, sampling: Sampling) -> None:
    """Turns attention into masked attention in place."""
    layer.__class__ = MaskedAttention
    layer.noise = MaskedDropout(nn.Dropout(layer.dropout), number, sampling)
