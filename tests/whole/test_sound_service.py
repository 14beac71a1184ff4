"""The HTTP contract of sound, from outside: alone, and beside covers on one port."""

from __future__ import annotations

import concurrent.futures
import io
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import PROJECT, Serve, Server, is_error, wait_until_ready
from PIL import Image
from tracks import ADDRESS, ELSEWHERE, KEPT_BACK, RATE, SECONDS, TRACKS, tune

from engine.sound.audio import encode

TRACK = {
    "track_id",
    "title",
    "artist",
    "album",
    "album_id",
    "year",
    "genre",
    "duration_s",
    "bpm",
    "key",
    "licence",
    "audio_url",
    "waveform_url",
}
ROUTES = {
    "/api/identify-sound",
    "/api/search-by-sound",
    "/api/tracks",
    "/api/tracks/{track_id}",
    "/api/tracks/{track_id}/similar",
    "/api/tracks/{track_id}/audio",
    "/api/tracks/{track_id}/waveform",
}
MAX_UPLOAD, MAX_S = 3_000_000, 90


@pytest.fixture(scope="module")
def alone(serve: Serve, tiny_sound: Path) -> Server:
    return serve(
        target="service:ShazamSound",
        SHAZAM_SOUND_ARTIFACT=str(tiny_sound),
        SHAZAM_MAX_UPLOAD_BYTES=str(MAX_UPLOAD),
        SHAZAM_MAX_AUDIO_S=str(MAX_S),
    )


@pytest.fixture(scope="module")
def http(alone: Server) -> Any:
    with httpx.Client(base_url=alone.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def clip() -> bytes:
    """Track 2 from second 3.2 on, six seconds of it, as Chrome's recorder writes it."""
    part = tune(2)[round(3.2 * RATE) : round(9.2 * RATE)]
    return encode(part, RATE, "webm", "libopus", kbit=32)


def as_wav(samples: Any) -> bytes:
    return encode(samples, RATE, "wav", "pcm_s16le")


def post(http: httpx.Client, path: str, body: bytes, **options: Any) -> httpx.Response:
    return http.post(path, files={"file": ("clip.webm", body, "audio/webm")}, **options)


# Which track is it?


def test_a_clip_is_identified_with_its_place(http: httpx.Client, clip: bytes) -> None:
    answer = post(http, "/api/identify-sound", clip)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"decision", "confidence", "track", "evidence", "candidates"}
    assert (body["decision"], body["track"]["track_id"]) == ("match", 2)
    assert set(body["track"]) == TRACK
    assert set(body["evidence"]) == {"offset_s", "votes", "clip_s", "speed"}
    assert body["evidence"]["offset_s"] == pytest.approx(3.2, abs=0.1)
    assert body["evidence"]["clip_s"] == pytest.approx(6, abs=0.1)
    assert body["evidence"]["speed"] == pytest.approx(1, abs=0.01)
    assert 0.5 < body["confidence"] <= 1
    assert body["candidates"][0]["track_id"] == 2
    assert answer.headers["x-artifact"] not in ("", "none")


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("mp4", "aac", 16_000), ("ogg", "libopus", 16_000), ("mp3", "libmp3lame", 16_000),
     ("flac", "flac", 16_000), ("amr", "libopencore_amrnb", 8_000)],
)  # fmt: skip
def test_what_phones_and_messengers_send_is_heard(
    http: httpx.Client, container: str, codec: str, rate: int
) -> None:
    body = encode(tune(1, rate=rate)[: 8 * rate], rate, container, codec)
    assert post(http, "/api/identify-sound", body).json()["track"]["track_id"] == 1


