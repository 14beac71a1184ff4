"""`engine/serving/http/page.py`: the page's files as answers (tests/whole/browser: the page)."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from conftest import PROJECT

from engine.serving.http.page import Page, load_page, page_policy, wants_html

WEB = PROJECT / "web"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(
        '<link href="app.css"><use href="icons.svg#disc"/><a href="/docs">x</a><img src="gone.png">'
    )
    (tmp_path / "docs.html").write_text('<script src="docs.js"></script>')
    (tmp_path / "app.css").write_text("p { color: red }\n" * 50)
    (tmp_path / "icons.svg").write_text("<svg/>")
    (tmp_path / "README.md").write_text("not served")
    return tmp_path


@pytest.fixture
def page(folder: Path) -> Page:
    return load_page(folder)


def test_references_in_a_document_point_at_the_hashed_folder(page: Page) -> None:
    html = page.index().body.decode()
    assert f'href="web/{page.digest}/app.css"' in html
    assert f'href="web/{page.digest}/icons.svg#disc"' in html
    assert 'href="/docs"' in html
    assert 'src="gone.png"' in html


def test_one_changed_byte_moves_every_url(page: Page, folder: Path) -> None:
    (folder / "icons.svg").write_text("<svg></svg>")
    assert load_page(folder).digest != page.digest


def test_the_same_files_give_the_same_bytes(page: Page, folder: Path) -> None:
    assert load_page(folder) == page


def test_a_hashed_file_is_kept_for_ever_and_a_document_never(page: Page) -> None:
    asset = page.asset(page.digest, "app.css")
    assert asset is not None
    assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert asset.headers["Content-Type"] == "text/css; charset=utf-8"
    assert page.index().headers["Cache-Control"] == "no-cache"


def test_a_clip_to_try_the_page_with_is_audio() -> None:
    page = load_page(WEB)
    clip = page.asset(page.digest, "clip-1.m4a")
    assert clip is not None
    assert clip.headers["Content-Type"] == "audio/mp4"
    assert clip.body[4:8] == b"ftyp"


def test_another_versions_digest_gets_this_version_unkept(page: Page) -> None:
    asset = page.asset("0123456789ab", "app.css")
    assert asset is not None
    assert asset.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["README.md", "../secret", "index.html", "", "app.css/"])
def test_nothing_but_the_pages_files_is_served(page: Page, name: str) -> None:
    assert page.asset(page.digest, name) is None


def test_an_unchanged_document_is_not_sent_again(page: Page) -> None:
    first = page.index()
    etag = first.headers["ETag"]
    for known in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
        again = page.index(if_none_match=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == etag
    assert page.index(if_none_match='"x"').status == 200


def test_text_is_compressed_for_those_who_ask(page: Page) -> None:
    plain = page.asset(page.digest, "app.css", accept_encoding="br")
    zipped = page.asset(page.digest, "app.css", accept_encoding="br, gzip;q=0.8")
    refused = page.asset(page.digest, "app.css", accept_encoding="gzip;q=0")
    assert plain is not None
    assert zipped is not None
    assert refused is not None
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body == refused.body
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_a_missing_document_is_named(folder: Path) -> None:
    (folder / "docs.html").unlink()
    with pytest.raises(FileNotFoundError, match=r"docs\.html is missing"):
        load_page(folder)


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("*/*", False),
        (None, False),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0", False),
        ("TEXT/HTML", True),
        ("text/html;q=nonsense", False),
    ],
)
def test_a_browser_gets_the_page_and_a_client_json(accept: str | None, html: bool) -> None:
    assert wants_html(accept) is html


def test_the_real_page_is_complete_and_strict() -> None:
    page = load_page(WEB)
    for reply in (page.index(), page.docs()):
        html = reply.body.decode()
        policy = reply.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "<style" not in html
        assert " style=" not in html
        assert "http://" not in html
        assert "https://" not in html
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_a_word_that_is_no_origin_gets_into_no_policy() -> None:
    said = page_policy(["https://a.example", "https://b.example:8443", "https:", "*", "'none'"])
    assert "media-src 'self' blob: https://a.example https://b.example:8443 https:;" in said
    for word in ("https://a.example; script-src *", "data:", "https://a.example/x", "//a.example"):
        assert page_policy([word]) == page_policy()
