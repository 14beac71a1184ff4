"""Links to files of a store that hands nothing out itself: a key, a moment, a name, and our seal.

A link is good until it expires and for nothing but what it was made for: the seal is an HMAC-SHA256
over all of it. Whoever knows the secret can make such links, so it stays with the service.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass

from engine.base.errors import LinkExpired

SECRET_BYTES = 32


@dataclass(frozen=True)
class SignedLink:
    """What a link's query holds beside the key in its path."""

    key: str
    expires: int  # Unix time in seconds
    filename: str
    signature: str

    def query(self) -> dict[str, str]:
        """The parameters that `verify` asks back, to be encoded."""
        return {
            "expires": str(self.expires),
            "filename": self.filename,
            "signature": self.signature,
        }


def sign(secret: bytes, key: str, expires_s: float, filename: str = "") -> SignedLink:
    """A link to `key` that is good for `expires_s` from now on."""
    if len(secret) < SECRET_BYTES:
        raise ValueError(f"a secret for links has at least {SECRET_BYTES} bytes")
    expires = int(time.time() + expires_s)
    return SignedLink(key, expires, filename, _seal(secret, key, expires, filename))


def verify(secret: bytes, key: str, expires: str, filename: str, signature: str) -> None:
    """Raise `LinkExpired` unless we made exactly this link and it is not past its time."""
    known = expires.isascii() and expires.isdigit() and len(expires) <= 12
    seal = _seal(secret, key, int(expires) if known else 0, filename)
    # In bytes: `compare_digest` takes no text beyond ASCII, and a caller may send any.
    sealed = hmac.compare_digest(seal.encode(), signature.encode("utf-8", "surrogatepass"))
    if not (known and sealed):
        raise LinkExpired("This link was not made here, or is not whole. Ask for a new one.")
    if int(expires) < time.time():
        raise LinkExpired("This link is past its time. Ask for a new one.")


def _seal(secret: bytes, key: str, expires: int, filename: str) -> str:
    # Lengths first: no two triples have one text.
    parts = [key, str(expires), filename]
    text = "\n".join([*(str(len(part)) for part in parts), *parts])
    return hmac.new(secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
