"""A report in a terminal: findings first, small plots, tables that fit in 80 columns."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TextIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from workbench.reports.chart import Chart
from workbench.reports.faces.plots import plot
from workbench.reports.panel import Finding, Table, Tone
from workbench.reports.reading import PanelReading
from workbench.reports.sheet import Cell, Head, Sheet, sheet_of
from workbench.reports.words import plain, short, tied

WIDTH: Final = 80
MOST_WIDE: Final = 110
MOST_ROWS: Final = 12
#: A longer text is folded.
WIDEST_CELL: Final = 34
#: A sign and a word: colour only underlines them.
SIGNS: Final = {
    Tone.GOOD: ("✓", "green"),
    Tone.NEUTRAL: ("•", "default"),
    Tone.WARNING: ("! warning:", "yellow"),
    Tone.BAD: ("✗ bad:", "red"),
    Tone.UNKNOWN: ("? unclear:", "cyan"),
}


def show_panels(panels: Iterable[PanelReading], out: TextIO, currency: str, *, charts: bool = True) -> None:
    """Write panels; 80 columns wide where nobody looks at a terminal."""
    console = Console(file=out, width=None if out.isatty() else WIDTH, highlight=False, markup=False)
    if console.width > MOST_WIDE:
        console.width = MOST_WIDE
    for panel in panels:
        _panel(console, panel, currency, charts=charts)


def show_tables(tables: Iterable[Table], out: TextIO, currency: str, most: int | None = None) -> None:
    """Write tables alone."""
    console = Console(file=out, width=None if out.isatty() else WIDTH, highlight=False, markup=False)
    for table in tables:
        _table(console, sheet_of(table, currency, most))


def _panel(console: Console, panel: PanelReading, currency: str, *, charts: bool) -> None:
    console.print()
    console.print(Text(panel.title, style="bold"))
    console.print(Text(panel.sentence, style="dim"))
    for finding in panel.reading.findings:
        console.print(_finding(finding, console.width))
    for chart in panel.reading.charts if charts else ():
        _chart(console, chart, currency)
    for table in panel.reading.tables:
        if table.rows:
            _table(console, sheet_of(table, currency, MOST_ROWS))


def _finding(finding: Finding, width: int) -> RichTable:
    sign, color = SIGNS[finding.tone]
    line = RichTable.grid(padding=(0, 1, 0, 0))
    line.add_column(no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(Text(sign, style=color), _folded(plain(finding.words), width - len(sign) - 1))
    return line


def _folded(words: str, width: int) -> Text:
    """Break lines at spaces alone: rich also does within numbers, and between a number and its unit."""
    lines = textwrap.wrap(tied(words), max(width, 1), break_on_hyphens=False)
    return Text("\n".join(lines) if len(words) > width else words)


def _chart(console: Console, chart: Chart, currency: str) -> None:
    lines = plot(chart, console.width - 2, currency)
    if lines:
        console.print()
        console.print(Text(f"  {plain(chart.title)}", style="italic"))
        console.print(Padding(Text("\n".join(lines), no_wrap=True, overflow="crop"), (0, 0, 0, 2)))


def _table(console: Console, sheet: Sheet) -> None:
    console.print()
    if not sheet.rows:
        console.print(Text(f"{sheet.title}: {sheet.empty}"))
        return
    if sheet.is_list:
        console.print(_list(sheet))
        return
    for number, columns in enumerate(_blocks(sheet, console.width)):
        console.print(_block(sheet, columns, sheet.title if number == 0 else None))
    if sheet.left_out:
        words = f"{sheet.left_out} All of them: `workbench report --csv DIRECTORY`."
        console.print(Text(words, style="dim"))


def _blocks(sheet: Sheet, width: int) -> list[dict[int, int]]:
    """Columns that fit beside each other, and how wide; what does not goes below, behind the first again."""
    widths = [_width(head, [row[i] for row in sheet.rows]) for i, head in enumerate(sheet.heads)]
    # Each is followed by two letters, and the whole stands between two.
    room = width - 2
    blocks = [[0]]
    for column in range(1, len(widths)):
        taken = sum(widths[one] + 2 for one in (*blocks[-1], column)) - 2
        if taken > room and len(blocks[-1]) > 1:
            blocks.append([0])
        blocks[-1].append(column)
    return [_widened(sheet, {column: widths[column] for column in block}, room) for block in blocks]


def _widened(sheet: Sheet, widths: dict[int, int], room: int) -> dict[int, int]:
    """Give what room is left to heads that would be broken over two lines."""
    left = room - sum(widths.values()) - 2 * (len(widths) - 1)
    found = dict(widths)
    for column, width in widths.items():
        more = len(sheet.heads[column].words) - width
        if 0 < more <= left:
            found[column] += more
            left -= more
    return found


def _width(head: Head, cells: Sequence[Cell]) -> int:
    needed = max((len(cell.words) for cell in cells), default=0)
    most = needed if head.numeric else min(needed, WIDEST_CELL)
    return max(most, *(len(word) for word in head.words.split(" ")))


def _list(sheet: Sheet) -> RichTable:
    """One row as lines: what, and how much."""
    lines = RichTable.grid(padding=(0, 2, 0, 0))
    lines.title, lines.title_justify, lines.title_style = Text(sheet.title), "left", "table.title"
    lines.add_column()
    lines.add_column(overflow="fold")
    for head, cell in zip(sheet.heads, sheet.rows[0], strict=True):
        lines.add_row(Text(head.words, style="dim"), Text(short(cell.words, head.most)))
    return lines


def _block(sheet: Sheet, columns: Mapping[int, int], title: str | None) -> RichTable:
    # Text, not markup: names of people, classes and items are anybody's strings.
    heading = None if title is None else Text(title, style="table.title")
    table = RichTable(
        box=box.SIMPLE_HEAD, title=heading, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0)
    )
    for column, width in columns.items():
        head = sheet.heads[column]
        table.add_column(
            Text(head.words), justify="right" if head.numeric else "left", overflow="fold", width=width
        )
    for row in sheet.rows:
        cells = (
            (short(row[column].words, sheet.heads[column].most), width) for column, width in columns.items()
        )
        table.add_row(*(_folded(words, width) for words, width in cells))
    return table
