"""The library as callers meet it: a real service and a real worker, on rows and files of a test."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import PROJECT, Serve, Server, is_error
from tracks import RATE, TRACKS, tune

from engine.library.service.figures import SERIES
from engine.sound.audio import encode

KEYS = ("mine", "theirs")
SENT = 40  # the tune that is sent
TITLE = "Night Garden"
SPOTIFY = "https://open.spotify.com/track/6rqhFgbbKwnb9MLmUQDhG6"


def recording(number: int, seconds: float = 12.0) -> bytes:
    return encode(tune(number, seconds)[:, None], RATE, "wav", "pcm_s16le")


def noisy_clip(number: int, begin_s: float, seconds: float = 6.0) -> bytes:
    samples = tune(number)[round(begin_s * RATE) : round((begin_s + seconds) * RATE)]
    noise = np.random.default_rng(3).standard_normal(len(samples)).astype(np.float32)
    heard = samples + 0.3 * float(np.std(samples)) * noise
    return encode((0.8 * heard / np.abs(heard).max())[:, None], RATE, "wav", "pcm_s16le")


@dataclass
class Library:
    """A service and what callers with each key ask of it."""

    server: Server
    data: Path

    def __post_init__(self) -> None:
        self.callers = {
            key: httpx.Client(
                base_url=self.server.url, headers={"X-API-Key": key}, timeout=30, trust_env=False
            )
            for key in KEYS
        }

    def close(self) -> None:
        for client in self.callers.values():
            client.close()

    def by(self, key: str) -> httpx.Client:
        return self.callers[key]

    def send(self, number: int, key: str = "mine", **fields: str) -> dict[str, Any]:
        files = {"file": (f"tune {number}.wav", recording(number))}
        answer = self.by(key).post("/api/v1/upload/file", files=files, data=fields)
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def events(self, job: dict[str, Any], key: str = "mine") -> list[tuple[str, dict[str, Any]]]:
        """Ids and data of the events of a job, to its end."""
        told, at = [], ""
        with self.by(key).stream("GET", job["events_url"], timeout=60) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    at = line[4:]
                if line.startswith("data: "):
                    told.append((at, json.loads(line[6:])))
        return told

    def add(self, number: int, key: str = "mine", **fields: str) -> dict[str, Any]:
        """A tune that is in the library; its job as it was accepted."""
        job = self.send(number, key, **fields)
        last = self.events(job, key)[-1][1]
        assert last["state"] == "done", last
        return job

    def identified(self, clip: bytes, key: str = "mine") -> dict[str, Any]:
        answer = self.by(key).post("/api/identify-sound", files={"file": ("c.wav", clip)})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def found_within(self, seconds: float, track_id: int, clip: bytes) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError):  # not ready yet, after a restart
                found = self.identified(clip)
                if found["track"] and found["track"]["track_id"] == track_id:
                    return found
            assert time.monotonic() < deadline
            time.sleep(0.3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="module")
def environment(tiny_sound: Path, data: Path) -> dict[str, str]:
    return {
        "SHAZAM_SOUND_ARTIFACT": str(tiny_sound),
        "SHAZAM_LIBRARY": "private",
        "SHAZAM_API_KEYS": ",".join(KEYS),
        "SHAZAM_DATABASE": f"sqlite:///{data / 'library.sqlite'}",
        "SHAZAM_STORAGE": str(data / "objects"),
        "SHAZAM_MAX_SOURCE_BYTES": "3000000",
        "SHAZAM_MAX_SOURCE_S": "60",
    }


@pytest.fixture(scope="module")
def worker(environment: dict[str, str], data: Path) -> Iterator[Path]:
    """`python -m engine work`; its log."""
    log = data / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "work", "--concurrency", "1"],
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
        )
    yield log
    process.terminate()
    assert process.wait(30) == 0, log.read_text()[-2000:]


def opened(serve: Serve, environment: dict[str, str], data: Path) -> Library:
    """A service whose library is open and has a worker."""
    made = Library(serve(target="service:ShazamLibrary", **environment), data)
    # Who is told that it is ready is not refused a moment later.
    assert made.by("mine").get("/api/v1/samples").status_code == 200
    deadline = time.monotonic() + 90
    while made.by("mine").get("/api/v1/health").json()["status"] != "healthy":
        assert time.monotonic() < deadline, made.by("mine").get("/api/v1/health").text
        time.sleep(0.2)
    return made


@pytest.fixture(scope="module")
def library(
    serve: Serve, environment: dict[str, str], data: Path, worker: Path
) -> Iterator[Library]:
    made = opened(serve, environment, data)
    yield made
    made.close()


@pytest.fixture(scope="module")
def job(library: Library) -> dict[str, Any]:
    """One tune of mine, done."""
    return library.add(SENT, title=TITLE, year="1974")


def test_a_job_goes_from_step_to_step_and_its_track_is_identified(library: Library) -> None:
    job = library.send(SENT, title=TITLE, year="1974")
    told = [event for _, event in library.events(job)]
    assert [one["state"] for one in told[-2:]] == ["running", "done"]
    assert {one["job_id"] for one in told} == {job["job_id"]}
    progress = [one["progress"] for one in told]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    found = library.found_within(30, job["track_id"], noisy_clip(SENT, 3))
    assert found["decision"] == "match"
    assert found["evidence"]["offset_s"] == pytest.approx(3, abs=0.1)
    assert found["track"]["title"] == TITLE


def test_it_is_found_by_everything_that_finds_tracks(library: Library, job: dict[str, Any]) -> None:
    track_id, mine = job["track_id"], library.by("mine")
    whole = {"file": ("c.wav", recording(SENT))}
    alike = mine.post("/api/search-by-sound?k=2", files=whole).json()["results"]
    assert alike[0]["track_id"] == track_id
    track = mine.get(f"/api/tracks/{track_id}").json()
    assert (track["title"], track["year"], track["duration_s"]) == (TITLE, 1974, 12.0)
    page = mine.get("/api/tracks", params={"q": "garden"}).json()
    assert [one["track_id"] for one in page["tracks"]] == [track_id]
    near = mine.get(f"/api/tracks/{track_id}/similar?k=3").json()["results"]
    assert near == mine.get(f"/api/v1/results/{track_id}/similar?k=3").json()["results"]
    assert len(near) == 3
    waveform = mine.get(f"/api/tracks/{track_id}/waveform?points=16").json()
    assert len(waveform["peaks"]) == 16
    health = mine.get("/health").json()
    assert health["sound"]["total_tracks"] == TRACKS + health["library"]["held"] > TRACKS


def test_its_measures_and_its_files(library: Library, job: dict[str, Any]) -> None:
    track_id, mine = job["track_id"], library.by("mine")
    sample = mine.get(f"/api/v1/samples/{track_id}").json()
    assert (sample["status"], sample["sample_id"], sample["title"]) == ("ready", track_id, TITLE)
    assert sample["loudness_lufs"] < 0
    results = mine.get(f"/api/v1/results/{track_id}").json()
    assert results["sample"] == sample
    assert results["matches"]["library"] == []
    part = mine.get(f"/api/tracks/{track_id}/audio", headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.content)) == (206, 100)
    preview = mine.get(f"/api/v1/results/{track_id}/preview")
    assert (preview.status_code, preview.headers["content-type"]) == (200, "audio/mpeg")
    for kind, begins in (("mp3", b"ID3"), ("wav", b"RIFF")):
        link = mine.post(f"/api/v1/samples/{track_id}/download?format={kind}").json()
        assert link["filename"] == f"{TITLE}.{kind}"
        got = httpx.get(library.server.url + link["url"], trust_env=False)  # without a key
        assert got.status_code == 200, got.text
        assert got.content.startswith(begins) or kind == "mp3"
        assert "attachment" in got.headers["content-disposition"]
    forged = link["url"].replace("audio.wav", "audio.mp3")
    is_error(httpx.get(library.server.url + forged, trust_env=False), 403, "link_expired")
    assert mine.get(f"/api/v1/samples/{track_id}").json()["downloads"] == 2


def test_what_is_mine_is_not_there_for_others(library: Library, job: dict[str, Any]) -> None:
    track_id, theirs = job["track_id"], library.by("theirs")
    found = library.identified(noisy_clip(SENT, 3), "theirs")
    assert track_id not in [one["track_id"] for one in found["candidates"]]
    assert theirs.get("/api/v1/samples").json()["total"] == 0
    assert theirs.get("/api/tracks", params={"q": "garden"}).json()["total"] == 0
    health = theirs.get("/health").json()
    assert (health["sound"]["total_tracks"], health["library"]["held"]) == (TRACKS, 0)
    is_error(theirs.get(f"/api/tracks/{track_id}"), 404, "track_not_found")
    is_error(theirs.get(f"/api/tracks/{track_id}/audio"), 404, "track_not_found")
    is_error(library.by("mine").get(f"/api/v1/samples/{track_id}%0a"), 404, "not_found")
    for path in ("samples/{}", "results/{}", "results/{}/similar", "results/{}/preview"):
        is_error(theirs.get("/api/v1/" + path.format(track_id)), 404, "sample_not_found")
    is_error(theirs.delete(f"/api/v1/samples/{track_id}"), 404, "sample_not_found")
    is_error(theirs.post(f"/api/v1/samples/{track_id}/download"), 404, "sample_not_found")
    for ask in (theirs.get(job["status_url"]), theirs.get(job["events_url"])):
        is_error(ask, 404, "job_not_found")


def test_the_same_content_is_the_same_job_and_anothers_its_own(
    library: Library, job: dict[str, Any]
) -> None:
    again = library.send(SENT)
    assert (again["job_id"], again["state"]) == (job["job_id"], "done")
    theirs = library.add(SENT, "theirs")
    assert theirs["track_id"] != job["track_id"]
    deleted = library.by("theirs").delete(f"/api/v1/samples/{theirs['track_id']}")
    assert deleted.json() == {"track_id": theirs["track_id"], "deleted": True}
    assert library.by("mine").get(f"/api/tracks/{job['track_id']}/audio").status_code == 200


def test_a_recording_that_is_sent_again_heals_what_is_damaged_of_it(
    library: Library, job: dict[str, Any]
) -> None:
    mine, track_id = library.by("mine"), job["track_id"]
    at = f"/api/tracks/{track_id}/audio"
    whole = mine.get(at).content
    (folder,) = {path.parent for path in (library.data / "objects/audio").rglob("audio.mp3")}
    for name, left in (("audio.mp3", 0), ("source", 100), ("audio.wav", 100)):
        os.truncate(folder / name, left)
    (folder / "preview.mp3").unlink()
    for asked in (at, f"/api/v1/results/{track_id}/preview"):
        refused = is_error(mine.get(asked), 404, "audio_not_found")
        assert "made anew" in str(refused["message"])
    again = library.send(SENT)
    assert (again["job_id"], again["state"]) == (job["job_id"], "queued")
    assert library.events(again)[-1][1]["state"] == "done"
    assert library.found_within(30, track_id, noisy_clip(SENT, 3))
    assert mine.get(at).content == whole
    assert mine.get(f"/api/v1/results/{track_id}/preview").status_code == 200
    assert (folder / "source").stat().st_size == len(recording(SENT))
    assert library.send(SENT)["state"] == "done"


def test_who_knows_the_end_of_a_job_is_told_no_more(library: Library, job: dict[str, Any]) -> None:
    (last, told), *_ = library.events(job)
    assert told["state"] == "done"
    seen = library.by("mine").get(job["events_url"], headers={"Last-Event-ID": last})
    assert seen.status_code == 204
    is_error(library.by("mine").post(f"{job['status_url']}/cancel"), 409, "job_finished")
    is_error(library.by("mine").post(f"{job['status_url']}/retry"), 409, "job_finished")


def test_what_cannot_be_listened_to_fails_by_name_and_may_be_tried_again(library: Library) -> None:
    mine = library.by("mine")
    answer = mine.post("/api/v1/upload/file", files={"file": ("a.mp3", b"%PDF-1.7" + bytes(999))})
    job = answer.json()
    failed = library.events(job)[-1][1]
    assert (failed["state"], failed["error"]["code"]) == ("failed", "unreadable_audio")
    french = mine.get(job["status_url"], headers={"Accept-Language": "fr"}).json()
    assert french["error"]["code"] == "unreadable_audio"
    assert french["error"]["message"] != failed["error"]["message"]
    is_error(mine.get(f"/api/v1/results/{job['track_id']}/preview"), 409, "sample_not_ready")
    assert mine.get("/api/v1/samples?status=failed").json()["total"] == 1
    assert mine.post(f"{job['status_url']}/retry").status_code == 202
    again = library.events(job)[-1][1]
    assert (again["state"], again["attempt"]) == ("failed", 2)


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"files": {"file": ("a.wav", b"")}}, 415, "empty_file"),
        ({"data": {"title": "x"}, "files": {"other": ("a.wav", b"RIFF")}}, 400, "invalid_request"),
        ({"files": {"title": (None, "x")}}, 400, "invalid_request"),
        ({"files": {"file": ("a.wav", b"RIFF")}, "data": {"yaer": "1"}}, 400, "invalid_request"),
        ({"files": {"file": ("a.wav", b"RIFF")}, "data": {"year": "x"}}, 400, "invalid_request"),
        ({"files": {"file": ("a.wav", bytes(3_200_000))}}, 413, "audio_too_long"),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 400, "invalid_request"),
    ],
)
def test_an_upload_that_is_none_is_refused_at_once(
    library: Library, asked: dict[str, Any], status: int, code: str
) -> None:
    is_error(library.by("mine").post("/api/v1/upload/file", **asked), status, code)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("process/submit", {"url": "http://127.0.0.1/a.mp3"}, 422, "link_refused"),
        ("process/submit", {"url": "ftp://example.com/a.mp3"}, 422, "link_refused"),
        ("process/submit", {"url": "http://127.0.0.1\0.example.com/"}, 422, "link_refused"),
        ("process/submit", {"url": "x" * 70_000}, 413, "payload_too_large"),
        ("process/submit%0a", {"url": "https://example.com/a"}, 404, "not_found"),
        ("process/submit", {"link": "https://example.com"}, 400, "invalid_request"),
        ("process/submit", ["https://example.com"], 400, "invalid_request"),
        ("process/submit", {"url": "https://example.com/a", "k": 1}, 400, "invalid_request"),
        ("upload/youtube", {"url": "https://example.com/a.mp3"}, 400, "invalid_request"),
        (
            "upload/spotify",
            {"url": "https://open.spotify.com/track/6rqhFgbbKwnb9MLmUQDhG6"},
            422,
            "source_unavailable",
        ),
    ],
)
def test_a_link_that_is_none_is_refused_at_once(
    library: Library, path: str, body: Any, status: int, code: str
) -> None:
    is_error(library.by("mine").post(f"/api/v1/{path}", json=body), status, code)


def test_health_names_what_the_library_stands_on(library: Library) -> None:
    told = library.by("mine").get("/api/v1/health")
    body = told.json()
    assert (told.status_code, body["status"], body["library"]) == (200, "healthy", "private")
    assert body["database"]["ok"]
    assert body["storage"]["ok"]
    assert body["worker"]["workers"] == 1
    assert body["sources"]["direct"] == {"present": True, "missing": None}
    assert "SHAZAM_RAPIDAPI_KEY" in body["sources"]["tiktok"]["missing"]
    is_error(httpx.get(f"{library.server.url}/api/v1/health", trust_env=False), 401, "unauthorized")


def test_every_figure_of_the_library_that_is_watched_is_there(library: Library) -> None:
    deadline = time.monotonic() + 60
    while "shazam_library_workers 1.0" not in (text := library.by("mine").get("/metrics").text):
        assert time.monotonic() < deadline, text  # a worker says only now and then that it lives
        time.sleep(0.2)
    assert set(re.findall(r"^# TYPE (shazam_library_\w+)", text, re.MULTILINE)) == set(SERIES)
    assert 'shazam_ready{capability="library"} 1.0' in text


def test_everything_is_there_after_a_restart_and_what_is_deleted_is_gone(
    library: Library, job: dict[str, Any], serve: Serve, environment: dict[str, str]
) -> None:
    sent = [library.send(number) for number in (50, 51, 52)]  # more than are done at once
    with library.by("mine").stream("GET", sent[-1]["events_url"], timeout=60) as answer:
        told = answer.iter_lines()
        assert next(told).startswith("retry")
        began = time.monotonic()
        library.server.process.terminate()
        list(told)  # ends, although the job does not
    library.server.process.wait(10)
    assert time.monotonic() - began < 10
    serve.end(library.server)  # type: ignore[attr-defined]
    log = library.server.log.read_text()
    assert "Traceback" not in log, log[-3000:]
    again = opened(serve, environment, library.data)
    clip, track_id = noisy_clip(SENT, 3), job["track_id"]
    again.found_within(30, track_id, clip)
    for one in sent:  # the worker has gone on meanwhile
        assert again.events(one)[-1][1]["state"] == "done"
    mine = again.by("mine")
    assert mine.delete(f"/api/v1/samples/{track_id}").status_code == 200
    assert again.identified(clip)["decision"] == "no_match"
    is_error(mine.get(f"/api/tracks/{track_id}"), 404, "track_not_found")
    is_error(mine.get(f"/api/v1/samples/{track_id}"), 404, "sample_not_found")
    deadline = time.monotonic() + 30
    sha256 = hashlib.sha256(recording(SENT)).hexdigest()
    while [path for path in (library.data / "objects").rglob(f"{sha256}/*") if path.is_file()]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    again.close()
