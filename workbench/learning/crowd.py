"""What people's answers say together, judged by how right each person seems to be: the door to crowd-kit.

``dawid_skene``: everybody has a confusion matrix; maximum likelihood by EM (Dawid and Skene 1979,
https://doi.org/10.2307/2346806). Known labels are taken for certain.
``mace``: everybody knows the answer or answers by a habit; variational Bayes with a Beta prior on knowing and
a Dirichlet prior on the habit (Hovy et al. 2013, https://aclanthology.org/N13-1132). Known labels are of no
use to it.

Both are deterministic, and neither the order of answers nor the names of people and classes matter: answers
go in sorted, and numbers stand for names. O(iterations · answers · classes).
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from workbench.domain.errors import ConfigProblem

if TYPE_CHECKING:
    import pandas

METHODS = ("dawid_skene", "mace")
DAWID_SKENE_ITERATIONS = 100
#: The gain of the bound on the likelihood, in nats an answer, that is not worth another iteration. At the
#: library's own 1e-5 probabilities were still up to 0.1 from where they go.
DAWID_SKENE_TOLERANCE = 1e-6
MACE_ITERATIONS = 100
#: crowd-kit starts MACE from noise of this width plus one, the same in each restart: minus one is no noise.
NO_NOISE = -1.0


class Answer(NamedTuple):
    """What one person said of one item."""

    item: int
    annotator: str
    label: str


def check_crowd(method: str) -> None:
    """Refuse a configuration whose library is not installed.

    Raises:
        ConfigProblem: It is not.
    """
    if method in METHODS and find_spec("crowdkit") is None:
        raise ConfigProblem(
            f'[annotators] consensus = "{method}" needs the package crowd-kit, which is not installed. '
            "Type `pip install 'active-labeling-workbench[consensus]'`, or set consensus = \"majority\"."
        )


def posteriors(
    method: str, answers: Iterable[Answer], certain: Mapping[int, str]
) -> dict[int, dict[str, float]]:
    """Give the probability of each label that anybody gave, for each item that anybody answered.

    Raises:
        ConfigProblem: The library is not installed.
    """
    check_crowd(method)
    ordered = sorted(set(answers), key=lambda a: (a.annotator, a.item, a.label))
    if not ordered:
        return {}
    # MACE mixes names up unless they come in their own order: labels are numbered as they appear.
    labels = list(dict.fromkeys(answer.label for answer in ordered))
    probabilities = _fit(method, ordered, labels, certain)[list(range(len(labels)))]
    return {
        int(item): dict(zip(labels, map(float, row), strict=True))
        for item, row in zip(probabilities.index, probabilities.to_numpy(), strict=True)
    }


def _fit(
    method: str, ordered: Sequence[Answer], labels: Sequence[str], certain: Mapping[int, str]
) -> "pandas.DataFrame":
    import pandas
    from crowdkit.aggregation import MACE, DawidSkene

    number = {label: index for index, label in enumerate(labels)}
    people = {name: index for index, name in enumerate(dict.fromkeys(a.annotator for a in ordered))}
    data = pandas.DataFrame(
        [(a.item, people[a.annotator], number[a.label]) for a in ordered],
        columns=["task", "worker", "label"],
    )
    if method == "mace":
        model = MACE(n_restarts=1, n_iter=MACE_ITERATIONS, method="vb", default_noise=NO_NOISE)
        return model.fit_predict_proba(data)
    answered = {answer.item for answer in ordered}
    truth = {i: number[c] for i, c in sorted(certain.items()) if i in answered and c in number}
    known = pandas.Series(truth, dtype=int) if truth else None
    return DawidSkene(DAWID_SKENE_ITERATIONS, DAWID_SKENE_TOLERANCE).fit_predict_proba(data, known)
