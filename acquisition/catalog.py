"""All methods by name: the built-in ones in plain tables, others through entry points.

A method is a module (or any object) with ``build(**options)``. A package adds one by an entry point in
the group ``active_labeling_workbench.posteriors``, ``….functions`` and so on for each kind; it comes in by
the same door as the built-in ones. The first line of the method's docstring is its sentence.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from acquisition.errors import InvalidOption, UnknownMethod

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "posteriors": {
        "bayes_by_backprop": "acquisition.posteriors.bayes_by_backprop",
        "bayesian_linear": "acquisition.posteriors.bayesian_linear",
        "deep_kernel": "acquisition.posteriors.deep_kernel",
        "ensemble": "acquisition.posteriors.ensemble",
        "gaussian_process": "acquisition.posteriors.gaussian_process",
        "ivon": "acquisition.posteriors.ivon",
        "laplace_lora": "acquisition.posteriors.laplace_lora",
        "last_layer_laplace": "acquisition.posteriors.last_layer_laplace",
        "lora_ensemble": "acquisition.posteriors.lora_ensemble",
        "mc_dropconnect": "acquisition.posteriors.mc_dropconnect",
        "mc_dropout": "acquisition.posteriors.mc_dropout",
        "point": "acquisition.posteriors.point",
        "sgld": "acquisition.posteriors.sgld",
        "snapshot_ensemble": "acquisition.posteriors.snapshot_ensemble",
        "svgp": "acquisition.posteriors.svgp",
        "swag": "acquisition.posteriors.swag",
    },
    "functions": {
        "bald": "acquisition.functions.bald",
        "committee_kl": "acquisition.functions.committee_kl",
        "epig": "acquisition.functions.epig",
        "expected_entropy": "acquisition.functions.expected_entropy",
        "expected_model_change": "acquisition.functions.expected_model_change",
        "least_confidence": "acquisition.functions.least_confidence",
        "margin": "acquisition.functions.margin",
        "mean_std": "acquisition.functions.mean_std",
        "ood_distance": "acquisition.functions.ood_distance",
        "pairwise_kl": "acquisition.functions.pairwise_kl",
        "predictive_entropy": "acquisition.functions.predictive_entropy",
        "predictive_variance": "acquisition.functions.predictive_variance",
        "random": "acquisition.functions.random",
        "variation_ratios": "acquisition.functions.variation_ratios",
        "vote_entropy": "acquisition.functions.vote_entropy",
    },
    "selectors": {
        "badge": "acquisition.selection.badge",
        "bait": "acquisition.selection.bait",
        "batch_bald": "acquisition.selection.batch_bald",
        "cluster_quota": "acquisition.selection.cluster_quota",
        "core_set": "acquisition.selection.k_center",
        "distinct": "acquisition.selection.distinct",
        "drop_query": "acquisition.selection.drop_query",
        "group_quota": "acquisition.selection.group_quota",
        "kmeans": "acquisition.selection.kmeans",
        "max_herding": "acquisition.selection.max_herding",
        "power": "acquisition.selection.power",
        "prob_cover": "acquisition.selection.prob_cover",
        "random_share": "acquisition.selection.random_share",
        "soft_rank": "acquisition.selection.soft_rank",
        "softmax": "acquisition.selection.softmax",
        "top_k": "acquisition.selection.top_k",
        "typiclust": "acquisition.selection.typiclust",
    },
    "stopping_rules": {
        "classification_change": "acquisition.stopping.classification_change",
        "expected_gain": "acquisition.stopping.expected_gain",
        "kappa": "acquisition.stopping.kappa",
        "overall_uncertainty": "acquisition.stopping.overall_uncertainty",
        "plateau": "acquisition.stopping.plateau",
        "stabilizing_predictions": "acquisition.stopping.stabilizing_predictions",
    },
    "calibrators": {
        "isotonic": "acquisition.calibration.isotonic",
        "platt": "acquisition.calibration.platt",
        "temperature": "acquisition.calibration.temperature",
        "vector": "acquisition.calibration.vector",
    },
    "compositions": {
        "per_cost": "acquisition.compositions.per_cost",
        "rank_product": "acquisition.compositions.rank_product",
        "weighted_sum": "acquisition.compositions.weighted_sum",
    },
}


def catalog() -> dict[str, dict[str, str]]:
    """Returns every name with one sentence, by kind: ``posteriors``, ``functions`` and so on."""
    return {kind: {name: _sentence(method(kind, name)) for name in _names(kind)} for kind in BUILT_IN}


def method(kind: str, name: str) -> Any:
    """Returns the module or object behind a name.

    Raises:
        UnknownMethod: No catalog lists the name.
    """
    if name in BUILT_IN[kind]:
        return import_module(BUILT_IN[kind][name])
    for entry in entry_points(group=_group(kind), name=name):
        return entry.load()
    known = _names(kind)
    singular = kind[:-1].replace("_", " ")
    raise UnknownMethod(f"There is no {singular} {name!r}. {_nearest(name, known)}Known: {', '.join(known)}.")


def build(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """Returns the method bound to its options.

    Raises:
        UnknownMethod: No catalog lists the name.
        InvalidOption: The method does not take an option, or not that value.
    """
    found = method(kind, name)
    known = sorted(options_of(kind, name))
    for option in options:
        if option not in known:
            raise InvalidOption(_unknown_option(name, option, known))
    try:
        return found.build(**options)
    except (TypeError, AttributeError) as error:
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        raise InvalidOption(f"{name!r} can not take {given}: {error}.") from error


def options_of(kind: str, name: str) -> frozenset[str]:
    """Returns the names of the options that a method takes."""
    return frozenset(inspect.signature(method(kind, name).build).parameters)


def needs(kind: str, name: str, options: Mapping[str, Any] | None = None) -> frozenset[str]:
    """Returns what a method declares that it needs, and with it what its ``inner`` method needs."""
    own, given = frozenset(method(kind, name).NEEDS), options or {}
    inner = inspect.signature(method(kind, name).build).parameters.get("inner")
    if inner is None:
        return own
    return own | needs(kind, given.get("inner", inner.default), given.get("inner_options"))


def notice(name: str) -> str | None:
    """Returns what to know before a posterior is trusted, the ``NOTICE`` of its module; None for most.

    Raises:
        UnknownMethod: There is no such posterior.
    """
    found: str | None = getattr(method("posteriors", name), "NOTICE", None)
    return found


def _names(kind: str) -> list[str]:
    return sorted({*BUILT_IN[kind], *(entry.name for entry in entry_points(group=_group(kind)))})


def _group(kind: str) -> str:
    return f"active_labeling_workbench.{kind}"


def _sentence(found: object) -> str:
    return (inspect.getdoc(found) or "No description.").strip().splitlines()[0]


def _unknown_option(name: str, option: str, known: list[str]) -> str:
    listed = f"Known: {', '.join(known)}." if known else "It takes none."
    return f"{name!r} takes no option {option!r}. {_nearest(option, known)}{listed}"


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(str(name), known, n=1)
    return f"Did you mean {close[0]!r}? " if close else ""
