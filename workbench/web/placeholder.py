"""What stands where a picture can not be shown: a picture that says why."""

import io
import textwrap

from PIL import Image, ImageDraw, ImageFont

from connectors.sources.pictures import Picture

SIZE = (320, 200)
PAPER, INK, LINE = (236, 239, 244), (84, 93, 108), (170, 178, 190)
FONT, LETTERS = 15, 38


def placeholder(words: str) -> Picture:
    """A grey card with words on it; readable on light pages and on dark ones."""
    card = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(card)
    _frame(draw)
    lines = "\n".join(textwrap.wrap(words, LETTERS)[:4])
    font = ImageFont.load_default(FONT)
    draw.multiline_text(
        (SIZE[0] / 2, 140), lines, fill=INK, font=font, anchor="mm", align="center", spacing=5
    )
    buffer = io.BytesIO()
    card.quantize(16).save(buffer, format="PNG", optimize=True)
    return Picture("image/png", buffer.getvalue())


def _frame(draw: ImageDraw.ImageDraw) -> None:
    """A picture's frame with its mountain and a stroke through it."""
    left, top, right, bottom = 124, 26, 196, 80
    draw.rounded_rectangle((left, top, right, bottom), radius=6, outline=LINE, width=3)
    draw.ellipse((left + 12, top + 10, left + 22, top + 20), fill=LINE)
    draw.polygon([(left + 8, bottom - 7), (left + 30, top + 22), (left + 52, bottom - 7)], fill=LINE)
    draw.line((left - 8, bottom + 6, right + 8, top - 6), fill=INK, width=3)
