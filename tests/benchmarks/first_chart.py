"""How soon somebody on a slow machine sees a page, and its first chart.

    python tests/benchmarks/first_chart.py ADDRESS-OF-A-PAGE [--slower 4] [--times 5]

Chromium's own brake on the processor makes this machine slower; times are from the navigation on, of the
page's first paint, of the drawing that comes with the page, and of the interactive chart in its place.
"""

import argparse
import statistics

from playwright.sync_api import Page, sync_playwright

WATCH = """
window.seen = {};
const note = (name, found) => { if (found && !(name in seen)) seen[name] = performance.now(); };
const look = () => {
  note("drawing", document.querySelector(".canvas svg.chart"));
  note("interactive", document.querySelector("figure.drawn .interactive .main-svg"));
  requestAnimationFrame(look);
};
look();
"""


def look(page: Page, address: str) -> dict[str, float]:
    """One visit, in milliseconds."""
    page.goto(address)
    for _ in range(500):
        seen: dict[str, float] = page.evaluate("window.seen")
        if "interactive" in seen:
            break
        page.wait_for_timeout(20)
    paints = page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('paint').map((e) => [e.name, e.startTime]))"
    )
    return {**paints, **seen}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address")
    parser.add_argument("--slower", type=float, default=4.0)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        visits = []
        for _ in range(arguments.times + 1):
            context = browser.new_context(viewport={"width": 1360, "height": 900})
            page = context.new_page()
            page.add_init_script(WATCH)
            session = context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": arguments.slower})
            visits.append(look(page, arguments.address))
            context.close()
        browser.close()
    # The first visit also finds the server cold.
    for name in sorted({name for visit in visits for name in visit}):
        times = [visit[name] for visit in visits[1:] if name in visit]
        print(f"{name:24} median {statistics.median(times):6.0f} ms, slowest {max(times):6.0f} ms")


if __name__ == "__main__":
    main()
