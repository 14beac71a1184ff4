"""What clients really send, and what is said to what cannot be taken: over HTTP, on the starter."""

from __future__ import annotations

import base64
import gzip
import io
import json
import socket
import zlib
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import Server, draw_cover, is_error

JPEG_URI = "data:image/jpeg;base64,"


@pytest.fixture(scope="module")
def http(server: Server) -> Any:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def picture(http: httpx.Client) -> bytes:
    """Album 3's own cover, as the service gives it."""
    return http.get("/api/albums/3/cover").content


@pytest.fixture(scope="module")
def uri(picture: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(picture).decode()


def embed(http: httpx.Client, given: Any, **more: Any) -> np.ndarray:
    answer = http.post("/v1/embeddings", json={"model": "x", "input": given, **more})
    assert answer.status_code == 200, answer.text
    return np.array([row["embedding"] for row in answer.json()["data"]])


# OpenAI's embeddings


def test_words_and_pictures_of_one_request_are_each_embedded_by_their_own_kind(
    http: httpx.Client, uri: str
) -> None:
    words, picture = "a red album cover", uri
    mixed = embed(http, [words, picture, words])
    np.testing.assert_allclose(mixed[0], embed(http, words)[0], atol=1e-3)
    np.testing.assert_allclose(mixed[1], embed(http, picture, modality="image")[0], atol=1e-3)
    np.testing.assert_allclose(mixed[2], mixed[0], atol=1e-3)


def test_a_data_uri_is_a_picture_however_it_is_written(http: httpx.Client, picture: bytes) -> None:
    plain = base64.b64encode(picture).decode()
    expected = embed(http, JPEG_URI + plain)[0]
    wrapped = "\r\n".join(plain[i : i + 76] for i in range(0, len(plain), 76))
    for written in (
        "Data:image/jpeg;base64," + plain,
        "DATA:IMAGE/JPEG;BASE64," + plain,
        f" \n{JPEG_URI}{plain}\n",
        f"\ufeff\u200b{JPEG_URI}{plain}\u2060",
        JPEG_URI + wrapped,
        JPEG_URI + plain.replace("+", "-").replace("/", "_"),
        JPEG_URI + plain.rstrip("="),
        JPEG_URI + plain.replace("+", "%2B"),
    ):
        np.testing.assert_allclose(embed(http, written)[0], expected, atol=1e-3)


def test_what_may_be_words_or_a_picture_is_refused(http: httpx.Client, picture: bytes) -> None:
    bare = base64.b64encode(picture).decode()
    for given in (
        bare,
        ["jazz", "\n".join(bare[i : i + 76] for i in range(0, len(bare), 76))],
        "https://example.org/cover.jpg",
        ["jazz", "HTTP://example.org/cover.jpg"],
        "data:image/jpeg",
        "data: the band",
    ):
        answer = http.post("/v1/embeddings", json={"input": given})
        error = is_error(answer, 400, "invalid_request")
        assert "data:image/jpeg;base64," in error["message"]
    said = {"input": "https://example.org/cover.jpg", "modality": "text"}
    assert http.post("/v1/embeddings", json=said).status_code == 200
    words = "AbbeyRoad" * 20  # long, and of base64's letters, but no picture
    assert len(embed(http, words)) == 1
    for modality, given in (("text", JPEG_URI + bare), ("image", "jazz"), ("image", bare)):
        answer = http.post("/v1/embeddings", json={"input": given, "modality": modality})
        is_error(answer, 400, "invalid_request")


def test_null_is_as_if_it_were_left_out(http: httpx.Client) -> None:
    left = {"model": None, "encoding_format": None, "dimensions": None, "modality": None}
    np.testing.assert_allclose(embed(http, "jazz", **left), embed(http, "jazz"), atol=1e-3)


def test_token_ids_are_refused_with_the_setting_to_change(http: httpx.Client) -> None:
    for given in ([1, 2, 3], [[1, 2], [3]]):
        answer = http.post("/v1/embeddings", json={"input": given})
        assert (
            "check_embedding_ctx_length=False"
            in is_error(answer, 400, "invalid_request")["message"]
        )


def test_as_many_inputs_are_taken_as_openai_takes(http: httpx.Client) -> None:
    rows = embed(http, [f"cover {n % 7}" for n in range(2048)])
    assert len(rows) == 2048
    np.testing.assert_allclose(rows[2044], rows[0], atol=1e-3)
    is_error(http.post("/v1/embeddings", json={"input": ["x"] * 2049}), 400, "invalid_request")


def test_models_are_listed_as_openai_does(server: Server, http: httpx.Client) -> None:
    import openai

    listed = http.get("/v1/models").json()
    name = http.get("/health").json()["encoder"]
    assert (listed["object"], [model["id"] for model in listed["data"]]) == ("list", [name])
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    assert [model.id for model in client.models.list()] == [name]


# Words


def test_words_that_show_nothing_are_blank(http: httpx.Client) -> None:
    for words in ("\u200b\u200d", "\x00", "\ufeff \u2060", "\u3164", "\u202e\x00 ", "\ufe0f"):
        is_error(http.get("/api/search-by-text", params={"query": words}), 400, "invalid_request")
        is_error(http.post("/api/search", data={"query": words}), 400, "invalid_request")
        is_error(http.post("/v1/embeddings", json={"input": words}), 400, "invalid_request")


def test_the_name_of_a_special_token_is_ordinary_text(http: httpx.Client) -> None:
    """As a token it would end the query: what follows would not be read."""
    rows = embed(http, ["red<|endoftext|>guitar", "red<|endoftext|>moon", "red"])
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
    assert np.abs(rows[0] - rows[2]).max() > 1e-3


# Query strings


def test_unknown_parameters_are_refused_by_name(http: httpx.Client, picture: bytes) -> None:
    error = is_error(http.get("/api/search-by-text?q=red"), 400, "invalid_request")
    assert "'q'" in error["message"]
    assert "query" in error["message"]
    for method, path in (
        ("GET", "/api/albums?page=2"),
        ("GET", "/api/albums/3?k=2"),
        ("GET", "/api/albums/3/similar?kk=2"),
        ("GET", "/api/albums/3/cover?size=9"),
        ("GET", "/api/genres?limit=1"),
        ("POST", "/api/search?top=3"),
        ("POST", "/api/search-by-image?minscore=1"),
        ("POST", "/search_by_image?minscore=1"),
        ("POST", "/api/identify?all=true"),
        ("POST", "/v1/embeddings?dimension=3"),
    ):
        name = path.partition("?")[2].partition("=")[0]
        error = is_error(http.request(method, path), 400, "invalid_request")
        assert repr(name) in error["message"]
    for path in ("/?fbclid=x", "/docs?utm_source=x", "/livez?t=1", "/health?t=1"):
        assert http.get(path).status_code == 200
    form = {"files": {"file": picture}}
    for path in ("/api/search-by-image?k=2&genre_id=1&min_score=0", "/api/identify?many=false"):
        assert http.post(path, **form).status_code == 200
    mixed = "/api/search?query=red&negative=blue&image_weight=0.4&k=2"
    assert http.post(mixed, **form).status_code == 200


def test_words_in_latin_1_are_read(http: httpx.Client) -> None:
    answer = http.get("/api/search-by-text?k=1&query=r%F6d")
    assert answer.json()["query"] == "röd"


def test_a_missing_field_is_named(http: httpx.Client) -> None:
    error = is_error(http.get("/api/search-by-text"), 400, "invalid_request")
    assert "'query'" in error["message"]


def test_a_blank_parameter_is_absent_everywhere(http: httpx.Client) -> None:
    for path in (
        "/api/search-by-text?query=red&genre_id=&k=&min_score=",
        "/api/albums?genre_id=&limit=&offset=%20",
        "/api/albums/3/similar?k=&genre_id=",
    ):
        assert http.get(path).status_code == 200, path
    blank = {"query": "red", "genre_id": "", "k": " ", "min_score": ""}
    assert http.post("/api/search?genre_id=", data=blank).status_code == 200


def test_letters_that_were_typed_into_an_address_are_read(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for query in ("café", "日本"):
            line = f"GET /api/search-by-text?k=1&query={query} HTTP/1.1\r\nHost: x\r\n\r\n"
            connection.sendall(line.encode())
            head, _, body = _answer(connection)
            assert head.startswith(b"HTTP/1.1 200")
            assert json.loads(body)["query"] == query


def _answer(connection: socket.socket) -> tuple[bytes, bytes, bytes]:
    data = b""
    while True:
        data += connection.recv(65536)
        head, end, body = data.partition(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        if end and len(body) >= int(length[0].partition(b":")[2]):
            return head, end, body


# Bodies


def first(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    return answer.json()["results"][0]["album_id"]


def part(body: bytes, disposition: bytes, *, before: bytes = b"") -> dict[str, Any]:
    content = before + b"--b\r\nContent-Disposition: form-data; " + disposition
    content += b"\r\n\r\n" + body + b"\r\n--b--\r\n"
    return {"content": content, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}


def test_a_body_that_is_a_picture_is_taken(http: httpx.Client, picture: bytes) -> None:
    for kind in ("application/x-www-form-urlencoded", "image/webp", "application/octet-stream"):
        sent = {"content": picture, "headers": {"Content-Type": kind}}
        assert first(http.post("/api/search-by-image?k=1", **sent)) == 3
        assert http.post("/api/identify", **sent).status_code == 200
    not_one = {"content": b"%PDF-1.7", "headers": {"Content-Type": "image/jpeg"}}
    is_error(http.post("/api/search-by-image", **not_one), 415, "unreadable_image")
    text = {"content": b"&".join([b"a=b"] * 100), "headers": {"Content-Type": kind}}
    text["headers"] = {"Content-Type": "application/x-www-form-urlencoded"}
    error = is_error(http.post("/api/search-by-image", **text), 400, "invalid_request")
    assert "curl -F file=@photo.jpg" in error["message"]
    large = {"content": picture + bytes(10 << 20), "headers": {"Content-Type": "image/webp"}}
    is_error(http.post("/api/search-by-image", **large), 413, "image_too_large")


def avif() -> bytes:
    buffer = io.BytesIO()
    draw_cover(1).save(buffer, "AVIF")
    return buffer.getvalue()


def test_pictures_of_every_kind_are_known_by_their_bytes(http: httpx.Client) -> None:
    data = avif()
    declared = {"Content-Type": "application/x-www-form-urlencoded"}
    first(http.post("/api/search-by-image?k=1", content=data, headers=declared))
    first(http.post("/api/search-by-image?k=1", **part(data, b'name="file"')))
    bare = {"model": "x", "input": base64.b64encode(data).decode()}
    error = is_error(http.post("/v1/embeddings", json=bare), 400, "invalid_request")
    assert "without its head" in error["message"]


def test_words_around_a_picture_are_not_embedded_with_it(http: httpx.Client, uri: str) -> None:
    for written in (f"what is this: {uri}", f'"{uri}"', uri.replace("data:", "data :")):
        sent = {"model": "x", "input": ["jazz", written]}
        error = is_error(http.post("/v1/embeddings", json=sent), 400, "invalid_request")
        assert "'input[1]'" in error["message"]


def test_a_form_declared_of_another_kind_is_told_what_to_send(
    http: httpx.Client, picture: bytes
) -> None:
    sent = part(picture, b'name="file"')
    sent["headers"] = {"Content-Type": "application/x-www-form-urlencoded"}
    error = is_error(http.post("/api/search-by-image", **sent), 400, "invalid_request")
    assert "Send multipart/form-data" in error["message"]


@pytest.mark.parametrize("body", ["query=röd".encode(), "query=röd".encode("latin-1")])
def test_words_of_a_form_are_read_unescaped(http: httpx.Client, body: bytes) -> None:
    for written in (body, body.replace(b"\xc3\xb6", b"%C3%B6").replace(b"\xf6", b"%F6")):
        declared = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = http.post("/api/search?k=1", content=written, headers=declared)
        assert answer.json()["query"] == "röd"


def test_fields_that_a_form_does_not_know_are_refused_by_name(
    http: httpx.Client, picture: bytes
) -> None:
    error = is_error(http.post("/api/search", json={"q": "red"}), 400, "invalid_request")
    assert "'q'" in error["message"]
    for path in ("/api/search", "/api/search-by-image", "/api/identify"):
        sent = {"files": {"file": picture}, "data": {"top_k": "3"}}
        error = is_error(http.post(path, **sent), 400, "invalid_request")
        assert "'top_k'" in error["message"]


def test_a_part_is_a_file_whatever_name_it_was_given(http: httpx.Client, picture: bytes) -> None:
    for disposition in (
        b'name="file"',
        b"name=file",
        b"name=\"file\"; filename*=UTF-8''cov%C3%A9r.webp",
        b'name="file"; filename=""',
    ):
        assert first(http.post("/api/search-by-image?k=1", **part(picture, disposition))) == 3
    text = http.post("/api/search-by-image", **part(b"/etc/passwd", b'name="file"'))
    assert "text, not a file" in is_error(text, 400, "invalid_request")["message"]


def test_an_empty_file_input_is_absent(http: httpx.Client) -> None:
    words = b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\nred\r\n'
    for disposition in (b'name="file"; filename=""', b'name="file"'):
        answer = http.post("/api/search", **part(b"", disposition, before=words))
        assert (answer.status_code, answer.json()["query_type"]) == (200, "text")
        missing = http.post("/api/search-by-image", **part(b"", disposition))
        assert "'file' is missing" in is_error(missing, 400, "invalid_request")["message"]
    named = http.post("/api/search", files={"file": b""}, data={"query": "red"})
    is_error(named, 400, "invalid_request")


def test_a_forms_preamble_is_passed_over(http: httpx.Client, picture: bytes) -> None:
    for before in (b"This is a message of several parts.\r\n", b"\r\n", b"x --b \r\n"):
        sent = part(picture, b'name="file"; filename="x"', before=before)
        assert first(http.post("/api/search-by-image?k=1", **sent)) == 3
    endless = part(picture, b'name="file"; filename="x"', before=b"x" * 1_000_000 + b"\r\n")
    is_error(http.post("/api/search-by-image", **endless), 400, "invalid_request")


def test_a_compressed_body_is_inflated_as_far_as_one_may_be_large(
    http: httpx.Client, picture: bytes
) -> None:
    form = part(picture, b'name="file"; filename="x"')

    def post(content: bytes, encoding: str) -> httpx.Response:
        headers = {**form["headers"], "Content-Encoding": encoding}
        return http.post("/api/search-by-image?k=1", content=content, headers=headers)

    whole = gzip.compress(form["content"])
    half = len(form["content"]) // 2
    two = gzip.compress(form["content"][:half]) + gzip.compress(form["content"][half:])
    for content, encoding in (
        (whole, "gzip"),
        (two, "GZIP"),
        (zlib.compress(form["content"]), "deflate"),
        (form["content"], "identity"),
    ):
        assert first(post(content, encoding)) == 3
    bomb = gzip.compress(form["content"][:-9] + bytes(1 << 30), 1)
    assert len(bomb) < 5 << 20
    is_error(post(bomb, "gzip"), 413, "image_too_large")
    for content, encoding in ((whole[:-20], "gzip"), (form["content"], "gzip"), (whole, "br")):
        is_error(post(content, encoding), 400, "invalid_request")
    asked = gzip.compress(json.dumps({"input": "jazz"}).encode())
    answer = http.post("/v1/embeddings", content=asked, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200


# Answers


def test_a_refused_preflight_has_the_one_error_shape(http: httpx.Client) -> None:
    asked = {"Access-Control-Request-Method": "POST"}
    origin = {"Origin": "https://elsewhere.example"}
    answer = http.options("/api/search-by-image", headers={**origin, **asked})
    error = is_error(answer, 400, "invalid_request")
    assert "SHAZAM_ALLOWED_ORIGINS" in error["message"]
    assert "access-control-allow-origin" not in answer.headers


def test_a_thumbnails_version_is_compared_as_http_says(http: httpx.Client) -> None:
    def status(tag: str) -> int:
        return http.get("/api/albums/3/cover", headers={"If-None-Match": tag}).status_code

    etag = http.get("/api/albums/3/cover").headers["etag"]
    for same in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        assert status(same) == 304
    for other in ('"other"', f'"x{etag[1:]}', etag.strip('"'), f"x{etag}"):
        assert status(other) == 200
