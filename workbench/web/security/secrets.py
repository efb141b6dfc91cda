"""Secrets of the dashboard: made here, and kept as digests only."""

import hashlib
import hmac
import secrets

#: So that one that was pasted into the wrong place is known for what it is.
PREFIX = "wb_"


def new_secret() -> str:
    """256 random bits, to be shown once."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of a secret. It is too long to be guessed, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def forms_secret(cookie: str) -> str:
    """What the forms of a session carry: who knows it has read a page of that session."""
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"forms", hashlib.sha256).hexdigest()
