"""Take the pictures of the documentation: `python docs/screenshots.py [DEMO-DIRECTORY]`.

Runs `workbench demo` (with Label Studio where it is found, else with the simulated labeler), or takes a
demonstration that is finished, serves it, and photographs report and dashboard with Chromium into
docs/images. Needs the test extra and /usr/bin/chromium.
"""

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parent / "images"
WORKBENCH = Path(sys.executable).parent / "workbench"
CHROMIUM = "/usr/bin/chromium"
PHONE, DESK = 390, 1280


class Shot(NamedTuple):
    """A picture: what of, how wide and high, and whether by night. No height: the whole page."""

    name: str
    path: str
    width: int = DESK
    height: int | None = 900
    dark: bool = False


PAGES = (
    Shot("dashboard", "/projects/{project}"),
    Shot("dashboard-dark", "/projects/{project}", dark=True),
    Shot("dashboard-phone", "/projects/{project}/panels/budget_curve", width=PHONE, height=844),
    Shot("savings", "/projects/{project}/panels/savings"),
    Shot("forecast", "/projects/{project}/panels/forecast"),
    Shot("coverage", "/projects/{project}/panels/coverage"),
    Shot("batch", "/projects/{project}/panels/batch"),
    Shot("calibration", "/projects/{project}/panels/calibration"),
    Shot("round", "/projects/{project}/rounds/3"),
)


def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo = Path(sys.argv[1]) if len(sys.argv) > 1 else _demo(Path(folder) / "demo")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            _take(browser, Shot("report", (demo / "report.html").resolve().as_uri(), width=1000, height=1300))
            with _served(demo) as address:
                project = _project(browser, address)
                for shot in PAGES:
                    _take(browser, shot._replace(path=address + shot.path.format(project=project)))
            browser.close()


def _demo(directory: Path) -> Path:
    labeler = "label-studio" if shutil.which("label-studio") else "simulated"
    command = [WORKBENCH, "demo", "--directory", directory, "--labeler", labeler]
    subprocess.run(command, check=True)  # noqa: S603  # our own program
    return directory


@contextmanager
def _served(demo: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [WORKBENCH, "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=demo)  # noqa: S603  # our own program
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()  # noqa: S310  # our own server
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def _project(browser: Browser, address: str) -> str:
    """The name of the only project in addresses."""
    page = browser.new_page()
    page.goto(address)
    link = page.locator("main a[href^='/projects/']").first.get_attribute("href") or ""
    page.close()
    return link.rsplit("/", 1)[-1]


def _take(browser: Browser, shot: Shot) -> None:
    scheme = "dark" if shot.dark else "light"
    size = {"width": shot.width, "height": shot.height or 900}
    page = browser.new_page(viewport=size, color_scheme=scheme, device_scale_factor=1.5)
    page.goto(shot.path)
    page.wait_for_load_state("load")
    # Charts are drawn and cards filled after the page is there.
    page.wait_for_timeout(2500)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=shot.height is None)))
    # Colours of small marks are kept: they tell the arms apart.
    few = picture.convert("RGB").quantize(200, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(IMAGES / f"{shot.name}.png", optimize=True)
    page.close()


if __name__ == "__main__":
    main()
