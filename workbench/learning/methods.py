"""The methods that a configuration names: are they there, and can they do what they are asked for?"""

import difflib
from dataclasses import replace

import torch

import acquisition
from acquisition.catalog import needs, options_of
from workbench.config.model import Config
from workbench.domain.errors import ConfigProblem
from workbench.learning.active_lab import check_active_lab
from workbench.learning.crowd import check_crowd

#: Three items, two networks, two classes: enough for any method to show that it takes its options.
TRIAL_LOG_PROBS = torch.tensor(
    [[[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], [[0.6, 0.4], [0.7, 0.3], [0.1, 0.9]]]
).log()


def check_methods(config: Config) -> None:
    """Refuse methods that are not there, or that can not do what they are asked for.

    Raises:
        ConfigProblem: With what was found and what is known.
    """
    known = acquisition.catalog()
    asked = (
        ("posteriors", config.posterior.name, "[posterior] name"),
        ("functions", config.acquisition.function, "[acquisition] function"),
        ("selectors", config.acquisition.selector, "[acquisition] selector"),
        ("selectors", config.acquisition.coverage, "[acquisition] coverage"),
    )
    for kind, name, key in asked:
        if name not in known[kind]:
            near = difflib.get_close_matches(name, known[kind], n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise ConfigProblem(f"{key} is '{name}'; {hint}Known are {', '.join(known[kind])}.")
    _check_posterior(config)
    _try_function(config)
    _try_selectors(config)
    check_crowd(config.annotators.consensus)
    if config.annotators.relabel == "active_lab":
        check_active_lab()


def _check_posterior(config: Config) -> None:
    known = options_of("posteriors", config.posterior.name)
    for option in config.posterior.options:
        if option not in known:
            raise ConfigProblem(
                f"[posterior] options has '{option}'; {config.posterior.name} takes "
                f"{', '.join(sorted(known)) or 'none'}."
            )


def _try_function(config: Config) -> None:
    settings = config.acquisition
    at_hand = {"features": torch.eye(3), "labeled": torch.eye(3)[:2], "targets": TRIAL_LOG_PROBS[:, :2]}
    needed = needs("functions", settings.function)
    given = {name: tensor for name, tensor in at_hand.items() if name in needed}
    try:
        acquisition.score(settings.function, TRIAL_LOG_PROBS, **settings.function_options, **given)
    except (acquisition.AcquisitionError, TypeError) as error:
        raise ConfigProblem(
            f"[acquisition] function can not be '{settings.function}' with options "
            f"{settings.function_options}: {error}"
        ) from error


def _try_selectors(config: Config) -> None:
    settings = config.acquisition
    features = acquisition.Candidates(features_N_D=torch.eye(3))
    everything = replace(
        features,
        scores_N=torch.tensor([1.0, 2.0, 3.0]),
        log_probs_T_N_C=TRIAL_LOG_PROBS,
        groups_N=torch.tensor([0, 0, 1]),
    )
    for key, name, candidates, options in (
        ("selector", settings.selector, everything, settings.options),
        ("coverage", settings.coverage, features, {}),
    ):
        try:
            acquisition.select(name, candidates, 1, seed=0, **options)
        except (acquisition.AcquisitionError, TypeError) as error:
            raise ConfigProblem(
                f"[acquisition] {key} can not be '{name}' with options {options}: {error}"
            ) from error
