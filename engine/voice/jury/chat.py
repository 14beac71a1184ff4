"""A server that speaks as OpenAI's does: llama.cpp, Ollama, vLLM, and those for money.

    POST {url}/chat/completions {"model", "messages", "max_tokens", "temperature"}
    200 {"choices": [{"message": {"content": "…"}}]}

https://platform.openai.com/docs/api-reference/chat/create; `url` as its clients take it, with /v1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.base.errors import LinkFailed
from engine.library.sources.guard import Guard, Resolve
from engine.library.sources.source import Deadline
from engine.library.sources.web import Web

PATH = "/chat/completions"
MOST_TOKENS = 200
TEMPERATURE = 0.8


class ChatServer:
    """`url` is the operator's own word, so it may be a private address. For any thread."""

    def __init__(self, url: str, key: str, model: str, resolve: Resolve | None = None) -> None:
        self._url = url.removesuffix(PATH) + PATH
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._model = model
        self._web = Web(Guard(resolve=resolve).trusting(url))

    def ask(self, messages: Sequence[dict[str, str]], within_s: float) -> str:
        """What it says. Asked once, for no longer than `within_s`. Raises a `ShazamError`."""
        body = {
            "model": self._model,
            "messages": list(messages),
            "max_tokens": MOST_TOKENS,
            "temperature": TEMPERATURE,
        }
        answer, data = self._web.json(
            self._url, Deadline(within_s), headers=self._headers, body=body, attempts=1
        )
        said = _content(data) if answer.status == 200 else None
        if said is None:
            raise LinkFailed(f"The jury's server answers {answer.status}, and no comment.")
        return said


def _content(data: Any) -> str | None:
    """`choices[0].message.content` of what may be anything."""
    try:
        said = data["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return None
    return said if isinstance(said, str) else None
