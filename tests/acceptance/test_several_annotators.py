"""Three people, one of them careless: what the labels say, and what the reports say of the people."""

from typing import Any

import pytest

CLASSES = ("low", "middle", "high")
MORE = 'overlap = 3\n[annotators]\nconsensus = "{}"\n'


def _truth(key: str) -> str:
    return CLASSES[int(key[-2:]) % 3]


def _answer(folder: Any, name: str, wrong: set[int]) -> None:
    """Somebody labels all that is served, the items at some places wrongly."""
    person = folder.person(name)
    place = 0
    while (task := person.next_task("1")) is not None:
        true = _truth(task.item_key)
        label = CLASSES[(CLASSES.index(true) + 1) % 3] if place in wrong else true
        person.annotate(task.task_id, label, seconds=2.0)
        place += 1


@pytest.fixture
def crowded(folder: Any) -> Any:
    folder.ready(more=MORE.format("dawid_skene"))
    assert folder.type("round", "ask", "--batch", "12").code == 0
    _answer(folder, "ada", set())
    _answer(folder, "ben", {11})
    _answer(folder, "eve", {1, 2, 4, 5, 7, 8, 10})
    told = folder.type("round", "tell")
    assert told.code == 0, told.err
    return folder


def _labels(folder: Any) -> dict[str, tuple[str, float, str]]:
    panel = folder.type("report", "--json").json
    assert panel["label_quality"][0]["agreed"] == 12
    folder.type("labels", "export", "labels.csv")
    import pandas as pd

    frame = pd.read_csv(folder.path / "labels.csv")
    return {row.key: (row.label, row.confidence, row.method) for row in frame.itertuples()}


def test_a_round_is_told_by_the_configured_consensus_and_asked_again_it_has_nothing_to_say(
    crowded: Any,
) -> None:
    labels = _labels(crowded)
    assert all(label == _truth(key) for key, (label, _, _) in labels.items())
    assert {method for _, _, method in labels.values()} == {"dawid_skene"}
    again = crowded.type("annotators", "consensus", "--json").json
    assert again == {"consensus": "dawid_skene", "revised": 0}


def test_another_consensus_in_the_configuration_says_what_the_labels_are_now(crowded: Any) -> None:
    before = _labels(crowded)
    crowded.configure(more=MORE.format("majority"))
    assert crowded.type("annotators", "consensus", "--json").json["revised"] == 12
    after = _labels(crowded)
    assert {key: label for key, (label, _, _) in after.items()} == {k: v[0] for k, v in before.items()}
    assert sorted(round(confidence, 3) for _, confidence, _ in after.values()) == [0.667] * 8 + [1.0] * 4


def test_the_careless_one_is_told_from_the_others(crowded: Any) -> None:
    shown = crowded.type("annotators", "show", "--json").json
    right = {row["annotator"]: row["right"] for row in shown["annotator_quality"]}
    assert right["ada"] == 1.0
    assert right["eve"] < 0.5 < right["ben"]
    assert [row["median_seconds"] for row in shown["annotators"]] == [2.0, 2.0, 2.0]
    kappas = {
        (row["first"], row["second"]): row["value"]
        for row in crowded.type("annotators", "agreement", "--json").json["agreement"]
    }
    assert kappas["ada", "ben"] > 0.8 > kappas["ada", "eve"]
    assert 0 < kappas["all", ""] < kappas["ada", "ben"]


def test_confusion_is_of_one_person_and_a_stranger_is_refused(crowded: Any) -> None:
    found = crowded.type("annotators", "confusion", "eve", "--json").json
    assert found["classes"] == list(CLASSES)
    wrong = sum(count for r, row in enumerate(found["counts"]) for c, count in enumerate(row) if r != c)
    assert wrong == 7
    refused = crowded.type("annotators", "confusion", "nobody")
    assert refused.code == 1
    assert "Nobody named 'nobody'" in refused.err
    assert "workbench annotators show" in refused.err


def test_what_looks_like_markup_is_printed_as_it_is(folder: Any) -> None:
    strange = ("[/red]", "<b>", "[bold]x")
    folder.configure(classes=strange)
    names = dict(zip(CLASSES, strange, strict=True))
    folder.numbers()
    text = (folder.path / "items.csv").read_text()
    for plain, other in names.items():
        text = text.replace(plain, other)
    (folder.path / "items.csv").write_text(text)
    assert folder.type("db", "upgrade").code == 0
    assert folder.type("pool", "add", "items.csv", "--features", "x,y", "--key", "key").code == 0
    assert folder.type("round", "ask").code == 0
    for name in ("[/i]", "ben"):
        person = folder.person(name)
        while (task := person.next_task("1")) is not None:
            person.annotate(task.task_id, names[_truth(task.item_key)], seconds=2.0)
    folder.type("round", "tell")
    for command in (("show",), ("agreement",), ("confusion", "[/i]")):
        shown = folder.type("annotators", *command)
        assert shown.code == 0, shown.err
    assert all(f"said {name}" in shown.out for name in strange)
    assert "[/i]" in shown.out


def test_tables_are_printed_and_the_report_has_every_panel(crowded: Any) -> None:
    assert "eve" in crowded.type("annotators", "show").out
    assert "alpha" in crowded.type("annotators", "agreement").out
    assert "said high" in crowded.type("annotators", "confusion", "ada").out
    assert crowded.type("report").code == 0
    assert "How right annotators are" in (crowded.path / "data" / "report.html").read_text()
