"""The HTTP contract, from outside, against real processes."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import hashlib
import http.client as http_client
import io
import json
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import PROJECT, SERVICE, Serve, Server, is_error
from PIL import Image

HIT = {
    "album_id",
    "genre_id",
    "similarity_score",
    "title",
    "artist",
    "genre",
    "year",
    "cover_url",
}
ROUTES = {
    "/",
    "/health",
    "/livez",
    "/readyz",
    "/docs",
    "/metrics",
    "/api/search-by-image",
    "/api/search-by-text",
    "/api/search",
    "/api/identify",
    "/api/albums",
    "/api/albums/{album_id}",
    "/api/albums/{album_id}/similar",
    "/api/albums/{album_id}/cover",
    "/api/genres",
    "/v1/embeddings",
}


@pytest.fixture(scope="module")
def tiny(serve: Serve, tiny_artifact: Path) -> Server:
    return serve(
        tiny_artifact,
        target=SERVICE,
        SHAZAM_MAX_UPLOAD_BYTES="200000",
        SHAZAM_MAX_IMAGE_PIXELS="1000000",
        SHAZAM_ALLOWED_ORIGINS="http://localhost:3000,https://*.example.app",
        SHAZAM_LINKS="Discogs=https://d.example/?q={artist}+{title},Other=https://o.example/{year}",
    )


@pytest.fixture(scope="module")
def http(tiny: Server) -> Any:
    with httpx.Client(base_url=tiny.url, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def cover(covers: Path) -> bytes:
    return (covers / "cover-03.png").read_bytes()


# Searching


def test_a_cover_finds_its_own_album_first(http: httpx.Client, cover: bytes) -> None:
    answer = http.post("/api/search-by-image?k=3", files={"file": cover})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"success", "query_type", "artifact", "results"}
    assert (body["success"], body["query_type"]) == (True, "image")
    assert body["artifact"] == answer.headers["x-artifact"]
    assert len(body["results"]) == 3
    first = body["results"][0]
    assert set(first) == HIT
    assert (first["album_id"], first["title"], first["year"]) == (3, "Title 3", 1973)
    assert first["similarity_score"] == pytest.approx(1, abs=1e-3)
    scores = [row["similarity_score"] for row in body["results"]]
    assert scores == sorted(scores, reverse=True)


def test_k_may_come_in_the_form_and_defaults_to_five(http: httpx.Client, cover: bytes) -> None:
    form = http.post("/api/search-by-image", files={"file": cover}, data={"k": "2"})
    assert len(form.json()["results"]) == 2
    default = http.post("/api/search-by-image", files={"file": cover})
    assert len(default.json()["results"]) == 5


def test_fewer_albums_than_k_give_fewer_results_and_never_an_id_of_minus_one(
    http: httpx.Client, cover: bytes
) -> None:
    rows = http.post("/api/search-by-image?k=100", files={"file": cover}).json()["results"]
    assert sorted(row["album_id"] for row in rows) == list(range(30))


def test_a_text_is_echoed_and_found(http: httpx.Client) -> None:
    body = http.get("/api/search-by-text", params={"query": "a red cover", "k": 2}).json()
    assert (body["query_type"], body["query"], len(body["results"])) == ("text", "a red cover", 2)


def test_texts_of_any_length_are_truncated_and_never_an_error(http: httpx.Client) -> None:
    for text in ("guitar " * 77, "moon " * 700, "ü" * 3000, "👩‍🎤 \x00 \u202e"):
        answer = http.get("/api/search-by-text", params={"query": text})
        assert answer.status_code == 200, answer.text
        assert answer.json()["query"] == text


def test_genre_and_score_restrict_an_answer(http: httpx.Client, cover: bytes) -> None:
    rows = http.post(
        "/api/search-by-image?k=100", files={"file": cover}, data={"genre_id": "1"}
    ).json()["results"]
    assert len(rows) == 10
    assert {row["genre_id"] for row in rows} == {1}
    best = http.post("/api/search-by-image?k=100&min_score=0.9999", files={"file": cover})
    assert [row["album_id"] for row in best.json()["results"]] == [3]
    none = http.get("/api/search-by-text", params={"query": "x", "genre_id": 99})
    assert none.json()["results"] == []


def test_a_mixed_query_lies_between_its_parts(http: httpx.Client, cover: bytes) -> None:
    def first(**data: str) -> dict[str, Any]:
        body = http.post("/api/search", files={"file": cover}, data=data).json()
        return {"type": body["query_type"], **body["results"][0]}

    assert first()["type"] == "image"
    all_image = first(query="a red cover", image_weight="1")
    assert (all_image["type"], all_image["album_id"]) == ("mixed", 3)
    assert first(query="a red cover")["similarity_score"] < all_image["similarity_score"]
    text = http.post("/api/search", data={"query": "a red cover"}).json()
    alone = http.get("/api/search-by-text", params={"query": "a red cover"}).json()
    assert (text["query_type"], text["results"]) == ("text", alone["results"])
    pushed = http.post("/api/search", data={"query": "a red cover", "negative": "jazz moon"}).json()
    assert pushed["results"] != alone["results"]


def test_the_catalogue_is_paged_and_told_by_genre(http: httpx.Client) -> None:
    page = http.get("/api/albums", params={"offset": 28, "limit": 10}).json()
    assert (page["total"], [row["album_id"] for row in page["albums"]]) == (30, [28, 29])
    genres = http.get("/api/genres").json()
    assert sorted(row["genre"] for row in genres) == ["folk", "jazz", "metal"]
    assert sum(row["albums"] for row in genres) == 30
    one = http.get("/api/albums", params={"genre_id": genres[0]["genre_id"], "limit": 2}).json()
    assert (one["total"], len(one["albums"])) == (10, 2)
    album = http.get("/api/albums/17").json()
    assert (album["title"], album["cover_url"]) == ("Title 17", "/api/albums/17/cover")


def test_similar_albums_leave_the_album_itself_out(http: httpx.Client) -> None:
    body = http.get("/api/albums/3/similar", params={"k": 4}).json()
    assert (body["query_type"], len(body["results"])) == ("album", 4)
    assert 3 not in [row["album_id"] for row in body["results"]]


def test_a_cover_is_cacheable(http: httpx.Client) -> None:
    answer = http.get("/api/albums/3/cover")
    assert answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"
    assert "max-age" in answer.headers["cache-control"]
    again = http.get("/api/albums/3/cover", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_same_upload_has_the_same_answer_from_memory(http: httpx.Client, cover: bytes) -> None:
    answers = [http.post("/api/search-by-image", files={"file": cover}).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert 'shazam_upload_cache_total{result="hit"}' in http.get("/metrics").text


# Identifying

ANSWER = {"decision", "confidence", "album", "evidence", "candidates"}


def test_a_photo_is_identified_and_the_sleeve_outlined(server: Server) -> None:
    """On the starter: its covers are large enough for a proof."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        albums = http.get("/api/albums", params={"offset": 300, "limit": 2}).json()["albums"]
        pictures = [http.get(album["cover_url"]).content for album in albums]
        table = Image.new("RGB", (900, 480), (150, 120, 90))
        for picture, x in zip(pictures, (100, 520), strict=True):
            table.paste(Image.open(io.BytesIO(picture)).resize((300, 300)), (x, 80))
        buffer = io.BytesIO()
        table.crop((0, 0, 480, 480)).save(buffer, "JPEG", quality=90)
        answer = http.post("/api/identify", files={"file": buffer.getvalue()})
        assert answer.status_code == 200
        assert answer.headers["x-artifact"] != "none"
        body = answer.json()
        assert set(body) == ANSWER
        assert (body["decision"], body["album"]["album_id"]) == ("match", albums[0]["album_id"])
        assert body["album"] == body["candidates"][0]
        assert set(body["album"]) == HIT
        assert 0.5 < body["confidence"] <= 1
        assert body["evidence"]["inliers"] >= 6
        assert body["evidence"]["mirrored"] is False
        corners = np.array([[100, 80], [400, 80], [400, 380], [100, 380]])
        assert np.abs(np.array(body["evidence"]["quad"]) - corners).max() < 8

        buffer = io.BytesIO()
        table.save(buffer, "JPEG", quality=90)
        several = http.post("/api/identify?many=true", files={"file": buffer.getvalue()}).json()
        found = [one["album"]["album_id"] for one in several["answers"] if one["album"]]
        assert sorted(found) == [album["album_id"] for album in albums]

        buffer = io.BytesIO()
        table.crop((0, 0, 480, 480)).save(buffer, "JPEG", quality=90)
        glance = http.post("/api/identify?quick=true", files={"file": buffer.getvalue()}).json()
        assert set(glance) == ANSWER
        assert (glance["decision"], glance["album"]["album_id"]) == ("match", albums[0]["album_id"])
        assert np.abs(np.array(glance["evidence"]["quad"]) - corners).max() < 12


