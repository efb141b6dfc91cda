"""Class names survive the way into the configuration and back."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.errors import LabelerRefused, ProjectDoesNotFit
from connectors.labelers.label_config import find_control, make_label_config, read_label_config
from connectors.labelers.records import TaskType


@given(some.lists(some.text(min_size=1), min_size=1, unique=True), some.sampled_from(TaskType))
def test_classes_come_back_as_they_were_or_are_refused(classes: list[str], task_type: TaskType) -> None:
    try:
        config = make_label_config(task_type, classes)
    except LabelerRefused:
        return
    control = read_label_config(config, task_type)
    assert control.classes == tuple(classes)
    assert (control.name, control.target, control.variable) == ("label", task_type.value, task_type.value)
    assert find_control(config) == control


@pytest.mark.parametrize("name", ['say "x"', "it's", "<b>", "a & b", "🐈", "&amp;", "a\tb", "a\nb", "$text"])
def test_unusual_class_names_are_kept(name: str) -> None:
    assert read_label_config(make_label_config(TaskType.TEXT, [name]), TaskType.TEXT).classes == (name,)


def test_no_class_is_shown_as_a_part_of_the_tasks_data() -> None:
    """Label Studio puts data, or ``undefined``, where a choice holds a dollar and a word."""
    config = make_label_config(TaskType.TEXT, ["$text", "about $5", "5 $", "cat"])
    shown = [tag.get("value") for tag in ET.fromstring(config).iter("Choice")]
    assert [name for name in shown if name and re.search(r"\$\w", name)] == []
    assert [name.replace("\u200b", "") for name in shown if name] == ["$text", "about $5", "5 $", "cat"]
    assert "alias" not in make_label_config(TaskType.TEXT, ["5 $", "cat"])


TEXT = '<Text name="t" value="$body"/>'

NESTED = '<Choice value="b"/></Choice>'


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("", "not readable XML"),
        ("<View>", "not readable XML"),
        ("<View/>", "no Text tag"),
        (f"<View>{TEXT}</View>", "none"),
        (f'<View>{TEXT}<Choices name="c" toName="other"><Choice value="a"/></Choices></View>', "none"),
        (f'<View>{TEXT}<Choices name="c" toName="t" choice="multiple"/></View>', "several answers"),
        (f'<View>{TEXT}<Choices name="c" toName="t" perRegion="true"/></View>', "several answers"),
        (f'<View>{TEXT}<Choices name="c" toName="t" value="$options"/></View>', "somewhere|elsewhere"),
        ('<View><Text name="t" value="x"/><Choices name="c" toName="t"/></View>', "elsewhere"),
        (
            f'<View>{TEXT}<Choices name="c" toName="t"><Choice value="a">{NESTED}</Choices></View>',
            "nests",
        ),
    ],
)
def test_a_configuration_that_asks_something_else_does_not_fit(config: str, found: str) -> None:
    with pytest.raises(ProjectDoesNotFit, match=found):
        read_label_config(config, TaskType.TEXT)


def test_an_alias_is_what_answers_hold() -> None:
    config = f'<View>{TEXT}<Choices name="c" toName="t"><Choice value="A cat" alias="cat"/></Choices></View>'
    assert read_label_config(config, TaskType.TEXT).classes == ("cat",)
