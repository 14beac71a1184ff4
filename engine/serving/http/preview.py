"""What a link to the page shows where it is pasted: a title, a line and a picture → tags of a head.

Chats and social networks read Open Graph's properties (ogp.me) and run no script.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Preview:
    """All of it is a catalogue's and a caller's text: none of it is trusted. `picture` and
    `address` are whole URLs, None where nothing is known of them."""

    title: str
    description: str
    picture: str | None
    address: str | None
    kind: str = "website"
    site: str = "Shazam Visual"

    def head(self) -> str:
        """The document's `<title>` and its tags."""
        card = "summary_large_image" if self.picture else "summary"
        properties = {
            "og:site_name": self.site,
            "og:type": self.kind,
            "og:title": self.title,
            "og:description": self.description,
            "og:url": self.address,
            "og:image": self.picture,
        }
        tags = [
            f'<meta property="{name}" content="{html.escape(value)}">'
            for name, value in properties.items()
            if value
        ]
        title = html.escape(f"{self.title} · {self.site}")
        card = f'<meta name="twitter:card" content="{card}">'
        return "\n".join([f"<title>{title}</title>", *tags, card])


def public_origin(scheme: str, headers: Mapping[str, str]) -> str | None:
    """Where callers find the service, as `https://host`: what its proxy says, else what the request
    does; None where that is no address. The path there is `prefix`'s.

    Whoever forges these headers is told a forged address and nobody else is.
    """

    def first(name: str) -> str:
        return headers.get(name, "").split(",")[0].strip()

    told = first("x-forwarded-proto").lower()
    host = first("x-forwarded-host") or headers.get("host", "")
    if not _HOST.fullmatch(host):
        return None
    return f"{told if told in ('http', 'https') else scheme}://{host}"
