"""Active learning on tensors: which items of a pool to label next. Tensors in, indices out."""

from acquisition.calibrating import Calibration, calibrate, calibrated, restore_calibration
from acquisition.catalog import catalog
from acquisition.choosing import select
from acquisition.composing import compose
from acquisition.embedding import embed
from acquisition.errors import (
    AcquisitionError,
    InvalidInput,
    InvalidOption,
    NotFinite,
    NotStochastic,
    UnknownMethod,
)
from acquisition.fitting import fit, restore
from acquisition.pool import rank_pool, score_pool
from acquisition.posteriors.ensemble import ensemble
from acquisition.posteriors.last_layer_laplace import last_layer_laplace
from acquisition.posteriors.mc_dropconnect import mc_dropconnect
from acquisition.posteriors.mc_dropout import mc_dropout
from acquisition.precision import in_precision
from acquisition.prediction import predict
from acquisition.predictions import Gaussians
from acquisition.racing import RacedPool, race_pool
from acquisition.scoring import score
from acquisition.stopping.history import History, LabelingRound, Verdict, observed_round
from acquisition.stopping_rules import stop
from acquisition.types import Candidates, Draw, Posterior, RankedPool, ScoredChunk, Selection

__all__ = [
    "AcquisitionError",
    "Calibration",
    "Candidates",
    "Draw",
    "Gaussians",
    "History",
    "InvalidInput",
    "InvalidOption",
    "LabelingRound",
    "NotFinite",
    "NotStochastic",
    "Posterior",
    "RacedPool",
    "RankedPool",
    "ScoredChunk",
    "Selection",
    "UnknownMethod",
    "Verdict",
    "calibrate",
    "calibrated",
    "catalog",
    "compose",
    "embed",
    "ensemble",
    "fit",
    "in_precision",
    "last_layer_laplace",
    "mc_dropconnect",
    "mc_dropout",
    "observed_round",
    "predict",
    "race_pool",
    "rank_pool",
    "restore",
    "restore_calibration",
    "score",
    "score_pool",
    "select",
    "stop",
]
