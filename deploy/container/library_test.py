"""Builds the library's image and tries it as a deployment does; needs root and buildah (Debian).

    python deploy/container/library_test.py [artifact of sound]

A service and a worker of the one image (the worker past the image's entry point, as in
deploy/compose/library.yaml), each under the limits of container_test.py, share a folder for SQLite
and objects. A track is uploaded, worked on, found by its own sound, and found again by a service
that was started anew; the worker is asked to stop with work in hand, and a second one ends it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from container_test import (
    ROOT,
    USER,
    Question,
    build,
    cannot,
    form_of,
    look_into,
    mounted,
    running,
    told,
)

WORKER = (
    *("env", "--chdir=/home/bentoml/bento/src"),
    *("python", "-m", "engine.library.pipeline.worker", "1"),
)
SETTINGS = (
    "SHAZAM_DATABASE=sqlite:////tmp/library/library.sqlite",
    "SHAZAM_STORAGE=/tmp/library/objects",
)
DONE_WITHIN_S = 240.0
STOPPED_WITHIN_S = 30.0  # `stop_grace_period` of deploy/compose/library.yaml


def main() -> int:
    reason = cannot()
    if reason:
        print(f"container-test skipped: {reason}")
        return 0
    artifact = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "artifacts" / "starter-sound")
    image = os.environ.get("IMAGE") or build(artifact, "--recipe", "bentofile.library.yaml")
    with mounted(image) as root, tempfile.TemporaryDirectory(prefix="shazam-library-") as state:
        os.chown(state, USER, USER)
        return told([*look_into(root, "library"), *_try(image, root, Path(state))])


def _try(image: str, root: Path, state: Path) -> Iterator[str]:
    """What went wrong while both worked."""
    container = {"state": state, "settings": SETTINGS}
    clip = _unknown_sound()
    with running(image, root, **container) as service:  # type: ignore[arg-type]
        print(f"start to ready: {service.ready():.2f} s")
        with running(image, root, **container, entry=WORKER) as worker:  # type: ignore[arg-type]
            job = _post(service, "/api/v1/upload/file", clip, 202)
            print(f"uploaded, worked on and done after {_done(service, job):.1f} s")
            yield from _found(service, clip, job["track_id"])
            second = _post(service, "/api/v1/upload/file", _unknown_sound(seed=2), 202)
            time.sleep(1)
            began = time.monotonic()
            worker.signal(signal.SIGTERM)
            status = worker.process.wait(60)
            stopped = time.monotonic() - began
            print(f"SIGTERM to a worker: exit status {status} after {stopped:.1f} s")
            print(f"most memory used by it: {worker.memory}")
            if status or stopped > STOPPED_WITHIN_S:
                yield f"a worker stopped with {status} after {stopped:.1f} s"
        with running(image, root, **container, entry=WORKER):  # type: ignore[arg-type]
            print(f"what it had in hand was done by another after {_done(service, second):.1f} s")
        print(f"most memory used by the service: {service.memory}")
    with running(image, root, **container) as anew:  # type: ignore[arg-type]
        anew.ready()
        yield from _found(anew, clip, job["track_id"])


def _post(service: Any, path: str, clip: bytes, wanted: int) -> Any:
    status, body = service.put(Question(path, "", form_of(clip)))
    if status != wanted:
        raise SystemExit(f"FAILED: {path} answered {status}: {body[:500]!r}")
    return json.loads(body)


def _done(service: Any, job: Any) -> float:
    """Seconds until the job is done."""
    began = time.monotonic()
    while time.monotonic() - began < DONE_WITHIN_S:
        told = json.loads(service.ask(job["status_url"])[1])
        if told["state"] == "done":
            return time.monotonic() - began
        if told["state"] in ("failed", "cancelled"):
            break
        time.sleep(0.2)
    raise SystemExit(f"FAILED: the job did not end well: {told}")


def _found(service: Any, clip: bytes, track_id: int) -> Iterator[str]:
    """Its own sound is that track within ten seconds."""
    began, found = time.monotonic(), None
    while time.monotonic() - began < 10:
        found = _post(service, "/api/identify-sound", clip, 200)
        if found["track"] and found["track"]["track_id"] == track_id:
            print(f"found by its sound {time.monotonic() - began:.1f} s later")
            return
        time.sleep(0.5)
    yield f"a track that is done was not found by its own sound: {found}"


def _unknown_sound(seed: int = 1) -> bytes:
    """20 s of chords of no catalogue, as WAV."""
    import io
    import wave

    import numpy as np

    rate, rng = 16_000, np.random.default_rng(seed)
    notes = rng.choice(48, 60) + 45
    length = rate // 3
    decay = np.exp(-np.arange(length) / (0.2 * rate))
    tones = [
        sum(
            np.sin(2 * np.pi * 440 * 2 ** ((note + step - 69) / 12) * np.arange(length) / rate)
            for step in (0, 4, 7)
        )
        for note in notes
    ]
    sound = np.concatenate([tone * decay for tone in tones]) * 9_000
    with io.BytesIO() as file:
        with wave.open(file, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(sound.astype("<i2").tobytes())
        return file.getvalue()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