def test_a_picture_of_nothing_is_no_match_with_what_comes_closest(http: httpx.Client) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), (90, 90, 90)).save(buffer, "PNG")
    body = http.post("/api/identify", files={"file": buffer.getvalue()}).json()
    assert (body["decision"], body["album"], body["evidence"]) == ("no_match", None, None)
    assert len(body["candidates"]) == 5
    many = http.post("/api/identify?many=true", files={"file": buffer.getvalue()}).json()
    assert many == {"answers": []}
    sent = {"data": {"quick": "1"}, "files": {"file": buffer.getvalue()}}
    quick = http.post("/api/identify", **sent).json()
    nothing = {"album": None, "evidence": None, "candidates": []}
    assert quick == {"decision": "unsure", "confidence": 0.0, **nothing}


def test_identify_refuses_what_a_search_refuses(http: httpx.Client, cover: bytes) -> None:
    def post(url: str = "/api/identify", **sent: Any) -> httpx.Response:
        return http.post(url, **sent)

    is_error(post(), 400, "invalid_request")
    is_error(post(files={"picture": cover}), 400, "invalid_request")
    is_error(post("/api/identify?many=perhaps", files={"file": cover}), 400, "invalid_request")
    is_error(post("/api/identify?many=1&quick=1", files={"file": cover}), 400, "invalid_request")
    is_error(post(files={"file": b"%PDF-1.7 and so on"}), 415, "unreadable_image")
    is_error(post(files={"file": b"x" * 300_000}), 413, "image_too_large")
    large = io.BytesIO()
    Image.new("RGB", (1200, 1000)).save(large, "PNG")
    is_error(post(files={"file": large.getvalue()}), 413, "image_too_large")
    is_error(http.get("/api/identify"), 405, "method_not_allowed")


def test_bentomls_own_client_identifies(tiny: Server, covers: Path) -> None:
    import bentoml

    with bentoml.SyncHTTPClient(tiny.url) as client:
        assert set(client.identify(file=covers / "cover-05.png")) == ANSWER


def test_the_api_document_shows_an_answer_of_identify(http: httpx.Client) -> None:
    operation = http.get("/openapi.json").json()["paths"]["/api/identify"]["post"]
    shown = operation["responses"]["200"]["content"]["application/json"]["examples"]
    assert set(shown["match"]["value"]) == ANSWER
    assert shown["many"]["value"] == {"answers": [shown["match"]["value"]]}


# The service itself


def test_health_tells_what_is_served(http: httpx.Client) -> None:
    body = http.get("/health").json()
    assert body["status"] == "healthy"
    assert body["total_albums"] == 30
    assert set(body) == {
        "status",
        "total_albums",
        "artifact",
        "encoder",
        "runtime",
        "precision",
    }
    assert body["runtime"] in ("torch-cpu", "torch-cuda", "openvino-cpu")
    assert http.get("/livez").status_code == http.get("/readyz").status_code == 200


