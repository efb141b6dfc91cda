"""What a learner is made of, and the hashes that say whether two are the same."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSpec:
    """A learner's configuration.

    Attributes:
        posterior: Name in the catalog of ``acquisition``.
        posterior_options: How it is trained, such as ``epochs`` or ``members``.
        model: ``cnn``, ``mlp``, ``text``, or ``package.module:function`` of the user's own.
        model_options: Keyword arguments of the model's factory.
        encoder: ``image``, ``text``, ``sentence``, ``vision`` or ``features``.
        encoder_options: Keyword arguments of the encoder.
        transform: For pictures, ``package.module:function`` of the user's own from picture to tensor.
        classes: In the order of the model's outputs.
        n_samples: Posterior samples per prediction and score.
        project_root: The folder of ``workbench.toml``, where the user's modules may lie.
        features_folder: Where a frozen encoder keeps what it computed; None keeps nothing.
    """

    posterior: str = "mc_dropout"
    posterior_options: Mapping[str, Any] = field(default_factory=dict)
    model: str
    model_options: Mapping[str, Any] = field(default_factory=dict)
    encoder: str
    encoder_options: Mapping[str, Any] = field(default_factory=dict)
    transform: str | None = None
    classes: tuple[str, ...]
    n_samples: int = 50
    project_root: Path | None = None
    features_folder: Path | None = None


def fingerprint(spec: LearnerSpec) -> str:
    """Hash all that decides what a training gives; samples and folders do not."""
    told = {
        "posterior": [spec.posterior, dict(spec.posterior_options)],
        "model": [spec.model, dict(spec.model_options)],
        "encoder": [spec.encoder, dict(spec.encoder_options), spec.transform],
        "classes": list(spec.classes),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def data_hash(keys: Sequence[str], labels: Sequence[str], spec: LearnerSpec) -> str:
    """Hash a data set together with the configuration it is learnt with; the order does not matter."""
    pairs = sorted(zip(keys, labels, strict=True))
    told = json.dumps([fingerprint(spec), pairs])
    return hashlib.sha256(told.encode()).hexdigest()
