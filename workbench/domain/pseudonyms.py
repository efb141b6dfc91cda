"""What people are called in a report: by name, or so that nobody can tell who they are.

A made-up name follows from the real one and a random key that only the database knows: the same person is
called the same everywhere in a project, and who has a list of names can not try them out.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Collection
from typing import TypeAlias

#: From a person's name to what is shown.
Names: TypeAlias = Callable[[str], str]
#: From any words to what is shown of them.
Words: TypeAlias = Callable[[str], str]

#: Crockford's letters, which are not mistaken for each other when a made-up name is read out.
_LETTERS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz")
#: Letters of a made-up name: of two thousand projects with a thousand people one has two of the same name.
LENGTH = 6


def open_names(name: str) -> str:
    """Everybody by name."""
    return name


def hidden_names(key: bytes) -> Names:
    """Nobody by name.

    Args:
        key: Random, and never shown.
    """

    def hide(name: str) -> str:
        digest = hmac.digest(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return "person " + base64.b32encode(digest)[:LENGTH].translate(_LETTERS).decode()

    return hide


def unveil(text: str) -> str:
    """Words as they are."""
    return text


def veil(names: Names, known: Collection[str]) -> Words:
    """Replace people's names inside words: error messages, events, what somebody typed.

    Args:
        names: What each is called instead.
        known: The real names; the longest first, so that no rest of one stays.
    """
    if not (people := sorted({name for name in known if name.strip()}, key=lambda name: (-len(name), name))):
        return unveil
    real = {name.casefold(): name for name in reversed(people)}
    anyone = re.compile("|".join(map(_alone, people)), re.IGNORECASE)

    def hide(found: re.Match[str]) -> str:
        return names(real.get(found[0].casefold(), found[0]))

    return lambda text: anyone.sub(hide, text)


def _alone(name: str) -> str:
    """A name that is not part of a longer word; scripts without spaces have no such thing."""
    before = r"(?<![A-Za-z0-9])" if re.match("[A-Za-z0-9]", name) else ""
    after = r"(?![A-Za-z0-9])" if re.search("[A-Za-z0-9]$", name) else ""
    return f"{before}{re.escape(name)}{after}"
