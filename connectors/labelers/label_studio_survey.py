"""A project of Label Studio as it stands now, with every task in it, whoever made it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.errors import ProjectDoesNotFit
from connectors.labelers.label_config import Control, find_control
from connectors.labelers.label_studio_answers import Refusal, fields_of, read_json, unreadable
from connectors.labelers.label_studio_format import MOST_WANTED_FIRST, count_of, make_prediction, read_facts
from connectors.labelers.label_studio_http import LabelStudioClient
from connectors.labelers.label_studio_reading import (
    NOT_FOUND,
    PAGE,
    condition,
    number,
    project_by_id,
    rows_of,
    tasks_by_id,
)
from connectors.labelers.label_studio_sending import act
from connectors.labelers.records import Prediction, ProjectFacts, TaskFacts

WITH_PREDICTIONS: Final = (
    "id,data,total_annotations,cancelled_annotations,predictions,score,model_version,result"
)


def describe(client: LabelStudioClient, project_id: str) -> ProjectFacts | None:
    """Read how a project is set up now; None when there is none with this id."""
    try:
        response = client.get(f"/api/projects/{number(project_id)}/")
        row = rows_of(response, [read_json(response, dict)])[0]
    except Refusal as refusal:
        if refusal.status == NOT_FOUND and refusal.detail:
            return None
        raise
    control, problem = _control(row)
    return ProjectFacts(
        control=control.name if control else None,
        classes=control.classes if control else (),
        problem=problem,
        overlap=count_of(row, "maximum_annotations") or 1,
        show_predictions=bool(row.get("show_collab_predictions")),
        most_wanted_first=row.get("sampling") == MOST_WANTED_FIRST,
        model_version=str(row.get("model_version") or ""),
    )


def survey(client: LabelStudioClient, project_id: str) -> Iterator[TaskFacts]:
    """Stream every task of a project with what it shows and what models said of it."""
    control, _ = _control(project_by_id(client, project_id))
    for row in tasks_by_id(client, project_id, [], fields=WITH_PREDICTIONS):
        yield read_facts(control, row)


def replace_predictions(
    client: LabelStudioClient, project_id: str, predictions: Mapping[str, Prediction]
) -> None:
    """Have these tasks carry these predictions and no others; a task that is gone is left out."""
    ids = sorted(number(key) for key in predictions)
    control = find_control(str(project_by_id(client, project_id).get("label_config") or ""))
    for start in range(0, len(ids), PAGE):
        wanted = condition("id", "in_list", "List", ids[start : start + PAGE])
        there = (row["id"] for row in tasks_by_id(client, project_id, [wanted]))
        found = {key: predictions[str(key)] for key in there if str(key) in predictions}
        if found:
            _replace(client, project_id, control, found)


def _replace(
    client: LabelStudioClient, project_id: str, control: Control, predictions: Mapping[int, Prediction]
) -> None:
    act(client, project_id, "delete_tasks_predictions", list(predictions))
    body = [{"task": key, **make_prediction(control, guess)} for key, guess in predictions.items()]
    answer = client.post(f"/api/projects/{number(project_id)}/import/predictions", json=body)
    if fields_of(answer).get("created") != len(body):
        raise unreadable(answer)


def _control(project: Mapping[str, Any]) -> tuple[Control | None, str | None]:
    try:
        return find_control(str(project.get("label_config") or "")), None
    except ProjectDoesNotFit as misfit:
        return None, str(misfit)
