"""What keeps a fit by maximum likelihood finite, and what no fit can repair."""

from acquisition.calibration.held_out import HeldOut
from acquisition.errors import InvalidInput, InvalidOption


def check_prior_sd(prior_sd: float) -> None:
    """Refuses a standard deviation that is not positive; infinity is none at all."""
    if isinstance(prior_sd, bool) or not isinstance(prior_sd, int | float) or not prior_sd > 0:
        raise InvalidOption(f"prior_sd is {prior_sd!r}; a positive number is expected, or infinity for none.")


def refuse_impossible(items: HeldOut) -> None:
    """Raises ``InvalidInput`` where all samples give an item's own class a probability of exactly zero."""
    right_N = items.log_mean_N_C.gather(1, items.targets_N[:, None])[:, 0]
    rows = right_N.isneginf().nonzero().flatten().tolist()
    if rows:
        raise InvalidInput(
            f"The class of {len(rows)} items has probability zero (first rows: {rows[:5]}), which no "
            "rescaling can repair. Take log_softmax of the logits in place of the logarithm of probabilities."
        )
