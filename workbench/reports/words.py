"""Every value of a report in words, by its unit: the one place for digits, separators, signs and units.

Text that comes from anywhere (names, keys, error messages) goes through ``plain``: nothing in it can move a
cursor, turn the direction of a line, or break one.
"""

import math
import re
from datetime import UTC, date, datetime
from typing import Any, Final

from workbench.reports.units import Unit

NOTHING: Final = "–"
MINUS: Final = "\N{MINUS SIGN}"
#: Between thousands: never broken over two lines.
THIN: Final = "\N{NARROW NO-BREAK SPACE}"
#: Format characters that languages and emoji need.
HARMLESS: Final = frozenset("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}\u200c\u200d")
#: Fewer items than this show no tenths of a percent.
FEW: Final = 100
HOUR, MINUTE = 3600, 60
#: Columns whose names say too little to who has not read what they mean.
HEADINGS: Final = {
    "n": "items",
    "noun": "what",
    "words": "in words",
    "stated": "the rule",
    "by": "compared",
    "matter": "why",
    "made_in": "made in round",
    "last_point": "cost of the last point",
    "held_out": "held-out items",
    "control_accuracy": "accuracy of random labels",
    "worth": "worth as many items",
    "represented": "of the pool",
    "ece_equal_width": "ECE, equal width",
    "ece_equal_mass": "ECE, equal mass",
    "wrong": "wrong items",
    "id": "number",
}
#: Abbreviations, as everybody writes them.
ABBREVIATIONS: Final = re.compile(r"\b(?:auroc|aurc|nll|f1)\b")


def in_words(value: Any, unit: Unit, *, currency: str = "", n: int | None = None) -> str:
    """Say a value with its unit, as in a sentence.

    Args:
        currency: Behind money.
        n: How many items a share is of, where that is known: it says how many digits mean something.
    """
    text = cell(value, unit, n=n)
    if text == NOTHING:
        return text
    if unit is Unit.MONEY:
        return f"{text} {currency}".rstrip()
    return f"{text} nats" if unit is Unit.NATS else text


def cell(value: Any, unit: Unit, *, n: int | None = None) -> str:
    """Say a value as in a table, whose head names currency and nats."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return _time(value)
    if isinstance(value, int | float):
        return _number(value, unit, n)
    return plain(str(value))


def interval(value: Any, low: Any, high: Any, unit: Unit, *, currency: str = "", n: int | None = None) -> str:
    """Say a value with its interval: ``140 [60 to 230]``; the unit stands once where it can."""
    if low is None or high is None:
        return in_words(value, unit, currency=currency, n=n)
    if value is None:
        return f"{NOTHING} [{_ends(low, high, unit, n)}]"
    whole = in_words(value, unit, currency=currency, n=n)
    return f"{whole} [{_ends(low, high, unit, n)}]"


def cell_interval(value: Any, low: Any, high: Any, unit: Unit, *, n: int | None = None) -> str:
    """Say the same as in a table."""
    if low is None or high is None:
        return cell(value, unit, n=n)
    return f"{cell(value, unit, n=n)} [{_ends(low, high, unit, n)}]"


def count(value: int, one: str, many: str | None = None) -> str:
    """Say how many of something: ``1 label``, ``1 200 labels``."""
    return f"{cell(value, Unit.COUNT)} {one if value == 1 else many or one + 's'}"


def heading(name: str, unit: Unit, currency: str = "") -> str:
    """Say what a column or an axis holds; the unit where its values do not."""
    words = HEADINGS.get(name) or ABBREVIATIONS.sub(lambda found: found[0].upper(), name.replace("_", " "))
    words = re.sub(r"\bseconds\b", "time", words) if unit is Unit.SECONDS else words
    if unit is Unit.MONEY and currency:
        return f"{words}, {currency}"
    if name.endswith("per_100") and currency:
        return f"{words} {currency}"
    return f"{words}, nats" if unit is Unit.NATS else words


def plain(text: str) -> str:
    """Show what can not be seen, or would disturb, by its code; line breaks become spaces."""
    return text if text.isprintable() else "".join(map(_visible, text))


def short(text: str, most: int) -> str:
    """Cut a long text in the middle: keys differ at their ends."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 3
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def tied(text: str) -> str:
    """Keep numbers and their units on one line."""
    return re.sub(r"(?<=\d) (?=(?:%|pp|×|h|min|s|nats)\b|[%×])", "\N{NO-BREAK SPACE}", text)


def _visible(letter: str) -> str:
    if letter.isprintable() or letter in HARMLESS:
        return letter
    if letter in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _time(value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if value.tzinfo else f"{value:%Y-%m-%d %H:%M} UTC"


def _number(value: float, unit: Unit, n: int | None) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if unit is Unit.SHARE:
        return f"{_fixed(value * 100, _share_digits(n))} %"
    if unit is Unit.POINTS:
        return f"{_signed(value * 100, _share_digits(n))} pp"
    if unit is Unit.SECONDS:
        return _duration(value)
    if unit is Unit.MONEY:
        return _money(value)
    if unit is Unit.FACTOR:
        return f"{_significant(value, 2)} ×"
    if unit is Unit.ROUND:
        return str(value)
    return _fixed(value, 0) if isinstance(value, int) or unit is Unit.COUNT else _significant(value, 3)


def _share_digits(n: int | None) -> int:
    return 0 if n is not None and n < FEW else 1


def _fixed(value: float, digits: int) -> str:
    """Thousands apart, a true minus, and no negative nothing."""
    text = f"{value:,.{digits}f}".replace(",", THIN)
    if not text.strip("-0."):
        return text.removeprefix("-")
    return text.replace("-", MINUS)


def _signed(value: float, digits: int) -> str:
    text = _fixed(value, digits)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


def _significant(value: float, digits: int) -> str:
    """So many digits that mean something, whole numbers in full."""
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    if places > digits + 3:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    return _fixed(value, max(0, places))


def _money(value: float) -> str:
    """Cents below a thousand, more digits for the price of one label."""
    if 0 < abs(value) < 0.1:
        return _significant(value, 2)
    return _fixed(value, 2 if abs(value) < 1000 else 0)


def _duration(seconds: float) -> str:
    sign, left = (MINUS, -seconds) if seconds < 0 else ("", seconds)
    if left < 9.95:
        return f"{sign}{left:.1f} s"
    if left < MINUTE - 0.5:
        return f"{sign}{left:.0f} s"
    if left < 10 * MINUTE:
        minutes, rest = divmod(round(left), MINUTE)
        return f"{sign}{minutes} min {rest} s" if rest else f"{sign}{minutes} min"
    hours, minutes = divmod(round(left / MINUTE), 60)
    if not hours:
        return f"{sign}{minutes} min"
    if hours >= 100 or not minutes:
        return f"{sign}{_fixed(left / HOUR, 0)} h"
    return f"{sign}{hours} h {minutes} min"


def _ends(low: Any, high: Any, unit: Unit, n: int | None) -> str:
    """Both ends, the unit behind the second one only."""
    first, second = cell(low, unit, n=n), cell(high, unit, n=n)
    for mark in (" %", " pp", " ×"):
        if first.endswith(mark) and second.endswith(mark):
            return f"{first.removesuffix(mark)} to {second.removesuffix(mark)}"
    return f"{first} to {second}"
