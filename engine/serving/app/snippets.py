"""Each operation of the API page → the same call for a shell, Python and JavaScript.

A test runs the first two as they are shown.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from fastapi.routing import APIRoute

AT = "http://localhost:3000"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: a path of the service, its query, the name of what is sent in the field `file`,
    form fields, or JSON."""

    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    file: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    saved_as: str = ""  # the answer is a file, not JSON
    method: str = ""  # where it is neither the POST of what is sent nor a GET

    @property
    def address(self) -> str:
        asked = urlencode(self.query, quote_via=quote)
        return f"{AT}{self.path}" + (f"?{asked}" if asked else "")

    @property
    def verb(self) -> str:
        sends = bool(self.file or self.form) or self.body is not None
        return self.method or ("POST" if sends else "GET")


def curl(call: Call) -> str:
    words = ["curl", *(["-X", call.method] if call.method else [])]
    if call.file:
        words += ["-F", f"file=@{call.file}"]
    for name, value in call.form.items():
        words += ["-F", f"{name}={value}"]
    if call.body is not None:
        words += ["-H", "Content-Type: application/json", "-d", _json(call.body)]
    if call.saved_as:
        words += ["-o", call.saved_as]
    return shlex.join([*words, call.address])


def python(call: Call) -> str:
    given = [_quoted(call.address)]
    if call.file:
        given.append(f'files={{"file": open({_quoted(call.file)}, "rb")}}')
    if call.form:
        given.append(f"data={_json(call.form)}")
    if call.body is not None:
        given.append(f"json={_json(call.body)}")
    asked = f"answer = requests.{call.verb.lower()}({', '.join(given)})"
    if call.saved_as:
        read = f'open({_quoted(call.saved_as)}, "wb").write(answer.content)'
    else:
        read = "print(answer.json())"
    return f"import requests\n\n{asked}\n{read}"


def javascript(call: Call) -> str:
    lines: list[str] = []
    options = ""
    if call.file or call.form:
        lines.append("const body = new FormData();")
        if call.file:
            lines.append('body.set("file", document.querySelector("input[type=file]").files[0]);')
        lines += [f"body.set({_quoted(k)}, {_quoted(v)});" for k, v in call.form.items()]
        options = ', { method: "POST", body }'
    elif call.body is not None:
        lines.append(f"const body = JSON.stringify({_json(call.body)});")
        lines.append('const headers = { "Content-Type": "application/json" };')
        options = ', { method: "POST", headers, body }'
    elif call.method:
        options = f", {{ method: {_quoted(call.method)} }}"
    lines.append(f"const answer = await fetch({_quoted(call.address)}{options});")
    read = "await answer.blob()" if call.saved_as else "await answer.json()"
    return "\n".join([*lines, f"console.log({read});"])


def add_snippets(routes: Iterable[Any], calls: Mapping[str, Call]) -> None:
    """Put the snippets below the description of each documented route; `calls`: its path → what
    they ask."""
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema and route.path in calls:
            call = calls[route.path]
            blocks = [
                f"**{name}**\n```{tag}\n{write(call)}\n```"
                for name, tag, write in (
                    ("curl", "sh", curl),
                    ("Python", "python", python),
                    ("JavaScript", "js", javascript),
                )
            ]
            route.description = "\n\n".join(filter(None, [route.description, *blocks]))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
