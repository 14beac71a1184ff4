"""A real Chromium for the page's tests, and the fake service they visit.

Everything lives no longer than this folder's tests (scope "package"): Playwright's synchronous
interface keeps an event loop running in the main thread, which other tests must not meet.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="the browser tests need playwright: make install"
)

from .fake_service import Fake  # noqa: E402

OUTPUT = Path(__file__).parents[3] / "test-output"
FLAGS = [
    "--no-sandbox",  # CI runs as root, where Chromium's sandbox refuses to start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
# Listens before any script of the page runs.
WATCH = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""

Visit = Callable[..., Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Any]:
    sync_api.expect.set_options(timeout=30_000)  # the machine may be busy with other work
    with sync_api.sync_playwright() as made:
        yield made


@contextlib.contextmanager
def launched(playwright: Any, *flags: str) -> Iterator[Any]:
    # Of one source with the whole browser, which takes twice as long for a page that nobody sees.
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def chromium(playwright: Any) -> Iterator[Any]:
    with launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="package")
def _fake_service() -> Iterator[Fake]:
    fake = Fake()
    yield fake
    fake.close()


@pytest.fixture
def fake(_fake_service: Fake) -> Fake:
    _fake_service.reset()
    return _fake_service


@pytest.fixture
def visitor(chromium: Any) -> Iterator[Visit]:
    """`visitor(url, **context options)` opens a page; afterwards nothing may have gone wrong:
    no exception, no CSP violation, no error in the console but a failed load, no other host than
    that of `also`."""
    opened = []
    wrong: list[str] = []

    def visit(url: str, *, script: str = "", also: str | None = None, **options: Any) -> Any:
        options = {
            "viewport": {"width": 1280, "height": 800},
            "locale": "en-GB",
            "reduced_motion": "reduce",
            **options,
        }
        context = chromium.new_context(**options)
        context.set_default_timeout(30_000)
        opened.append(context)
        context.add_init_script(WATCH + script)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"exception: {error}"))
        page.on("console", lambda message: wrong.extend(complaints(message)))
        host = "/".join(url.split("/")[:3])
        page.on("request", lambda request: wrong.extend(strangers(request.url, host, also)))
        page.goto(url, wait_until="domcontentloaded")
        return page

    yield visit
    for context in opened:
        context.close()
    assert wrong == []


@pytest.fixture
def visit(visitor: Visit, fake: Fake) -> Visit:
    """`visit(path, **context options)` on the fake service."""
    return lambda path="/", **options: visitor(fake.url + path, **options)


def until(page: Any, what: Callable[[], Any], seconds: float = 30) -> None:
    """Wait for what no locator tells; the page goes on meanwhile, to another one perhaps."""
    deadline = time.monotonic() + seconds
    while not _holds(what):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        page.wait_for_timeout(50)


def _holds(what: Callable[[], Any]) -> bool:
    try:
        return bool(what())
    except sync_api.Error as error:
        if "because of a navigation" not in error.message:
            raise
        return False  # who was asked is gone


def painted(page: Any) -> None:
    """What changed is laid out and drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def complaints(message: Any) -> list[str]:
    """Chromium itself logs every failed load; those are states that the tests make."""
    failed_load = message.text.startswith("Failed to load resource")
    return [] if message.type != "error" or failed_load else [f"console: {message.text}"]


def strangers(url: str, host: str, also: str | None = None) -> list[str]:
    own = (host + "/", f"blob:{host}/", "data:", also or "data:")
    return [] if url.startswith(own) else [f"another host: {url}"]


@pytest.fixture
def screenshot() -> Callable[[Any, str], None]:
    def take(page: Any, name: str) -> None:
        OUTPUT.mkdir(exist_ok=True)
        page.screenshot(path=OUTPUT / f"{name}.png")

    return take
