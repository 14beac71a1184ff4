"""Which origins may call the service, as a real browser decides it."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# A search by picture with a key needs a preflight; what came is read, and a header of it.
CALL = """async ([url, method]) => {
  const form = new FormData();
  form.append("file", new Blob(["no picture"]), "x");
  const options = method === "POST" ? { method, body: form } : {};
  options.headers = { "X-API-Key": "one" };
  try {
    const answer = await fetch(url, options);
    return [answer.status, answer.headers.get("X-Request-ID") !== null, await answer.text()];
  } catch (error) {
    return [0, false, String(error)];
  }
}"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Somebody's site, on a port of its own."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>elsewhere</title>")
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield site.server_address[1]
        site.shutdown()


def test_a_page_of_an_allowed_origin_may_call_and_another_may_not(
    chromium: Any, elsewhere: int, serve: Any, tiny_artifact: Path
) -> None:
    service = serve(
        tiny_artifact,
        SHAZAM_ALLOWED_ORIGINS="http://localhost:*",
        SHAZAM_API_KEYS="one",
    )
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.goto(f"http://localhost:{elsewhere}/")
        assert page.evaluate(CALL, [f"{service.url}/api/genres", "GET"])[:2] == [200, True]
        # A refusal can be read, too.
        status, _, text = page.evaluate(CALL, [f"{service.url}/api/search-by-image", "POST"])
        assert status == 415
        assert "unreadable_image" in text
        page.goto(f"http://127.0.0.1:{elsewhere}/")
        for path, method in (("/api/genres", "GET"), ("/api/search-by-image", "POST")):
            status, _, text = page.evaluate(CALL, [service.url + path, method])
            assert (status, text) == (0, "TypeError: Failed to fetch")
    finally:
        context.close()
        serve.end(service)
