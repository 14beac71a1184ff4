"""Singing as callers meet it: a real service and a real worker, whose ear is `fake_ear`."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import PROJECT, Serve, is_error
from fake_ear import CURVE
from link_server import LinkServer, Reply, as_json
from tracks import RATE, tune

from engine.sound.audio import encode

KEYS = ("mine", "theirs")
TRACK = 1  # of the artifact
STEMS = ["original", "vocals", "instrumentals"]


def sung(number: int, seconds: float = 2.0) -> bytes:
    return encode(tune(number, seconds)[:, None], RATE, "wav", "pcm_s16le")


@dataclass
class Stage:
    """A service, and what callers with each key ask of it."""

    url: str
    data: Path

    def __post_init__(self) -> None:
        self.callers = {
            key: httpx.Client(
                base_url=self.url, headers={"X-API-Key": key}, timeout=30, trust_env=False
            )
            for key in KEYS
        }

    def close(self) -> None:
        for client in self.callers.values():
            client.close()

    @property
    def worker_log(self) -> Path:
        return self.data / "worker.log"

    @property
    def mine(self) -> httpx.Client:
        return self.callers["mine"]

    @property
    def theirs(self) -> httpx.Client:
        return self.callers["theirs"]

    def start(self, **asked: Any) -> str:
        answer = self.mine.post("/api/session/start", json=asked)
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "preparing"
        session_id: str = answer.json()["session_id"]
        assert answer.json()["status_url"] == f"/api/session/{session_id}/status"
        return session_id

    def status(self, session_id: str) -> dict[str, Any]:
        told: dict[str, Any] = self.mine.get(f"/api/session/{session_id}/status").json()
        return told

    def until(self, session_id: str, *states: str, within_s: float = 90) -> dict[str, Any]:
        deadline = time.monotonic() + within_s
        while (told := self.status(session_id))["state"] not in states:
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
        return told

    def send(self, session_id: str, data: bytes) -> httpx.Response:
        files = {"file": ("take.wav", data)}
        return self.mine.post(f"/api/session/{session_id}/upload-recording", files=files)

    def judged(self, session_id: str, **wish: Any) -> dict[str, Any]:
        answer = self.mine.post(f"/api/session/{session_id}/analyze", json=wish)
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "analyzing"
        assert self.until(session_id, "done", "failed")["state"] == "done"
        told: dict[str, Any] = self.mine.get(f"/api/session/{session_id}/results").json()
        return told


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voice")


@pytest.fixture(scope="module")
def links() -> Iterator[LinkServer]:
    made = LinkServer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def environment(tiny_sound: Path, data: Path, links: LinkServer) -> dict[str, str]:
    return {
        "SHAZAM_SOUND_ARTIFACT": str(tiny_sound),
        "SHAZAM_LIBRARY": "shared",
        "SHAZAM_API_KEYS": ",".join(KEYS),
        "SHAZAM_DATABASE": f"sqlite:///{data / 'library.sqlite'}",
        "SHAZAM_STORAGE": str(data / "objects"),
        "SHAZAM_LRCLIB_URL": "none",
        "SHAZAM_JURY_URL": f"{links.url}/v1",
        "SHAZAM_TRUSTED_HOSTS": links.host,
        "SHAZAM_MAX_SOURCE_BYTES": "3000000",
        "SHAZAM_QUOTA_BYTES": "1000000000",
    }


@pytest.fixture(scope="module")
def worker(environment: dict[str, str], data: Path) -> Iterator[Path]:
    log = data / "worker.log"
    path = os.pathsep.join((str(PROJECT), str(PROJECT / "tests")))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dying_worker", "", "--concurrency", "1"],
            cwd=PROJECT,
            env={**os.environ, **environment, "PYTHONPATH": path, "FAKE_EAR": "1"},
            stdout=output,
            stderr=output,
        )
    yield log
    process.terminate()
    assert process.wait(30) == 0, log.read_text()[-2000:]


@pytest.fixture(scope="module")
def stage(serve: Serve, environment: dict[str, str], data: Path, worker: Path) -> Iterator[Stage]:
    made = Stage(serve(target="service:ShazamLibrary", **environment).url, data)
    deadline = time.monotonic() + 120
    while made.mine.get("/health").json()["voice"]["status"] != "healthy":
        assert time.monotonic() < deadline, made.mine.get("/health").text
        time.sleep(0.2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def done(stage: Stage) -> str:
    """A session that was judged."""
    session_id = stage.start(track_id=TRACK, lyrics="[00:00.50]la la\n[00:01.50]la")
    assert stage.send(session_id, sung(50)).status_code == 200
    stage.judged(session_id)
    return session_id


def test_a_take_is_judged_from_beginning_to_end(stage: Stage) -> None:
    session_id = stage.start(track_id=TRACK, lyrics="[00:00.50]la la\n[00:01.50]la")
    told = stage.until(session_id, "ready")
    assert told["reference"]["curve"] == CURVE
    assert told["reference"]["lyrics"][0] == {"text": "la la", "from_s": 0.5, "to_s": 1.5}
    assert told["reference"]["audio"] == ["original", "vocals", "instrumentals"]
    answer = stage.send(session_id, sung(40))
    assert (answer.status_code, answer.json()["state"]) == (200, "recorded")
    results = stage.judged(session_id)
    assert (results["score"], results["not_measured"]) == (78, [])
    assert results["coverage"]["words"] == 1, "the reference's words are heard, too"
    assert results["pitch"]["weight"] == 0.4
    assert [one["by"] for one in results["jury"]] == ["template"] * 3
    assert results["separation"] == {"user": 0.9, "reference": 0.9}
    assert results["reason"] == "part"
    past = stage.mine.get("/api/results/history").json()["results"]
    told = next(one for one in past if one["session_id"] == session_id)
    assert (told["score"], told["recorded"], told["reason"]) == (78, 0.4, "part")
    analysis = stage.mine.get(f"/api/session/{session_id}/analysis-status").json()
    assert (analysis["state"], analysis["step"], analysis["progress"]) == ("done", "jury", 1)


def test_the_parts_of_voice_are_named_by_health(stage: Stage) -> None:
    told = stage.mine.get("/health").json()["voice"]
    assert (told["status"] == "healthy") == told["jury"]["ok"]
    for part in ("worker", "separation", "pitch", "words"):
        assert told[part] == {"ok": True, "missing": None}
    off = "SHAZAM_LRCLIB_URL is `none`. SHAZAM_GENIUS_TOKEN is not set."
    assert told["lyrics"] == {"ok": True, "missing": off}
    assert told["jury"]["servers"] == ["openai-compatible", "template"]


def test_the_same_take_is_judged_otherwise_without_being_heard_again(
    stage: Stage, done: str
) -> None:
    results = stage.judged(done, transposition=3, language="fr")
    assert results["score"] == 81
    assert results["language"] == "fr"
    assert all("é" in one["comment"] or "a" in one["comment"] for one in results["jury"])
    rows = sqlite3.connect(stage.data / "library.sqlite")
    runs = dict(
        rows.execute(
            "SELECT voice_steps.step, runs FROM voice_steps JOIN voice_jobs USING (job_id) "
            "WHERE session_id = ? AND kind = 'take'",
            (done,),
        )
    )
    rows.close()
    assert runs == dict.fromkeys(("separate_user", "pitch", "words", "align", "score", "jury"), 1)
    assert stage.worker_log.read_text().count("begins separate_user") < 3
    past = stage.mine.get("/api/results/history").json()["results"]
    past = [one for one in past if one["session_id"] == done]
    assert [one["score"] for one in past] == [81, 78]
    assert [stage.mine.get(one["results_url"]).json()["score"] for one in past] == [81, 78]
    assert is_error(stage.theirs.get(past[1]["results_url"]), 404, "session_not_found")
    none = stage.mine.get(f"/api/session/{done}/results", params={"analysis": 99})
    assert is_error(none, 404, "session_not_found")


def test_a_template_comments_in_the_language_of_who_asks(stage: Stage, done: str) -> None:
    def said(asked: str | None = None, **query: str) -> set[tuple[str, str]]:
        headers = {} if asked is None else {"Accept-Language": asked}
        at = f"/api/session/{done}/results"
        answer = stage.mine.get(at, headers=headers, params=query)
        assert "Accept-Language" in answer.headers["vary"]
        return {(one["language"], one["comment"]) for one in answer.json()["jury"]}

    stage.judged(done, transposition=3, language="fr")
    french, english = said("fr"), said("en-GB,en;q=0.9")
    assert {language for language, _ in french} == {"fr"}
    assert {language for language, _ in english} == {"en"}
    assert said() == said("de") == said("*") == french, "as it was judged"
    assert said("fr", language="en") == english
    refused = stage.mine.get(f"/api/session/{done}/results", params={"language": "de"})
    assert is_error(refused, 400, "invalid_request")


def test_a_server_comments_and_makes_no_number(stage: Stage, links: LinkServer, done: str) -> None:
    comment = "You were a little late in the chorus, but the tune is there and it is lovely."
    said = {"choices": [{"message": {"content": comment}}]}
    links.at["/v1/chat/completions"] = as_json(said)
    results = stage.judged(done, transposition=2)
    del links.at["/v1/chat/completions"]
    assert results["score"] == 80
    asked = stage.mine.get(f"/api/session/{done}/results", headers={"Accept-Language": "fr"})
    for told in (results, asked.json()):
        said = {(one["comment"], one["by"], one["language"]) for one in told["jury"]}
        assert said == {(comment, "openai-compatible", "en")}
    stage.judged(done, transposition=3)


def test_a_server_that_answered_a_worker_with_nothing_is_told_by_health(stage: Stage) -> None:
    """What was asked last was not there: see `links`, above."""
    deadline = time.monotonic() + 60
    while (told := stage.mine.get("/health").json()["voice"])["jury"]["ok"]:
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    assert told["status"] == "degraded"
    assert told["jury"]["missing"].startswith("openai-compatible: ")


def test_what_was_made_of_a_track_is_remembered(stage: Stage, done: str) -> None:
    before = {one.name for one in (stage.data / "objects/voice/references").iterdir()}
    session_id = stage.start(track_id=TRACK)
    told = stage.until(session_id, "ready")
    assert told["reference"]["lyrics"] is None
    assert {one.name for one in (stage.data / "objects/voice/references").iterdir()} == before
    assert stage.mine.get(f"/api/session/{session_id}/lyrics").status_code == 404
    assert stage.send(session_id, sung(41)).status_code == 200
    results = stage.judged(session_id)
    assert results["not_measured"] == ["lyrics"]
    assert results["lyrics"] is None


def test_a_file_may_be_sung_beside(stage: Stage) -> None:
    answer = stage.mine.post(
        "/api/session/start",
        files={"reference": ("song.wav", sung(60))},
        data={"title": "Night Garden", "lyrics": "la la\nla"},
    )
    assert answer.status_code == 202, answer.text
    told = stage.until(answer.json()["session_id"], "ready", "failed")
    assert (told["state"], told["title"], told["track_id"]) == ("ready", "Night Garden", None)
    assert [line["text"] for line in told["reference"]["lyrics"]] == ["la la", "la"]
    files = {"reference": ("C:\\music\\Paper Moon.wav", sung(62))}
    answer = stage.mine.post("/api/session/start", files=files)
    assert stage.until(answer.json()["session_id"], "ready")["title"] == "Paper Moon"


def test_a_track_of_the_library_is_sung_beside_and_not_handed_out_where_it_may_not_be(
    stage: Stage,
) -> None:
    files = {"file": ("tune.wav", sung(70, 6.0))}
    sent = stage.mine.post("/api/v1/upload/file", files=files, data={"audio_shared": "false"})
    assert sent.status_code == 202, sent.text
    track_id, deadline = sent.json()["track_id"], time.monotonic() + 60
    while stage.mine.get(f"/api/search/tracks/{track_id}").status_code != 200:
        assert time.monotonic() < deadline, stage.worker_log.read_text()[-2000:]
        time.sleep(0.2)
    session_id = stage.start(track_id=track_id)
    told = stage.until(session_id, "ready", "failed", within_s=60)
    assert (told["state"], told["track_id"]) == ("ready", track_id)
    assert told["reference"]["audio"] == []
    refused = stage.mine.get(f"/api/audio/{session_id}/ref/original")
    assert is_error(refused, 403, "audio_not_shared")


def test_a_link_that_fails_has_another_sound_in_its_place(stage: Stage, links: LinkServer) -> None:
    links.at["/song.wav"] = Reply(sung(61))
    session_id = stage.start(url=f"{links.url}/nothing.wav", title="Night Garden")
    assert stage.send(session_id, sung(42)).status_code == 200
    asked = stage.mine.post(f"/api/session/{session_id}/analyze")
    assert asked.status_code in (202, 409)
    told = stage.until(session_id, "failed")
    assert told["reference"]["state"] == "failed"
    assert told["reference"]["error"]["code"] == "link_failed"
    assert is_error(stage.mine.post(f"/api/session/{session_id}/analyze"), 409, "session_not_ready")
    # A singer would take what is said of that file as said of the take.
    told = is_error(stage.mine.get(f"/api/session/{session_id}/results"), 409, "session_not_ready")
    assert "fallback-source" in told["message"]
    other = {"url": f"{links.url}/song.wav"}
    answer = stage.mine.post(f"/api/session/{session_id}/fallback-source", json=other)
    assert (answer.status_code, answer.json()["state"]) == (202, "recorded")
    assert stage.judged(session_id)["score"] == 78


def test_what_a_link_brings_is_of_its_callers_quota(stage: Stage, links: LinkServer) -> None:
    def usage(change: str = "size") -> int:
        rows = sqlite3.connect(stage.data / "library.sqlite")
        with rows:
            rows.execute(f"UPDATE usage SET size = {change}")
        (size,) = rows.execute("SELECT size FROM usage").fetchone()
        rows.close()
        return int(size)

    song = sung(63)
    links.at["/quota.wav"] = Reply(song)
    link, before = {"url": f"{links.url}/quota.wav"}, usage()
    stage.until(stage.start(**link), "ready")
    assert usage() == before + len(song)
    spent = usage("size + 1000000000")
    refused = stage.mine.post("/api/session/start", json=link)
    assert is_error(refused, 429, "quota_exceeded")
    assert stage.mine.post("/api/session/start", json={"track_id": TRACK}).status_code == 202
    assert usage("size - 1000000000") == spent - 1_000_000_000


def test_a_link_into_the_machine_is_not_followed(stage: Stage) -> None:
    for url in ("http://127.0.0.1:9/a.wav", "file:///etc/passwd", "http://[::1]/a.wav"):
        answer = stage.mine.post("/api/session/start", json={"url": url})
        assert is_error(answer, 422, "link_refused"), url


def test_words_are_told_and_moved(stage: Stage, done: str) -> None:
    told = stage.mine.get(f"/api/session/{done}/lyrics").json()
    assert (told["source"], told["synced"], told["offset_s"]) == ("given", True, 0)
    moved = stage.mine.post(f"/api/session/{done}/lyrics-offset", json={"offset_s": 1.5})
    assert moved.json() == {"offset_s": 1.5}
    assert stage.mine.get(f"/api/session/{done}/lyrics").json()["lines"][0]["from_s"] == 2.0
    assert stage.status(done)["reference"]["lyrics"][0]["from_s"] == 2.0
    for body in ({}, {"offset_s": "later"}, {"offset_s": 1e9}, {"offset": 1}):
        answer = stage.mine.post(f"/api/session/{done}/lyrics-offset", json=body)
        assert is_error(answer, 400, "invalid_request"), body
    stage.mine.post(f"/api/session/{done}/lyrics-offset", json={"offset_s": 0})


def test_both_voices_are_heard_in_parts(stage: Stage, done: str) -> None:
    told = stage.mine.get(f"/api/audio/{done}/tracks").json()
    assert told == {"user": STEMS, "ref": STEMS}
    for who in told:
        for what in STEMS:
            whole = stage.mine.get(f"/api/audio/{done}/{who}/{what}")
            assert whole.status_code == 200
            assert whole.headers["content-type"] == "audio/flac"
            assert whole.headers["cache-control"] == "private, no-store"
            assert whole.content[:4] == b"fLaC"
    at = f"/api/audio/{done}/user/original"
    part = stage.mine.get(at, headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, stage.mine.get(at).content[4:10])
    beyond = stage.mine.get(at, headers={"Range": "bytes=99999999-"})
    assert is_error(beyond, 416, "range_not_satisfiable")
    assert stage.mine.get(f"/api/audio/{done}/user/drums").status_code == 400
    assert stage.mine.get(f"/api/audio/{done}/them/vocals").status_code == 400


def test_a_session_is_nobody_elses(stage: Stage, done: str) -> None:
    at = f"/api/session/{done}"
    for path in ("/status", "/results", "/lyrics", "/lyrics-offset", "/analysis-status"):
        assert is_error(stage.theirs.get(at + path), 404, "session_not_found"), path
    assert is_error(stage.theirs.post(f"{at}/analyze"), 404, "session_not_found")
    sent = stage.theirs.post(f"{at}/upload-recording", files={"file": ("a.wav", sung(1))})
    assert is_error(sent, 404, "session_not_found")
    assert is_error(stage.theirs.delete(at), 404, "session_not_found")
    for path in ("/tracks", "/user/original", "/ref/vocals"):
        assert is_error(stage.theirs.get(f"/api/audio/{done}{path}"), 404, "session_not_found")
    assert stage.theirs.get("/api/results/history").json() == {"results": []}
    assert stage.theirs.get("/api/search/recent").json()["tracks"] == []


def test_what_is_wrong_is_said(stage: Stage, done: str) -> None:
    start = "/api/session/start"
    for body in (
        {},
        {"track_id": "x"},
        {"track_id": 1, "url": "https://example.com/a.mp3"},
        {"track_id": 1, "titel": "x"},
        {"track_id": 1, "title": "x" * 600},
        [1],
    ):
        answer = stage.mine.post(start, json=body)
        assert is_error(answer, 400, "invalid_request"), body
    for bare in (stage.mine.post(start), stage.mine.post(start, data={"track_id": "1"})):
        assert is_error(bare, 400, "invalid_request")
        for way in ("application/json", "multipart/form-data", "track_id", "reference="):
            assert way in bare.json()["error"]["message"]
    assert is_error(stage.mine.post(start, json={"track_id": 999}), 404, "track_not_found")
    large = stage.mine.post(start, json={"track_id": 1, "lyrics": "x" * 300_000})
    assert is_error(large, 413, "payload_too_large")
    empty = stage.mine.post(start, files={"reference": ("a.wav", b"")})
    assert is_error(empty, 415, "empty_file")
    long = stage.mine.get(f"/api/session/{'x' * 5_000}/status")
    assert is_error(long, 404, "session_not_found")
    session_id = stage.start(track_id=TRACK)
    assert is_error(stage.send(session_id, b""), 415, "empty_file")
    at = f"/api/session/{session_id}"
    assert is_error(stage.mine.post(f"{at}/analyze"), 409, "session_not_ready")
    assert is_error(stage.mine.get(f"{at}/results"), 409, "session_not_ready")
    assert stage.mine.get(f"{at}/analysis-status").json()["state"] == "waiting"
    for body in ({"language": "de"}, {"transposition": 1.5}, {"transposition": 99}, {"key": "A"}):
        answer = stage.mine.post(f"/api/session/{done}/analyze", json=body)
        assert is_error(answer, 400, "invalid_request"), body
    french = stage.mine.get(f"{at}/results", headers={"Accept-Language": "fr"})
    assert "Rien n'a encore été évalué" in french.json()["error"]["message"]


def test_a_recording_that_is_none_fails_by_its_name(stage: Stage) -> None:
    session_id = stage.start(track_id=TRACK)
    assert stage.send(session_id, b"RIFF nothing that can be heard").status_code == 200
    assert stage.mine.post(f"/api/session/{session_id}/analyze").status_code == 202
    told = stage.until(session_id, "failed")
    assert told["error"]["code"] == "unreadable_audio"
    assert told["error"]["message"].startswith("The file is not a recording")
    said = stage.mine.get(f"/api/session/{session_id}/status", headers={"Accept-Language": "fr"})
    assert said.json()["error"]["message"].startswith("Le fichier n'est pas")
    assert told["reference"]["state"] == "done"
    results = stage.mine.get(f"/api/session/{session_id}/results")
    assert is_error(results, 409, "session_not_ready")
    assert "The file is not a recording" in results.json()["error"]["message"]
    assert stage.send(session_id, sung(43)).json()["state"] == "recorded"
    judged = stage.judged(session_id)
    assert judged["score"] == 78
    assert judged["take"] == {"is_last": True, "last_state": "done", "last_error": None}
    stage.send(session_id, sung(44))
    results = stage.mine.get(f"/api/session/{session_id}/results")
    assert results.json()["take"]["is_last"] is False
    assert results.json()["take"]["last_state"] == "recorded"


def test_what_is_damaged_of_a_remembered_reference_is_made_again(
    stage: Stage, links: LinkServer
) -> None:
    links.at["/whole.wav"] = Reply(sung(62))
    asked = {"url": f"{links.url}/whole.wav", "title": "Whole"}
    first = stage.start(**asked)
    stage.until(first, "ready")
    rows = sqlite3.connect(stage.data / "library.sqlite")
    asks = "SELECT reference_id FROM voice_sessions WHERE session_id = ?"
    ((reference_id,),) = rows.execute(asks, (first,))
    rows.close()
    folder = stage.data / "objects" / "voice" / "references" / reference_id
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"melody.npz", "vocals.flac", "original.flac"} <= set(whole)

    (folder / "vocals.flac").write_bytes(b"")
    left = ["original", "instrumentals"]
    assert stage.mine.get(f"/api/audio/{first}/tracks").json()["ref"] == left
    assert stage.status(first)["reference"]["audio"] == left
    (folder / "melody.npz").write_bytes(b"")
    stage.send(first, sung(42))
    assert stage.mine.post(f"/api/session/{first}/analyze").status_code == 202
    told = stage.until(first, "failed")
    assert "Begin a new session" in told["error"]["message"]  # and not that it is the take's fault
    again = stage.start(**asked)
    stage.until(again, "ready")
    cut = {name: data[: len(data) // 2] for name, data in whole.items()}
    zeros = {name: bytes(len(data)) for name, data in whole.items()}
    for damaged in (cut, zeros):
        for name in ("melody.npz", "original.flac", "pitch.npz"):
            (folder / name).write_bytes(damaged[name])
        again = stage.start(**asked)
        stage.until(again, "ready")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    stage.send(again, sung(42))
    assert stage.judged(again)["score"] == 78


def test_what_can_be_sung_is_found_and_remembered(stage: Stage, done: str) -> None:
    told = stage.mine.get("/api/search/tracks", params={"limit": 3}).json()
    assert len(told["tracks"]) == 3
    first = told["tracks"][0]
    assert first["audio_url"] == f"/api/tracks/{first['track_id']}/audio"
    assert stage.mine.get(f"/api/search/tracks/{TRACK}").json()["track_id"] == TRACK
    first, second = (stage.start(track_id=track_id) for track_id in (TRACK, TRACK + 1))
    stage.start(track_id=TRACK + 2)  # and nothing is sung beside it
    for session_id in (first, second):
        stage.send(session_id, sung(46))
    recent = stage.mine.get("/api/search/recent").json()
    assert [one["track_id"] for one in recent["tracks"][:2]] == [TRACK + 1, TRACK]
    assert TRACK + 2 not in [one["track_id"] for one in recent["tracks"]]
    assert recent["total"] == len(recent["tracks"])
    one = stage.mine.get("/api/search/recent", params={"limit": 1}).json()
    assert (one["total"], one["tracks"]) == (recent["total"], recent["tracks"][:1])
    past = stage.mine.get("/api/results/history", params={"limit": 50}).json()["results"]
    assert done in [one["session_id"] for one in past]
    assert all(one["score"] is not None for one in past)
    assert stage.mine.get(past[0]["results_url"]).status_code == 200


def test_the_words_of_a_track_are_heard_for_whoever_asks(stage: Stage) -> None:
    at = "/api/lyrics/word-timestamps"
    assert is_error(stage.mine.get(f"{at}/{TRACK}"), 404, "lyrics_not_found")
    task = stage.mine.post(f"{at}/generate", json={"track_id": TRACK})
    assert task.status_code == 202, task.text
    deadline = time.monotonic() + 60
    while (told := stage.theirs.get(task.json()["status_url"]).json())["state"] != "done":
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    words = stage.mine.get(f"{at}/{TRACK}").json()
    assert (words["language"], words["words"][0]["text"]) == ("en", "la")
    again = stage.mine.post(f"{at}/generate", json={"track_id": TRACK}).json()
    assert again["task_id"] == told["task_id"]
    for nobody in ("/none", "/", "", "/" + "x" * 5_000):
        refused = stage.mine.get(f"{at}/task{nobody}")
        assert is_error(refused, 404, "job_not_found")
        assert f"{at}/generate" in refused.json()["error"]["message"]
    none = is_error(stage.mine.get(f"/api/lyrics/track/{TRACK}"), 404, "lyrics_not_found")
    assert "No source of lyrics is set up here" in none["message"]


def test_when_the_audio_is_gone_the_results_stay(stage: Stage, done: str) -> None:
    rows = sqlite3.connect(stage.data / "library.sqlite")
    with rows:
        rows.execute(
            "UPDATE voice_sessions SET silent_at = created_at WHERE session_id = ?", (done,)
        )
    rows.close()
    assert is_error(stage.mine.get(f"/api/audio/{done}/user/vocals"), 410, "audio_expired")
    assert is_error(stage.send(done, sung(44)), 410, "audio_expired")
    assert is_error(stage.mine.post(f"/api/session/{done}/analyze"), 410, "audio_expired")
    assert stage.mine.get(f"/api/audio/{done}/tracks").json() == {"user": [], "ref": []}
    told = stage.status(done)
    assert (told["state"], told["audio_removed"]) == ("done", True)
    assert stage.mine.get(f"/api/session/{done}/results").json()["score"] == 81


def test_a_session_that_is_deleted_leaves_nothing(stage: Stage) -> None:
    session_id = stage.start(track_id=TRACK)
    assert stage.send(session_id, sung(45)).status_code == 200
    folder = stage.data / "objects/voice/sessions" / session_id
    assert any(folder.rglob("recording"))
    gone = stage.mine.delete(f"/api/session/{session_id}")
    assert gone.json() == {"session_id": session_id, "deleted": True}
    assert not any(path.is_file() for path in folder.rglob("*"))
    assert is_error(stage.mine.get(f"/api/session/{session_id}/status"), 404, "session_not_found")