def test_the_root_is_a_page_for_browsers_and_json_for_programs(http: httpx.Client) -> None:
    page = http.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    banner = http.get("/").json()
    assert banner["status"] == "running"
    assert banner["endpoints"]["search_image"] == "/api/search-by-image"
    assert banner["endpoints"]["search_text"] == "/api/search-by-text"
    assert banner["endpoints"]["identify"] == "/api/identify"
    assert banner["endpoints"]["docs"] == "/docs"
    assert banner["links"] == {
        "Discogs": "https://d.example/?q={artist}+{title}",
        "Other": "https://o.example/{year}",
    }
    for path in banner["endpoints"].values():
        assert http.get(path).status_code != 404


@pytest.mark.parametrize("accept", ["text/html", "*/*", None])
def test_a_link_to_an_album_tells_those_who_preview_it_which(
    http: httpx.Client, accept: str | None
) -> None:
    headers = {"Host": "covers.example", "X-Forwarded-Proto": "https", "Accept": accept or ""}
    page = http.get("/?album=3&utm_source=chat", headers=headers)
    assert page.headers["content-type"].startswith("text/html")
    assert "<title>Title 3 · Shazam Visual</title>" in page.text
    assert '<meta property="og:title" content="Title 3">' in page.text
    assert '"og:description" content="Artist 3 · jazz · 1973"' in page.text
    assert '"og:image" content="https://covers.example/api/albums/3/cover"' in page.text
    assert "trusted-types" in page.headers["content-security-policy"]
    kept = {**headers, "If-None-Match": page.headers["etag"]}
    assert http.get("/?album=3", headers=kept).status_code == 304
    assert http.get("/?album=4", headers=kept).status_code == 200


@pytest.mark.parametrize("query", ["album=3&album=5", "finds=&album=3", "album=3&track=1"])
def test_what_is_previewed_is_what_the_page_opens(http: httpx.Client, query: str) -> None:
    page = http.get(f"/?{query}", headers={"Accept": "text/html"})
    assert "<title>Title 3 · Shazam Visual</title>" in page.text


def test_a_program_that_names_json_gets_it_whatever_the_album(http: httpx.Client) -> None:
    answer = http.get("/?album=3", headers={"Accept": "application/json"})
    assert answer.json()["status"] == "running"