def test_a_body_that_is_the_recording_needs_no_form(http: httpx.Client, clip: bytes) -> None:
    answer = http.post(
        "/api/identify-sound", content=clip, headers={"Content-Type": "audio/webm;codecs=opus"}
    )
    assert answer.json()["track"]["track_id"] == 2


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (tune(2)[: 2 * RATE], "too_short"),
        (np.zeros(6 * RATE, np.float32), "too_quiet"),
        (np.random.default_rng(0).uniform(-0.5, 0.5, 6 * RATE).astype("f4"), "no_agreement"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_match_says_why(http: httpx.Client, samples: Any, reason: str) -> None:
    body = post(http, "/api/identify-sound", as_wav(samples)).json()
    assert (body["decision"], body["reason"], body["track"]) == ("no_match", reason, None)
    assert body["evidence"] is None
    assert 0 <= body["confidence"] <= 1


def test_of_a_long_recording_the_first_minute_is_listened_to(http: httpx.Client) -> None:
    silence = np.zeros(62 * RATE, np.float32)
    late = encode(np.concatenate([silence, tune(2)]), RATE, "ogg", "libopus", kbit=24)
    assert post(http, "/api/identify-sound", late).json()["reason"] == "too_quiet"


# What sounds like it?


def test_tracks_that_sound_like_a_recording_come_best_first(
    http: httpx.Client, clip: bytes
) -> None:
    answer = post(http, "/api/search-by-sound?k=3", clip)
    body = answer.json()
    assert set(body) == {"success", "query_type", "artifact", "results"}
    assert (body["success"], body["query_type"]) == (True, "sound")
    assert body["artifact"] == answer.headers["x-artifact"]
    assert set(body["results"][0]) == {*TRACK, "similarity_score"}
    scores = [row["similarity_score"] for row in body["results"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_k_genre_and_score_restrict_a_search_and_may_be_in_the_form(
    http: httpx.Client, clip: bytes
) -> None:
    rows = post(http, "/api/search-by-sound", clip, data={"k": "9", "genre": "folk"}).json()
    assert {row["genre"] for row in rows["results"]} == {"folk"}
    assert len(rows["results"]) == TRACKS // 2
    none = post(http, "/api/search-by-sound?genre=polka", clip).json()
    assert none["results"] == []
    best = post(http, "/api/search-by-sound?k=100", clip).json()["results"]
    assert len(best) == TRACKS
    least = best[1]["similarity_score"]
    kept = post(http, f"/api/search-by-sound?min_score={least}", clip).json()["results"]
    assert [row["track_id"] for row in kept] == [row["track_id"] for row in best[:2]]


def test_neighbours_leave_the_track_itself_out_and_say_why(http: httpx.Client) -> None:
    body = http.get("/api/tracks/3/similar", params={"k": 4}).json()
    assert (body["query_type"], len(body["results"])) == ("track", 4)
    assert 3 not in [row["track_id"] for row in body["results"]]
    assert set(body["results"][0]) == {*TRACK, "similarity_score", "because"}
    assert all(row["because"] for row in body["results"])
    french = http.get("/api/tracks/3/similar", headers={"Accept-Language": "fr"}).json()
    assert "ré mineur" in french["results"][0]["because"]
    folk = http.get("/api/tracks/3/similar", params={"genre": "folk"}).json()["results"]
    assert sorted(row["track_id"] for row in folk) == [1, 5]


def test_an_encoder_without_words_says_so(http: httpx.Client) -> None:
    answer = http.get("/api/search-by-text", params={"query": "a sad piano"})
    assert "knows sounds and no words" in is_error(answer, 400, "invalid_request")["message"]
    for blank in ("", " ", "\u200b"):
        answer = http.get("/api/search-by-text", params={"query": blank})
        assert "no words" not in is_error(answer, 400, "invalid_request")["message"]


# Words, where an encoder knows them


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of the same tracks by a CLAP of random weights."""
    from sound_encoders import write_clap
    from tracks import write_tracks

    from engine.sound.making.build import build

    folder, out = tmp_path_factory.mktemp("tracks"), tmp_path_factory.mktemp("clap") / "sound"
    clap = write_clap(tmp_path_factory.mktemp("weights") / "tiny-clap")
    build(folder, out, metadata=write_tracks(folder), encoder=f"clap:{clap}")
    return out


def test_words_find_tracks_beside_albums(serve: Serve, tiny_artifact: Path, worded: Path) -> None:
    from engine.sound.search import SoundSearch, Wanted

    wanted = SoundSearch.open(worded, threads=1).by_text("a calm piano", Wanted(k=3))
    made = serve(tiny_artifact, SHAZAM_SOUND_ARTIFACT=str(worded))
    try:
        wait_until_ready(made, "/health/ready")
        with httpx.Client(base_url=made.url, timeout=30) as http:

            def ask(**more: str) -> Any:
                asked = {"query": "a calm piano", "k": "3", **more}
                answer = http.get("/api/search-by-text", params=asked)
                assert answer.status_code == 200, answer.text
                return answer.json()

            body = ask()
            assert (len(body["results"]), "album_id" in body["results"][0]) == (3, True)
            assert set(body["tracks"][0]) == {*TRACK, "similarity_score"}
            assert [(row["track_id"], row["similarity_score"]) for row in body["tracks"]] == [
                (hit.track.track_id, pytest.approx(hit.similarity, abs=1e-4)) for hit in wanted
            ]
            assert len(ask(min_score=str(body["tracks"][1]["similarity_score"]))["tracks"]) == 2
            assert "tracks" not in ask(genre_id="1")
            assert ask(query="a calm piano " * 400)["tracks"]
    finally:
        serve.end(made)  # type: ignore[attr-defined]


# The tracks themselves


def test_the_catalogue_is_paged_and_filtered(http: httpx.Client) -> None:
    page = http.get("/api/tracks", params={"offset": 4, "limit": 10}).json()
    assert (page["total"], [row["track_id"] for row in page["tracks"]]) == (TRACKS, [4, 5])
    jazz = http.get("/api/tracks", params={"genre": "jazz", "limit": 1}).json()
    assert (jazz["total"], [row["track_id"] for row in jazz["tracks"]]) == (3, [0])
    named = http.get("/api/tracks", params={"q": "tune 4"}).json()
    assert [row["track_id"] for row in named["tracks"]][:1] == [4]
    album = http.get("/api/tracks", params={"q": "album 1"}).json()
    assert {2, 3} <= {row["track_id"] for row in album["tracks"]}
    of_cover = http.get("/api/tracks", params={"album_id": 12}).json()
    assert (of_cover["total"], [row["track_id"] for row in of_cover["tracks"]]) == (2, [4, 5])


def test_a_track_is_told_whole(http: httpx.Client) -> None:
    assert http.get("/api/tracks/2").json() == {
        "track_id": 2,
        "title": "Tune 2",
        "artist": "Artist 0",
        "album": "Album 1",
        "album_id": 11,
        "year": 1992,
        "genre": "jazz",
        "duration_s": pytest.approx(SECONDS, abs=0.05),
        "bpm": 92,
        "key": "D minor",
        "licence": "CC0-1.0",
        "audio_url": "/api/tracks/2/audio",
        "waveform_url": "/api/tracks/2/waveform",
    }
    assert http.get(f"/api/tracks/{KEPT_BACK}").json()["audio_url"] is None


def test_audio_is_whole_or_a_part_and_cacheable(http: httpx.Client) -> None:
    whole = http.get("/api/tracks/2/audio")
    size = len(whole.content)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    assert whole.headers["content-type"] == "audio/ogg"
    assert whole.content[:4] == b"OggS"
    assert "max-age" in whole.headers["cache-control"]
    part = http.get("/api/tracks/2/audio", headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{size}"
    etag = whole.headers["etag"]
    again = http.get("/api/tracks/2/audio", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert http.get("/api/tracks/2/audio", headers=other).status_code == 200
    head = http.head("/api/tracks/2/audio", headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(size)
    behind = http.get("/api/tracks/2/audio", headers={"Range": f"bytes={size}-"})
    is_error(behind, 416, "range_not_satisfiable")
    assert behind.headers["content-range"] == f"bytes */{size}"


def test_audio_that_is_elsewhere_is_told_where(http: httpx.Client) -> None:
    answer = http.get(f"/api/tracks/{ELSEWHERE}/audio", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, ADDRESS)


def test_a_waveform_has_as_many_points_as_asked_for(http: httpx.Client) -> None:
    body = http.get("/api/tracks/2/waveform", params={"points": 64}).json()
    assert body["duration_s"] == pytest.approx(SECONDS, abs=0.05)
    peaks = np.array(body["peaks"])
    assert peaks.shape == (64, 2)
    assert (peaks[:, 0] <= peaks[:, 1]).all()
    assert 0.5 < np.abs(peaks).max() <= 1
    assert len(http.get("/api/tracks/2/waveform?points=4096").json()["peaks"]) == 4096


def test_a_waveform_is_drawn(http: httpx.Client) -> None:
    png = http.get("/api/tracks/2/waveform?format=png")
    assert png.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(png.content)).format == "PNG"
    svg = http.get("/api/tracks/2/waveform?format=svg&points=100")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.text.startswith("<svg")
    assert "Tune 2" in svg.text
    kept = http.get("/api/tracks/2/waveform", headers={"If-None-Match": svg.headers["etag"]})
    assert kept.status_code == 200, "another drawing is another version"
    same = {"If-None-Match": png.headers["etag"]}
    assert http.get("/api/tracks/2/waveform?format=png", headers=same).status_code == 304


def test_the_older_service_s_names_answer_the_same(http: httpx.Client) -> None:
    assert http.get("/health/ready").json() == {"status": "ready"}
    for old, new in {
        "/tracks?limit=2": "/api/tracks?limit=2",
        "/recommend/3?k=2": "/api/tracks/3/similar?k=2",
        "/audio/2": "/api/tracks/2/audio",
        "/waveform/2?points=16": "/api/tracks/2/waveform?points=16",
    }.items():
        assert http.get(old).content == http.get(new).content, old


# Refusals


def test_each_refusal_has_its_code(http: httpx.Client, clip: bytes) -> None:
    for path in ("/api/identify-sound", "/api/search-by-sound"):
        is_error(http.post(path), 400, "invalid_request")
        is_error(http.post(path, files={"sound": clip}), 400, "invalid_request")
        is_error(http.post(path, data={"file": "clip.webm"}), 400, "invalid_request")
        is_error(post(http, path, b""), 400, "invalid_request")
        is_error(post(http, f"{path}?what=1", clip), 400, "invalid_request")
        is_error(post(http, path, b"%PDF-1.7 and so on"), 415, "unreadable_audio")
        is_error(post(http, path, b"RIFF" + bytes(99)), 415, "unreadable_audio")
        short = as_wav(tune(1)[: RATE // 2])
        is_error(post(http, path, short), 422, "audio_too_short")
        is_error(post(http, path, bytes(MAX_UPLOAD + 1)), 413, "audio_too_long")
        long = encode(np.zeros((MAX_S + 5) * RATE, "f4"), RATE, "ogg", "libopus", kbit=6)
        is_error(post(http, path, long), 413, "audio_too_long")
        is_error(http.get(path), 405, "method_not_allowed")
    is_error(post(http, "/api/search-by-sound?k=0", clip), 400, "invalid_request")
    is_error(post(http, "/api/search-by-sound?min_score=2", clip), 400, "invalid_request")
    short = as_wav(tune(1)[: 2 * RATE])
    is_error(post(http, "/api/search-by-sound", short), 422, "audio_too_short")


def test_tracks_that_are_like_silence_are_not_looked_for(http: httpx.Client) -> None:
    quiet = 1e-5 * np.sin(np.arange(6 * RATE, dtype=np.float32))
    for silent in (np.zeros(6 * RATE, np.float32), quiet):
        answer = post(http, "/api/search-by-sound", as_wav(silent))
        assert "microphone" in is_error(answer, 422, "audio_too_quiet")["message"]
    faint = as_wav(0.01 * tune(1)[: 5 * RATE])
    assert post(http, "/api/search-by-sound", faint).status_code == 200


def test_a_parameter_that_comes_twice_is_refused_wherever_it_comes(
    http: httpx.Client, clip: bytes
) -> None:
    answers = [
        http.get("/api/tracks?limit=3&limit=5"),
        http.get("/api/tracks/2/similar?k=3&k=3"),
        http.get("/api/tracks/2/waveform?points=16&points=32"),
        post(http, "/api/search-by-sound?k=3&k=5", clip),
        post(http, "/api/search-by-sound", clip, data={"k": ["3", "5"]}),
    ]
    for answer in answers:
        assert "came 2 times" in is_error(answer, 400, "invalid_request")["message"]
    # A blank one is none, and the query string wins over the form.
    assert http.get("/api/tracks?limit=&limit=5").status_code == 200
    both = post(http, "/api/search-by-sound?k=1", clip, data={"k": "3"})
    assert len(both.json()["results"]) == 1


def test_a_genre_is_as_long_everywhere(http: httpx.Client, clip: bytes) -> None:
    for letters, status in ((200, 200), (201, 400)):
        genre = {"genre": "x" * letters}
        for answer in (
            http.get("/api/tracks", params=genre),
            http.get("/api/tracks/2/similar", params=genre),
            post(http, "/api/search-by-sound", clip, params=genre),
            post(http, "/api/search-by-sound", clip, data=genre),
        ):
            assert answer.status_code == status, answer.text


def test_each_refusal_about_a_track_has_its_code(http: httpx.Client) -> None:
    for path in ("", "/similar", "/audio", "/waveform"):
        is_error(http.get(f"/api/tracks/999{path}"), 404, "track_not_found")
        is_error(http.get(f"/api/tracks/one{path}"), 400, "invalid_request")
        is_error(http.get(f"/api/tracks/{2**80}{path}"), 400, "invalid_request")
        for other in ("1.0", "+1", "%201", "1_0", "1e0"):
            is_error(http.get(f"/api/tracks/{other}{path}"), 400, "invalid_request")
    is_error(http.get(f"/api/tracks/{KEPT_BACK}/audio"), 403, "audio_not_shared")
    for query in ("points=15", "points=4097", "points=x", "format=gif", "colour=red"):
        is_error(http.get(f"/api/tracks/2/waveform?{query}"), 400, "invalid_request")
    for query in ("limit=0", "limit=1001", "offset=-1", "page=2"):
        is_error(http.get(f"/api/tracks?{query}"), 400, "invalid_request")


def test_refusals_are_in_the_callers_language(http: httpx.Client, clip: bytes) -> None:
    french = {"Accept-Language": "fr"}
    answers = [
        http.get("/api/tracks/999", headers=french),
        http.get(f"/api/tracks/{KEPT_BACK}/audio", headers=french),
        http.get("/api/tracks/2/audio", headers={**french, "Range": "bytes=99999999-"}),
        post(http, "/api/identify-sound", b"%PDF-1.7", headers=french),
        post(http, "/api/identify-sound", bytes(MAX_UPLOAD + 1), headers=french),
        post(http, "/api/identify-sound", as_wav(tune(1)[: RATE // 2]), headers=french),
        http.post("/api/identify-sound", headers=french),
    ]
    for answer in answers:
        assert answer.headers["content-language"] == "fr", answer.text
        message = answer.json()["error"]["message"]
        assert re.search(r"\b(une?|le|la|est|les|de|des|du|pas|il)\b", message, re.I), message


# The service itself


def test_a_service_of_sound_alone_is_one_of_its_own(http: httpx.Client, tiny_sound: Path) -> None:
    body = http.get("/health").json()
    assert set(body) == {"status", "artifact", "encoder", "sound"}
    assert body["status"] == "healthy"
    assert body["sound"] == {
        "total_tracks": TRACKS,
        "artifact": body["artifact"],
        "encoder": body["encoder"],
    }
    assert http.get("/readyz").status_code == http.get("/livez").status_code == 200
    assert set(http.get("/openapi.json").json()["paths"]) == {
        *ROUTES, "/", "/docs", "/health", "/livez", "/readyz", "/metrics",
    }  # fmt: skip
    endpoints = http.get("/").json()["endpoints"]
    assert endpoints["identify_sound"] == "/api/identify-sound"
    is_error(http.get("/api/albums"), 404, "not_found")
    page = http.get("/?track=2", headers={"Accept": "text/html"})
    assert "<title>Tune 2 · Shazam Visual</title>" in page.text
    figures = http.get("/metrics").text
    assert 'shazam_ready{capability="sound"} 1.0' in figures
    assert re.search(r"^shazam_artifact_tracks\{.*\} 6.0$", figures, re.M)


def test_bentomls_own_client_hears(alone: Server, clip: bytes, tmp_path: Path) -> None:
    import bentoml

    file = tmp_path / "clip.webm"
    file.write_bytes(clip)
    with bentoml.SyncHTTPClient(alone.url) as client:
        assert client.identify_sound(file=file)["track"]["track_id"] == 2
        assert len(client.search_by_sound(file=file, k=2)["results"]) == 2


def test_sixteen_callers_get_the_answers_they_would_get_alone(
    alone: Server, http: httpx.Client
) -> None:
    clips = [as_wav(tune(n)[2 * RATE : 7 * RATE]) for n in range(TRACKS)]
    alike = [post(http, "/api/search-by-sound?k=2", one).json()["results"] for one in clips]

    def ask(number: int) -> bool:
        one = number % TRACKS
        with httpx.Client(base_url=alone.url, timeout=60) as mine:
            if number % 4 == 3:
                broken = post(mine, "/api/identify-sound", clips[one][:30])
                return broken.status_code == 415
            if number % 2:
                return (
                    post(mine, "/api/search-by-sound?k=2", clips[one]).json()["results"]
                    == (alike[one])
                )
            found = post(mine, "/api/identify-sound", clips[one]).json()
            return found["track"] is not None and found["track"]["track_id"] == one

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(32)))


def test_nothing_of_covers_is_loaded_by_sound_alone(alone: Server) -> None:
    import psutil

    (worker,) = [
        process
        for process in psutil.Process(alone.process.pid).children()
        if "service:ShazamSound" in process.cmdline()
    ]
    files = {Path(mapped.path).name for mapped in worker.memory_maps()}
    assert any(name.startswith("libopenvino") for name in files)
    assert not [name for name in files if name.startswith("cv2")]


# Beside covers


@pytest.fixture(scope="module")
def joint(serve: Serve, tiny_artifact: Path, tiny_sound: Path) -> Server:
    made = serve(tiny_artifact, SHAZAM_SOUND_ARTIFACT=str(tiny_sound))
    wait_until_ready(made, "/health/ready")
    return made


def test_covers_and_sound_answer_on_one_port(joint: Server, covers: Path, clip: bytes) -> None:
    with httpx.Client(base_url=joint.url, timeout=30) as http:
        sleeve = http.post(
            "/api/search-by-image", files={"file": (covers / "cover-03.png").read_bytes()}
        )
        assert sleeve.json()["results"][0]["album_id"] == 3
        words = http.get("/api/search-by-text", params={"query": "red"}).json()
        assert "tracks" not in words, "the encoder of sound knows none"
        heard = post(http, "/api/identify-sound", clip)
        assert heard.json()["track"]["track_id"] == 2
        health = http.get("/health").json()
        assert (health["status"], health["total_albums"]) == ("healthy", 30)
        assert health["sound"]["total_tracks"] == TRACKS
        # Each answer names the artifact it is from, also where it is a refusal.
        assert sleeve.headers["x-artifact"] == health["artifact"]
        assert heard.headers["x-artifact"] == health["sound"]["artifact"]
        lost = http.get("/api/tracks/999/audio")
        assert lost.headers["x-artifact"] == health["sound"]["artifact"]
        paths = set(http.get("/openapi.json").json()["paths"])
        assert {*ROUTES, "/api/albums", "/api/identify", "/v1/embeddings"} <= paths
        endpoints = http.get("/").json()["endpoints"]
        assert {"search_image", "identify_sound", "tracks"} <= set(endpoints)
        too_large = bytes(11 << 20)
        is_error(post(http, "/api/identify-sound", too_large), 413, "audio_too_long")
        picture = http.post("/api/search-by-image", files={"file": too_large})
        is_error(picture, 413, "image_too_large")


def test_both_kinds_of_apis_are_typed_on_one_service(
    joint: Server, covers: Path, clip: bytes, tmp_path: Path
) -> None:
    import bentoml

    file = tmp_path / "clip.webm"
    file.write_bytes(clip)
    with bentoml.SyncHTTPClient(joint.url) as client:
        assert client.identify_sound(file=file)["decision"] == "match"
        assert client.search_by_image(file=covers / "cover-05.png", k=1)["results"]


def test_covers_answer_where_the_sound_is_damaged(
    serve: Serve, tiny_artifact: Path, tiny_sound: Path, tmp_path: Path, clip: bytes
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_sound, damaged)
    with (damaged / "index.faiss").open("r+b") as file:
        file.write(b"xxxx")
    made = serve(tiny_artifact, SHAZAM_SOUND_ARTIFACT=str(damaged))
    try:
        with httpx.Client(base_url=made.url, timeout=30) as http:
            assert http.get("/api/search-by-text", params={"query": "red"}).status_code == 200
            for _ in range(100):
                health = http.get("/health")
                if health.status_code == 503:
                    break
            assert health.json()["status"] == "degraded"
            assert health.json()["total_albums"] == 30
            assert health.json()["sound"] == {
                "total_tracks": 0, "artifact": None, "encoder": None,
            }  # fmt: skip
            answer = post(http, "/api/identify-sound", clip)
            error = is_error(answer, 503, "not_ready")
            assert "index.faiss" in error["message"]
            assert answer.headers["retry-after"] == "2"
            assert http.get("/readyz").status_code == 200
            assert http.get("/health/ready").status_code == 503
    finally:
        serve.end(made)  # type: ignore[attr-defined]


def started(target: str, **env: str) -> tuple[int, str]:
    """What a start that is refused says."""
    import os
    import subprocess
    import sys

    run = subprocess.run(
        [sys.executable, "-m", "bentoml", "serve", target, "--port", "0"],
        cwd=PROJECT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("target", "env", "said"),
    [
        ("service:ShazamSound", {"SHAZAM_SOUND_ARTIFACT": "nowhere"}, "Example"),
        ("service:ShazamVisual", {"SHAZAM_SOUND_ARTIFACT": "nowhere"}, "Example"),
        ("service:ShazamSound", {"SHAZAM_MAX_AUDIO_S": "long"}, "Example"),
        ("service:ShazamSound", {"SHAZAM_SOUND_ARTIFACT": "COVERS"}, "kind 'cover'"),
        ("service:ShazamVisual", {"SHAZAM_ARTIFACT": "SOUND"}, "kind 'sound'"),
    ],
)
def test_what_a_service_needs_and_has_not_got_stops_the_start(
    target: str, env: dict[str, str], said: str, tiny_artifact: Path, tiny_sound: Path
) -> None:
    places = {"COVERS": str(tiny_artifact), "SOUND": str(tiny_sound)}
    given = {name: places.get(value, value) for name, value in env.items()}
    status, output = started(target, **given)
    assert status != 0
    (variable,) = env
    lines = [line for line in output.splitlines() if variable in line]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in output
