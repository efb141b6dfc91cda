"""Whether a configuration can learn at all: one epoch on ten items with made-up labels."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

import acquisition
from acquisition.catalog import options_of
from workbench.domain.errors import ModelProblem, PoolProblem
from workbench.learning.calling import DOCTOR
from workbench.learning.encoders.protocol import Payload
from workbench.learning.learner import Learner

ITEMS = 10
SAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    """What a trial found out.

    Attributes:
        items: How many items were learnt from.
        input_shape: Of one encoded item.
        seconds: Encoding, one epoch of training, and prediction.
    """

    items: int
    input_shape: tuple[int, ...]
    seconds: float


def trial(learner: Learner, payloads: Sequence[Payload]) -> TrialReport:
    """Import, build and train the model for one epoch on ten items, and look at what it says.

    Raises:
        ModelProblem: It can not be built or trained, its outputs are not finite or not one per class, or
            its posterior samples are all equal.
        PoolProblem: Fewer than two items, or one that can not be read.
    """
    if len(payloads) < 2:
        raise PoolProblem(
            f"Found {len(payloads)} items for a trial; expected two at least. Type `workbench pool add`."
        )
    began = time.monotonic()
    items = payloads[:ITEMS]
    options = {**learner.spec.posterior_options, **_short(learner.spec.posterior)}
    tried = Learner(replace(learner.spec, posterior_options=options, n_samples=SAMPLES))
    classes = tried.spec.classes
    labels = [classes[number % len(classes)] for number in range(len(items))]
    posterior = tried.fit(items, labels, seed=0)
    inputs = tried.encode(items)
    if posterior.max_samples != 1:
        _refuse_equal_samples(tried, posterior, inputs)
    list(tried.predict(posterior, [items], seed=0))
    return TrialReport(
        items=len(items), input_shape=tuple(inputs.shape[1:]), seconds=time.monotonic() - began
    )


def _short(posterior: str) -> dict[str, int]:
    return {"epochs": 1} if "epochs" in options_of("posteriors", posterior) else {}


def _refuse_equal_samples(learner: Learner, posterior: acquisition.Posterior, inputs: torch.Tensor) -> None:
    log_probs_T_N_C = learner.sampled(posterior, inputs, seed=0)
    if bool((log_probs_T_N_C == log_probs_T_N_C[:1]).all()):
        raise ModelProblem(
            f"All posterior samples of the model {learner.spec.model} are equal; expected them to differ: "
            "their disagreement is what chooses the items. Put nn.Dropout layers before its last layer, or "
            f'use posterior.name = "ensemble". {DOCTOR}'
        )
