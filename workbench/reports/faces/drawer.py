"""Draws the charts that it is given, one after the other: ``python -m workbench.reports.faces.drawer``.

Reads them from the standard input and writes pictures to the standard output, both as pickles: between a
program and its own helper.
"""

import pickle  # noqa: TID251 no artifact: it goes from one of our processes to the other
import signal
import sys

from workbench.reports.faces.svg import get_ready, svg


def main() -> None:
    """Draw until nobody asks any more."""
    # An interrupt is for the program; its end is the end of what comes in.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked, drawn = sys.stdin.buffer, sys.stdout.buffer
    # Where anything else is printed, it must not come between the pictures.
    sys.stdout = sys.stderr
    get_ready()
    while True:
        try:
            chart, currency = pickle.load(asked)  # noqa: S301 from the program that started this one
        except EOFError:
            return
        pickle.dump(svg(chart, currency), drawn)
        drawn.flush()


if __name__ == "__main__":
    main()
