"""A person with a real browser: sees the picture, gets the most wanted task, clicks, submits.

The button "Label All Tasks" serves by score. The address ``…/data?labeling=1`` does not: there Label Studio
serves in the order of the list. So tasks are best sent in the wanted order too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from PIL import Image

from connectors.labelers.label_studio import LabelStudioLabeler, connect
from connectors.labelers.label_studio_people import invite_person
from connectors.labelers.pictures import inline_picture, local_files_address
from connectors.labelers.records import OutgoingTask, Prediction, ProjectSpec, RemoteProject, TaskType
from tests.conftest import RealLabelStudio, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.external, pytest.mark.browser]

COLOURS = {"red": 3.0, "green": 1.0, "blue": 2.0}
LOADED = "() => [...document.querySelectorAll('img')].some(i => i.naturalWidth === 320)"


def picture(folder: Path, colour: str) -> Path:
    path = folder / f"a {colour} picture.png"
    Image.new("RGB", (320, 240), colour).save(path)
    return path


def project_with_pictures(
    labeler: LabelStudioLabeler, folder: Path, address: Callable[[Path], str]
) -> RemoteProject:
    project = labeler.open_project(
        ProjectSpec(title=f"seen {uuid4().hex[:8]}", task_type=TaskType.IMAGE, classes=("warm", "cold"))
    )
    tasks = [
        OutgoingTask(
            item_key=colour,
            round_key="round-1",
            content=address(picture(folder, colour)),
            prediction=Prediction(label=None, score=score, model_version="model-1"),
        )
        for colour, score in COLOURS.items()
    ]
    labeler.send_tasks(project.project_id, tasks)
    labeler.release(project.project_id, "model-1")
    return project


@pytest.mark.parametrize("way", ["inline", "local-files"])
def test_a_person_sees_the_most_wanted_picture_and_labels_it(
    page: "Page", label_studio: RealLabelStudio, tmp_path: Path, way: str
) -> None:
    folder = label_studio.files_root / f"pictures {way}"
    folder.mkdir()
    email = f"{way}-{uuid4().hex[:8]}@example.com"
    invite_person(label_studio.url, label_studio.owner.token, email, "a-password").close()
    with connect(label_studio.url, label_studio.owner.token) as labeler:
        if way == "inline":
            project = project_with_pictures(labeler, folder, inline_picture)
        else:
            project = project_with_pictures(
                labeler, folder, lambda path: local_files_address(path, label_studio.files_root)
            )
            labeler.ensure_local_storage(project.project_id, folder)
        sign_in(page, label_studio.url, email, "a-password")
        page.goto(project.url)
        page.get_by_role("button", name="Label All Tasks").first.click()
        page.wait_for_selector('[data-testid="bottombar-submit-button"]')
        page.wait_for_function(LOADED)
        page.screenshot(path=tmp_path / f"{way}.png")
        page.locator('label:has-text("warm")').first.click()
        with page.expect_response(
            lambda answer: "/annotations" in answer.url and answer.request.method == "POST"
        ) as submitted:
            page.get_by_test_id("bottombar-submit-button").click()
        assert submitted.value.status == 201
        labels = {
            (one.item_key, annotation.label, annotation.annotator)
            for one in labeler.changed_tasks(project.project_id, None)
            for annotation in one.annotations
        }
    assert labels == {("green", "warm", email)}