@pytest.mark.parametrize("album", ["999", "-1", "x", "", "9" * 30, "3%00"])
def test_a_link_to_no_album_is_the_plain_page(http: httpx.Client, album: str) -> None:
    page = http.get(f"/?album={album}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.content == http.get("/", headers={"Accept": "text/html"}).content


@pytest.mark.parametrize(
    ("wanted", "language", "message"),
    [
        (None, "en", "There is no album 999. GET /api/albums lists those there are."),
        ("de", "en", "There is no album 999. GET /api/albums lists those there are."),
        ("en;q=0.4, fr-CA;q=0.9", "fr", "L'album 999 n'existe pas."),
    ],
)
def test_messages_are_in_the_callers_language_and_codes_are_not(
    http: httpx.Client, wanted: str | None, language: str, message: str
) -> None:
    headers = {"Accept-Language": wanted} if wanted else {}
    answer = http.get("/api/albums/999", headers={**headers, "Origin": "http://localhost:3000"})
    error = is_error(answer, 404, "album_not_found")
    assert error["message"].startswith(message)
    assert answer.headers["content-language"] == language
    vary = {name.strip() for name in answer.headers["vary"].split(",")}
    assert vary == {"Accept-Language", "Origin"}


def test_every_layer_speaks_french(http: httpx.Client) -> None:
    http.headers["Accept-Language"] = "fr"
    try:
        answers = [
            http.get("/nothing/here"),
            http.delete("/api/albums"),
            http.get("/static_content/none.css"),
            http.get("/api/albums?limit=0"),
            http.get("/api/albums?size=3"),
            http.post("/api/search-by-image", files={"file": b"%PDF-1.4"}),
            http.post("/api/search-by-image", content=b"x" * 400_000),
            http.post("/v1/embeddings", json={"input": []}),
            http.options(
                "/health",
                headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"},
            ),
        ]
    finally:
        del http.headers["Accept-Language"]
    for answer in answers:
        assert answer.status_code >= 400
        assert answer.headers["content-language"] == "fr", answer.text
        message = answer.json()["error"]["message"]
        assert re.search(r"\b(une?|le|la|est|les|de|des|il|elle|pas)\b", message, re.I), message


def test_head_is_answered_like_get_without_a_body(http: httpx.Client) -> None:
    for path in ("/", "/health", "/api/albums/3/cover"):
        answer = http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_the_api_document_lists_every_route_of_the_contract(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert set(document["paths"]) >= ROUTES
    page = http.get("/docs", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "/openapi.json" in page.text or "docs" in page.text
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert http.get(f"/static_content/{asset}").status_code == 200


def test_a_request_id_is_kept_or_made(http: httpx.Client) -> None:
    assert http.get("/livez", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = http.get("/livez").headers["x-request-id"]
    assert len(made) == 32
    odd = http.get("/livez", headers={"X-Request-ID": "x" * 500}).headers["x-request-id"]
    assert len(odd) == 32


def test_metrics_label_routes_and_not_addresses(http: httpx.Client) -> None:
    http.get("/api/albums/1")
    http.get("/api/albums/2")
    http.get("/some/strange/address")
    text = http.get("/metrics").text
    assert 'route="/api/albums/{album_id}"' in text
    assert "/api/albums/2" not in text
    assert "strange" not in text


# Clients


def test_bentomls_own_client_works_typed(tiny: Server, covers: Path) -> None:
    import bentoml

    with bentoml.SyncHTTPClient(tiny.url) as client:
        found = client.search_by_image(file=covers / "cover-05.png", k=2)
        assert next(row["album_id"] for row in found["results"]) == 5
        assert len(found["results"]) == 2
        told = client.search_by_text(query="a red cover", k=3)
        assert (told["query"], len(told["results"])) == ("a red cover", 3)


def test_openais_client_embeds_texts_and_pictures(tiny: Server, cover: bytes) -> None:
    import openai

    client = openai.OpenAI(base_url=f"{tiny.url}/v1", api_key="none", max_retries=0)
    answer = client.embeddings.create(model="any", input=["a red cover", "jazz"])
    rows = np.array([row.embedding for row in answer.data])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert answer.usage.prompt_tokens > 4
    floats = client.embeddings.create(model="any", input="jazz", encoding_format="float")
    np.testing.assert_allclose(floats.data[0].embedding, rows[1], atol=1e-3)
    uri = "data:image/png;base64," + base64.b64encode(cover).decode()
    picture = client.embeddings.create(model="any", input=[uri])
    assert len(picture.data[0].embedding) == rows.shape[1]
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="any", input=[])


# Errors


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("k=0", {}),
        ("k=101", {}),
        ("k=many", {}),
        ("k=2.5", {}),
        ("", {"k": "-1"}),
        ("min_score=2", {}),
        ("min_score=nan", {}),
        ("genre_id=jazz", {}),
    ],
)
def test_fields_out_of_range_are_refused_by_name(
    http: httpx.Client, cover: bytes, query: str, form: dict[str, str]
) -> None:
    answer = http.post(f"/api/search-by-image?{query}", files={"file": cover}, data=form)
    error = is_error(answer, 400, "invalid_request")
    name = (query or next(iter(form))).split("=")[0]
    assert name in error["message"]


def test_missing_and_malformed_uploads_are_refused(http: httpx.Client, cover: bytes) -> None:
    url = "/api/search-by-image"
    is_error(http.post(url), 400, "invalid_request")
    is_error(http.post(url, data={"k": "3"}), 400, "invalid_request")
    is_error(http.post(url, files={"picture": cover}), 400, "invalid_request")
    is_error(http.post(url, data={"file": "http://127.0.0.1/x"}), 400, "invalid_request")
    is_error(http.post(url, json={"file": "/etc/passwd"}), 400, "invalid_request")
    is_error(http.post(url, content=cover), 400, "invalid_request")
    is_error(http.post(url, files={"file": b""}), 400, "invalid_request")
    is_error(http.post(url, files=[("file", cover), ("file", cover)]), 400, "invalid_request")
    broken = {"Content-Type": "multipart/form-data"}
    is_error(http.post(url, content=b"--x", headers=broken), 400, "invalid_request")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    is_error(http.post(url, content=b"garbage", headers=broken), 400, "invalid_request")


@pytest.mark.parametrize("path", ["/search_by_image", "/api/search-by-image"])
def test_a_string_in_place_of_a_file_is_never_fetched_or_opened(
    http: httpx.Client, covers: Path, path: str
) -> None:
    is_error(http.post(path, json={"file": str(covers / "cover-03.png")}), 400, "invalid_request")
    is_error(http.post(path, data={"file": "http://127.0.0.1:9/"}), 400, "invalid_request")


def test_what_is_no_picture_is_refused_whatever_it_is_called(http: httpx.Client) -> None:
    for body in (
        b"hello",
        b"%PDF-1.7 ...",
        b"\xff\xd8\xff\xe0 cut",
        b"<svg/>",
        b"\x89PNG\r\n\x1a\n",
    ):
        files = {"file": ("cover.jpg", body, "image/jpeg")}
        is_error(http.post("/api/search-by-image", files=files), 415, "unreadable_image")
        is_error(http.post("/search_by_image", files=files), 415, "unreadable_image")


def test_a_picture_is_read_whatever_its_declared_type(http: httpx.Client, cover: bytes) -> None:
    for name, kind in (("x.bin", "application/octet-stream"), ("x.jpg", "image/jpg")):
        answer = http.post("/api/search-by-image", files={"file": (name, cover, kind)})
        assert answer.json()["results"][0]["album_id"] == 3


def test_large_pictures_are_refused_by_bytes_and_by_pixels(http: httpx.Client) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    assert len(buffer.getvalue()) > 1_000_000
    for path in ("/api/search-by-image", "/api/search", "/search_by_image"):
        answer = http.post(path, files={"file": buffer.getvalue()})
        is_error(answer, 413, "image_too_large")
    buffer = io.BytesIO()
    Image.new("RGB", (1200, 1200)).save(buffer, "PNG")
    answer = http.post("/api/search-by-image", files={"file": buffer.getvalue()})
    error = is_error(answer, 413, "image_too_large")
    assert "1200 × 1200" in error["message"]


def test_an_endless_upload_without_a_length_is_cut_off(tiny: Server) -> None:
    def endless() -> Any:
        yield b"--b\r\nContent-Disposition: form-data; name=file; filename=x\r\n\r\n"
        for _ in range(200):
            yield b"x" * 10_000

    answer = httpx.post(
        f"{tiny.url}/api/search-by-image",
        content=endless(),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
        timeout=20,
    )
    is_error(answer, 413, "image_too_large")


def test_a_declared_gigabyte_is_refused_before_it_is_sent(tiny: Server) -> None:
    with socket.create_connection(("127.0.0.1", tiny.port), timeout=10) as connection:
        connection.sendall(
            b"POST /api/search-by-image HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_bodies_that_are_too_many_together_are_refused(tiny: Server, http: httpx.Client) -> None:
    """40 × 240 KB of uploads that do not end; 32 of the largest size are held at once."""
    head = (
        b"POST /api/search-by-image HTTP/1.1\r\nHost: x\r\nContent-Length: 260000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        b"--b\r\nContent-Disposition: form-data; name=file; filename=x\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        uploads = []
        for _ in range(40):
            uploads.append(
                stack.enter_context(socket.create_connection(("127.0.0.1", tiny.port), 10))
            )
            uploads[-1].sendall(head + bytes(240_000))
        answered, _, _ = select.select(uploads, [], [], 60)
        assert 0 < len(answered) < 10
        assert {upload.recv(12) for upload in answered} == {b"HTTP/1.1 503"}
        assert http.get("/livez").status_code == 200
    assert http.get("/api/search-by-text?query=red").status_code == 200


@pytest.mark.alone
def test_probes_are_answered_while_every_place_is_taken(tiny: Server, covers: Path) -> None:
    """In under 50 ms on two quiet cores (SECURITY.md); here the clients take these cores, too."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    cover = (covers / "cover-05.png").read_bytes()
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    over = threading.Event()

    def load(seed: int) -> int:
        answered = 0
        # Not httpx: thirty of its clients in one process would keep the probes' own thread waiting.
        with contextlib.closing(http_client.HTTPConnection("127.0.0.1", tiny.port, 60)) as client:
            while not over.is_set():
                body = head + cover + f"{seed} {answered}".encode() + b"\r\n--x--\r\n"
                client.request("POST", "/api/search-by-image", body, kind)
                with client.getresponse() as response:
                    response.read()
                    answered += response.status == 200
        return answered

    def probe(path: str) -> float:
        start = time.perf_counter()
        with contextlib.closing(http_client.HTTPConnection("127.0.0.1", tiny.port, 30)) as client:
            client.request("GET", path)
            assert client.getresponse().status == 200
        return time.perf_counter() - start

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        loads = [pool.submit(load, seed) for seed in range(32)]
        try:
            seconds = [probe(path) for path in ("/livez", "/readyz") * 20]
        finally:
            over.set()
        assert sum(done.result() for done in loads) > 32
    assert sorted(seconds)[20] < 0.05


def test_blank_queries_are_refused(http: httpx.Client) -> None:
    for params in ({}, {"query": ""}, {"query": "   "}, {"query": "\t\n"}):
        is_error(http.get("/api/search-by-text", params=params), 400, "invalid_request")
    is_error(http.post("/api/search"), 400, "invalid_request")
    is_error(http.post("/search_by_text", json={"query": " "}), 400, "invalid_request")
    is_error(http.post("/search_by_text", json={"query": 7}), 400, "invalid_request")
    is_error(http.post("/search_by_text", json={"query": "x", "k": 0}), 400, "invalid_request")
    answer = http.post("/api/search", data={"query": "x", "image_weight": "2"})
    is_error(answer, 400, "invalid_request")


def test_where_sound_would_answer_it_says_that_it_is_off(http: httpx.Client) -> None:
    for path in ("/api/tracks", "/api/tracks/3/audio", "/audio/3"):
        error = is_error(http.get(path), 404, "not_found")
        assert "sound is off here" in error["message"]
        assert "SHAZAM_SOUND_ARTIFACT" in error["message"]
    is_error(http.post("/api/identify-sound", files={"file": b"x"}), 404, "not_found")
    assert "off here" not in is_error(http.get("/api/tracksuits"), 404, "not_found")["message"]
    said = http.get("/api/tracks", headers={"Accept-Language": "fr"}).json()["error"]["message"]
    assert "le son est désactivé ici" in said


def test_unknown_things_are_404_by_their_own_name(http: httpx.Client) -> None:
    is_error(http.get("/nowhere"), 404, "not_found")
    is_error(http.post("/nowhere"), 404, "not_found")
    is_error(http.get("/docs.json"), 404, "not_found")
    is_error(http.get("/static_content/nothing.js"), 404, "not_found")
    is_error(http.get("/web/x/nothing.js"), 404, "not_found")
    is_error(http.get("/api/albums/999"), 404, "album_not_found")
    is_error(http.get("/api/albums/-1"), 404, "album_not_found")
    is_error(http.get("/api/albums/9999999999999999999999"), 404, "album_not_found")
    is_error(http.get("/api/albums/999/cover"), 404, "album_not_found")
    is_error(http.get("/api/albums/999/similar"), 404, "album_not_found")
    is_error(http.get("/api/albums/seven"), 400, "invalid_request")
    is_error(http.get("/api/albums?limit=0"), 400, "invalid_request")
    is_error(http.get("/api/albums?offset=-1"), 400, "invalid_request")
    assert http.get("/api/albums?offset=99999999999999999999").json()["albums"] == []


def test_other_methods_are_405_and_name_the_right_one(http: httpx.Client) -> None:
    for method, path, allow in (
        ("GET", "/api/search-by-image", "POST"),
        ("POST", "/api/search-by-text", "GET"),
        ("DELETE", "/health", "GET"),
        ("POST", "/", "GET"),
        ("PUT", "/api/albums/3", "GET"),
        ("GET", "/search_by_image", "POST"),
        ("POST", "/schema.json", "GET"),
        ("POST", "/livez", "GET"),
    ):
        answer = http.request(method, path)
        is_error(answer, 405, "method_not_allowed")
        assert allow in answer.headers["allow"]


def test_bad_embedding_requests_are_refused(http: httpx.Client) -> None:
    url = "/v1/embeddings"
    for body in (
        {},
        [],
        {"input": []},
        {"input": [""]},
        {"input": [[1, 2]]},
        {"input": "x", "encoding_format": "hex"},
        {"input": "x", "dimensions": 3},
        {"input": "http://127.0.0.1/x.png", "modality": "image"},
        {"input": "data:image/png;base64,???", "modality": "image"},
        {"input": ["x"] * 3000},
    ):
        is_error(http.post(url, json=body), 400, "invalid_request")
    is_error(http.post(url, content=b"{"), 400, "invalid_request")
    damaged = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    is_error(http.post(url, json={"input": [damaged]}), 415, "unreadable_image")
    lone = http.post(url, content=b'{"input": "\\ud800"}')
    assert lone.status_code == 200


# Browsers


def test_cors_allows_the_origins_set_and_no_others(http: httpx.Client) -> None:
    def origin_of(origin: str) -> str | None:
        answer = http.get("/health", headers={"Origin": origin})
        return answer.headers.get("access-control-allow-origin")

    for origin in ("http://localhost:3000", "https://demo.example.app", "https://a.b.example.app"):
        assert origin_of(origin) == origin
    for origin in (
        "http://localhost:3001",
        "https://example.app",
        "https://demo.example.app.evil.org",
        "http://demo.example.app",
        "https://evil.org/.example.app",
        "null",
    ):
        assert origin_of(origin) is None


def test_a_preflight_is_answered_and_errors_carry_cors_headers(http: httpx.Client) -> None:
    origin = {"Origin": "http://localhost:3000"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    answer = http.options("/api/search-by-image", headers={**origin, **asked})
    assert answer.status_code == 200
    assert "POST" in answer.headers["access-control-allow-methods"]
    refused = http.post("/api/search-by-image", headers=origin)
    assert refused.headers["access-control-allow-origin"] == origin["Origin"]
    exposed = refused.headers["access-control-expose-headers"]
    assert {"X-Request-ID", "Content-Range", "Accept-Ranges"} <= {*exposed.split(", ")}


def test_every_answer_has_the_headers_that_keep_browsers_careful(http: httpx.Client) -> None:
    html = {"Accept": "text/html"}
    for path, headers in (
        ("/", {}),
        ("/", html),
        ("/docs", html),
        ("/health", {}),
        ("/livez", {}),
        ("/metrics", {}),
        ("/openapi.json", {}),
        ("/api/albums/3/cover", {}),
        ("/static_content/swagger-ui.css", {}),
        ("/nowhere", {}),
        ("/api/search-by-image", {}),
    ):
        found = http.get(path, headers=headers).headers
        assert found["x-content-type-options"] == "nosniff", path
        assert found["referrer-policy"] in ("no-referrer", "same-origin"), path
        assert "default-src 'none'" in found["content-security-policy"], path
        assert "server" not in found, path
        if not headers:
            assert "frame-ancestors 'none'" in found["content-security-policy"], path


# Access, deadlines, overload, faults


def test_keys_are_asked_for_everywhere_but_at_the_probes(
    serve: Serve, tiny_artifact: Path, cover: bytes
) -> None:
    hashed = "sha256:" + hashlib.sha256(b"second-key").hexdigest()
    made = serve(tiny_artifact, SHAZAM_API_KEYS=f"first-key, {hashed}", SHAZAM_RATE_LIMIT="6")
    try:
        with httpx.Client(base_url=made.url) as http:
            assert http.get("/livez").status_code == http.get("/readyz").status_code == 200
            for path in ("/", "/health", "/api/albums", "/docs", "/metrics", "/schema.json"):
                is_error(http.get(path), 401, "unauthorized")
                wrong = {"Authorization": "Bearer wrong"}
                is_error(http.get(path, headers=wrong), 403, "unauthorized")
            is_error(http.post("/api/search-by-image", files={"file": cover}), 401, "unauthorized")
            # The page is there to enter a key, and tells no more than that.
            browser = {"Accept": "text/html", "Cookie": "shazam_key=wrong"}
            page = http.get("/?album=1", headers=browser)
            assert (page.status_code, "og:title" in page.text) == (200, False)
            [script, *_] = re.findall(r'src="(web/[^"]+)"', page.text)
            assert http.get(f"/{script}").status_code == http.get("/sw.js").status_code == 200
            is_error(http.get("/api/albums", headers=browser), 403, "unauthorized")
            cookie = {"Cookie": "shazam_key=second-key"}
            assert "og:title" in http.get("/?album=1", headers={**browser, **cookie}).text
            assert http.get("/health", headers=cookie).status_code == 200
            sent = http.post("/api/search-by-image", files={"file": cover}, headers=cookie)
            is_error(sent, 401, "unauthorized")
            for headers in ({"X-API-Key": "second-key"}, {"Authorization": "Bearer first-key"}):
                assert http.get("/health", headers=headers).status_code == 200
            is_error(http.get("/api/genres", headers={"X-API-Key": hashed}), 403, "unauthorized")
            # Each key has a rate of its own; the probes and /health have none.
            first, second = ({"X-API-Key": key} for key in ("first-key", "second-key"))
            for _ in range(6):
                assert http.get("/api/genres", headers=first).status_code == 200
            refused = http.get("/api/genres", headers=first)
            is_error(refused, 429, "overloaded")
            assert 1 <= int(refused.headers["retry-after"]) <= 10
            assert http.get("/health", headers=first).status_code == 200
            assert http.get("/api/genres", headers=second).status_code == 200
        assert "first-key" not in made.log.read_text()
    finally:
        serve.end(made)  # type: ignore[attr-defined]


def test_a_full_queue_answers_at_once_and_says_when_to_come_back(
    serve: Serve, tiny_artifact: Path, covers: Path
) -> None:
    made = serve(tiny_artifact, SHAZAM_MAX_CONCURRENCY="1")
    rng = np.random.default_rng(0)

    def big() -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (900, 900, 3), dtype=np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    def send(body: bytes) -> httpx.Response:
        return httpx.post(f"{made.url}/api/search-by-image", files={"file": body}, timeout=30)

    try:
        bodies = [big() for _ in range(12)]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(send, bodies))
        codes = {answer.status_code for answer in answers}
        assert codes == {200, 503}
        for answer in answers:
            if answer.status_code == 503:
                is_error(answer, 503, "overloaded")
                assert int(answer.headers["retry-after"]) >= 1
        assert send(bodies[0]).status_code == 200
    finally:
        serve.end(made)  # type: ignore[attr-defined]


@pytest.mark.alone
def test_a_refusal_at_once_is_the_one_through_all_layers_and_keeps_the_connection(
    serve: Serve, tiny_artifact: Path, cover: bytes
) -> None:
    keys = {"SHAZAM_API_KEYS": "key", "SHAZAM_LOG_FORMAT": "json"}
    made = serve(tiny_artifact, SHAZAM_MAX_CONCURRENCY="1", **keys)
    unfinished = (
        b"POST /api/search-by-image HTTP/1.1\r\nHost: x\r\nX-API-Key: key\r\n"
        b"Content-Length: 9\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b"
    )
    files = {"file": cover + bytes(300_000)}
    own = {"x-api-key": "key", "x-request-id": "mine"}
    try:
        with (
            httpx.Client(base_url=made.url, timeout=30) as http,
            socket.create_connection(("127.0.0.1", made.port), timeout=10) as holder,
        ):
            assert http.post("/api/search-by-image", files=files, headers=own).status_code == 200
            holder.sendall(unfinished)
            # From a browser's page a request takes the long way, for its CORS headers.
            ways = [own, {**own, "origin": "https://elsewhere.example"}]
            deadline = time.monotonic() + 60
            # Three times: one refusal may be for the place of the question before.
            while any(http.get("/api/genres", headers=own).status_code == 200 for _ in range(3)):
                assert time.monotonic() < deadline, "the place is never taken"
            short, long = (
                http.post("/api/search-by-image", files=files, headers=way) for way in ways
            )
            is_error(short, 503, "overloaded")
            assert short.json() == long.json()
            for answer in (short, long):
                del answer.headers["date"]
                for name in ("vary", "access-control-expose-headers"):
                    answer.headers.pop(name, None)
            assert short.headers == long.headers
            assert short.headers["x-request-id"] == "mine"
            for path in ("/livez", "/readyz"):
                probed = [http.get(path), http.get(path, headers=ways[1])]
                assert probed[0].status_code == 200
                assert probed[0].content == probed[1].content
                assert set(probed[0].headers) <= set(probed[1].headers)
                assert http.head(path).content == b""
                is_error(http.post(path), 405, "method_not_allowed")
            for number in range(30):
                sent = {"x-api-key": "key" if number else "wrong"}
                refused = http.post("/api/search-by-image", files=files, headers=sent)
                is_error(
                    refused, 503 if number else 403, "overloaded" if number else "unauthorized"
                )
            holder.close()
            deadline = time.monotonic() + 60
            while http.post("/api/search-by-image", files=files, headers=own).status_code == 503:
                assert time.monotonic() < deadline, "the place is never free again"
            text = http.get("/metrics", headers=own).text
        counted = re.search(r"^shazam_requests_refused_total (\d+)", text, re.M)
        assert counted
        assert int(counted[1]) >= 32
        lines = [json.loads(line) for line in made.log.read_text().splitlines() if "{" in line]
        assert not [line for line in lines if line.get("status") == 503]
        told = [line for line in lines if "places are taken" in line["message"]]
        assert 1 <= len(told) < 10
    finally:
        serve.end(made)  # type: ignore[attr-defined]


def test_a_damaged_artifact_is_degraded_unready_and_heals_when_it_is_repaired(
    serve: Serve, tiny_artifact: Path, tmp_path: Path, cover: bytes
) -> None:
    import shutil

    folder = tmp_path / "artifact"
    shutil.copytree(tiny_artifact, folder)
    index = (folder / "index.faiss").read_bytes()
    (folder / "index.faiss").write_bytes(index[:-1] + bytes([index[-1] ^ 1]))
    made = serve(folder, wait=False)
    try:
        with httpx.Client(base_url=made.url, timeout=30) as http:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    answer = http.post("/api/search-by-image", files={"file": cover})
                    if answer.status_code == 503 and "index.faiss" in answer.text:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.2)
            is_error(answer, 503, "not_ready")
            health = http.get("/health")
            assert (health.status_code, health.json()["status"]) == (503, "degraded")
            is_error(http.get("/readyz"), 503, "not_ready")
            assert http.get("/livez").status_code == 200
            (folder / "index.faiss").write_bytes(index)
            while http.get("/readyz").status_code != 200 and time.monotonic() < deadline:
                time.sleep(0.2)
            found = http.post("/api/search-by-image", files={"file": cover}).json()
            assert found["results"][0]["album_id"] == 3
    finally:
        serve.end(made)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SHAZAM_MAX_BATCH", "lots"),
        ("SHAZAM_ARTIFACT", "nowhere/at-all"),
        ("SHAZAM_RUNTIME", "tpu"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(variable: str, value: str) -> None:
    import os
    import subprocess
    import sys

    run = subprocess.run(
        [sys.executable, "-m", "bentoml", "serve", "service:ShazamVisual", "--port", "0"],
        cwd=PROJECT,
        env={**os.environ, variable: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode != 0
    ours = [line for line in (run.stdout + run.stderr).splitlines() if variable in line]
    assert len(ours) == 1
    assert value in ours[0]
    assert "Example" in ours[0]
    assert "Traceback" not in run.stderr


# The encoder in a process of its own


def test_the_encoder_as_a_service_gives_the_same_answers(
    serve: Serve, tiny_artifact: Path, covers: Path, http: httpx.Client
) -> None:
    made = serve(tiny_artifact, SHAZAM_ENCODER_PROCESS="service")
    bodies = [(covers / f"cover-{n:02}.png").read_bytes() for n in range(30)]
    try:
        with httpx.Client(base_url=made.url, timeout=30) as other:

            def ask(body: bytes) -> list[dict[str, Any]]:
                answer = other.post("/api/search-by-image", files={"file": body})
                assert answer.status_code == 200, answer.text
                return answer.json()["results"]

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                together = list(pool.map(ask, bodies))
        for number, (body, rows) in enumerate(zip(bodies, together, strict=True)):
            assert rows[0]["album_id"] == number
            alone = http.post("/api/search-by-image", files={"file": body}).json()["results"]
            for one, row in zip(alone, rows, strict=True):
                assert one["similarity_score"] == pytest.approx(row["similarity_score"], abs=1e-3)
    finally:
        serve.end(made)  # type: ignore[attr-defined]


def test_sixty_four_clients_get_the_answers_they_would_get_alone(
    tiny: Server, http: httpx.Client, covers: Path
) -> None:
    """Pictures, texts and one damaged picture in ten, mixed across batches."""
    bodies = [(covers / f"cover-{n:02}.png").read_bytes() for n in range(30)]
    words = ["a red cover", "a blue guitar", "jazz", "moon on the stage"]
    alone: dict[Any, list[dict[str, Any]]] = {
        **{
            n: http.post("/api/search-by-image", files={"file": body}).json()["results"]
            for n, body in enumerate(bodies)
        },
        **{
            text: http.get("/api/search-by-text", params={"query": text}).json()["results"]
            for text in words
        },
    }

    def client(seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        wrong = []
        with httpx.Client(base_url=tiny.url, timeout=60) as mine:
            for _ in range(12):
                choice = rng.integers(10)
                key: Any
                if choice == 0:
                    files = {"file": bodies[0][:200]}
                    answer = mine.post("/api/search-by-image", files=files)
                    if answer.status_code != 415:
                        wrong.append(f"damaged: {answer.status_code}")
                    continue
                if choice < 5:
                    key = words[int(rng.integers(len(words)))]
                    answer = mine.get("/api/search-by-text", params={"query": key})
                else:
                    key = int(rng.integers(30))
                    # Bytes behind the picture's end make it another upload with the same pixels.
                    body = bodies[key] + rng.bytes(8)
                    answer = mine.post("/api/search-by-image", files={"file": body})
                if answer.status_code != 200:
                    wrong.append(f"{key}: {answer.status_code} {answer.text[:200]}")
                    continue
                for one, row in zip(alone[key], answer.json()["results"], strict=True):
                    if abs(one["similarity_score"] - row["similarity_score"]) > 1e-3:
                        wrong.append(f"{key}: {one} is not {row}")
        return wrong

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        wrong = [line for lines in pool.map(client, range(64)) for line in lines]
    assert wrong == []


def test_log_lines_are_json_and_nothing_of_a_request_is_logged_or_kept(
    serve: Serve, tiny_artifact: Path, cover: bytes, tmp_path: Path
) -> None:
    """Two megabytes, some of which could be told again, and a name; at the most talkative level."""
    secret = b"shown-to-nobody"
    made = serve(
        tiny_artifact,
        SHAZAM_LOG_FORMAT="json",
        SHAZAM_LOG_LEVEL="debug",
        TMPDIR=str(tmp_path / "tmp"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        BENTOML_HOME=str(tmp_path / "home"),
    )
    try:
        picture = ("shown-to-nobody.png", cover + secret * 140_000, "image/png")
        answer = httpx.post(f"{made.url}/api/search-by-image", files={"file": picture})
        assert answer.json()["results"][0]["album_id"] == 3
        damaged = ("shown-to-nobody.png", cover[:300] + secret * 100, "image/png")
        assert httpx.post(f"{made.url}/api/identify", files={"file": damaged}).status_code == 415
        words = {"query": secret.decode()}
        headers = {"X-API-Key": secret.decode()}
        httpx.get(f"{made.url}/api/search-by-text", params=words, headers=headers)
        httpx.get(f"{made.url}/{secret.decode()}")
        held = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert not [path for path in held if secret in path.read_bytes()]
    finally:
        serve.end(made)  # type: ignore[attr-defined]
    assert secret not in made.log.read_bytes()
    lines = [json.loads(line) for line in made.log.read_text().splitlines() if line[:1] == "{"]
    asked = [line for line in lines if line.get("route") == "/api/search-by-image"]
    assert len(asked) == 1
    assert set(asked[0]) >= {
        "timestamp",
        "level",
        "message",
        "request_id",
        "route",
        "status",
        "duration_ms",
    }


def test_a_caller_who_leaves_frees_its_place(serve: Serve, tiny_artifact: Path) -> None:
    made = serve(tiny_artifact, SHAZAM_MAX_CONCURRENCY="2")
    try:
        for _ in range(6):
            # The body never comes to an end, and then the caller is gone.
            with socket.create_connection(("127.0.0.1", made.port), timeout=10) as connection:
                connection.sendall(
                    b"POST /api/search-by-image HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
                    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
                )
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", made.port), timeout=10) as connection:
                connection.sendall(b"GET /api/search-by-text?query=red HTTP/1.1\r\nHost: x\r\n\r\n")
        text = httpx.get(f"{made.url}/api/search-by-text", params={"query": "red"}, timeout=10)
        assert text.status_code == 200
        # Nor does anything wait for them at the end.
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(15) == 0
    finally:
        serve.end(made)  # type: ignore[attr-defined]


def test_the_launching_process_imports_neither_routes_nor_index() -> None:
    code = (
        "import sys; sys.argv = ['bentoml', 'serve']\n"
        "import service\n"
        "heavy = {'fastapi', 'faiss', 'PIL', 'openvino', 'engine.covers.service.routes',"
        " 'engine.serving.app.site'}\n"
        "print([*heavy & set(sys.modules), *service.ShazamVisual.mount_apps])\n"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_start_is_told_in_parts(http: httpx.Client) -> None:
    page = http.get("/metrics").text
    found = dict(re.findall(r'^shazam_start_seconds\{.*part="([^"]+)".*\} (\S+)', page, re.M))
    parts = {"launcher", "imports", "digests", "index", "encoder", "warm-up", "load"}
    assert set(found) == parts
    assert all(0 < float(seconds) < 60 for seconds in found.values())
