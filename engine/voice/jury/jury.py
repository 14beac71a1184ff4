"""All three of the jury, side by side, until the time is up: what was measured waits for none."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

from engine.base.errors import ShazamError
from engine.voice.jury import template
from engine.voice.jury.chat import ChatServer
from engine.voice.jury.facts import Facts, Language
from engine.voice.jury.form import checked
from engine.voice.jury.personas import PERSONAS, Persona, messages
from engine.voice.troubles import Troubles

logger = logging.getLogger("shazam")

By = Literal["openai-compatible", "second", "template"]
SERVERS: tuple[By, ...] = ("openai-compatible", "second")
# Five seconds are promised; what is asked for has ended by then.
WITHIN_S = 4.5
# A connection that nobody ends is left alone so long after its time.
_GRACE_S = 0.3


class Jury:
    """`servers` by what they are called, in the order in which they are asked. For any thread."""

    def __init__(self, servers: Mapping[By, ChatServer], *, within_s: float = WITHIN_S) -> None:
        self._servers, self._within_s = dict(servers), within_s
        self.troubles = Troubles()

    @classmethod
    def of(cls, *servers: tuple[str, str, str]) -> Jury:
        """Of addresses, keys and models; an address that is "" is no server."""
        named = zip(SERVERS, servers, strict=False)
        return cls({name: ChatServer(*one) for name, one in named if one[0]})

    def comments(
        self, results: Mapping[str, Any], title: str | None, artist: str | None, language: Language
    ) -> list[dict[str, str]]:
        """[{"persona", "comment", "by", "language"}] of all three. Never raises, whatever servers
        do."""
        facts = Facts.of(results, title, artist)
        ends = time.monotonic() + self._within_s
        pool = ThreadPoolExecutor(len(PERSONAS), "jury")
        asked: list[tuple[Persona, Future[tuple[str, By] | None]]] = []
        try:
            if self._servers and facts.score is not None:
                asked = [
                    (one, pool.submit(self._ask, one, facts, language, ends)) for one in PERSONAS
                ]
            said = {one.name: _in_time(future, ends + _GRACE_S) for one, future in asked}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [_told(one, said.get(one.name), facts, language) for one in PERSONAS]

    def _ask(
        self, persona: Persona, facts: Facts, language: Language, ends: float
    ) -> tuple[str, By] | None:
        """The first comment that has its form; what time is left servers share."""
        asked = messages(persona, facts, language)
        for number, (name, server) in enumerate(self._servers.items()):
            share_s = (ends - time.monotonic()) / (len(self._servers) - number)
            if share_s <= 0:
                return None
            try:
                comment = checked(server.ask(asked, share_s), facts, language)
            except ShazamError as error:
                logger.warning("the jury's %s server: %s", name, error.message)
                self.troubles.failed(name, error.message)
                continue
            self.troubles.answered(name)
            if comment is not None:
                return comment, name
            logger.warning("the jury's %s server writes no comment", name)
        return None


def _in_time(future: Future[tuple[str, By] | None], ends: float) -> tuple[str, By] | None:
    try:
        return future.result(max(0.0, ends - time.monotonic()))
    except TimeoutError:
        return None
    except Exception:
        logger.exception("the jury could not be asked")
        return None


def _told(
    persona: Persona, said: tuple[str, By] | None, facts: Facts, language: Language
) -> dict[str, str]:
    comment, by = said or (template.comment(persona.name, facts, language), "template")
    return {"persona": persona.name, "comment": comment, "by": by, "language": language}


def retold(
    results: Mapping[str, Any], title: str | None, artist: str | None, language: Language
) -> list[dict[str, str]]:
    """The comments of `results`, those of the template in another language; what a server said
    stays as it was said."""
    facts = Facts.of(results, title, artist)
    spoken = results.get("language", "en")
    comments = []
    for told in results.get("jury") or []:
        if told["by"] == "template":
            said = template.comment(told["persona"], facts, language)
            comments.append({**told, "comment": said, "language": language})
        else:
            comments.append({"language": spoken, **told})
    return comments
