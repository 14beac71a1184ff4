"""What steps tell one another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tracks import RATE, tune

from engine.base.errors import (
    AudioTooLong,
    AudioTooShort,
    InvalidRequest,
    ObjectDamaged,
    SessionNotFound,
    UnreadableAudio,
)
from engine.library.objects import Objects
from engine.library.pipeline.pool import Cancelled
from engine.sound.audio import encode
from engine.voice.pipeline.steps import Work, to_the_end
from engine.voice.pipeline.tasks import received


def work_of(objects: Objects | None, child: Any = None, session: Any = None) -> Work:
    bench = SimpleNamespace(
        objects=objects,
        pool=SimpleNamespace(run=child),
        folder=lambda _: Path(),
        rows=lambda call: call(),
    )
    job = SimpleNamespace(job_id="job", workflow_id="job.1", session_id="1", kind="take")
    task = SimpleNamespace(job=job, report=None, wanted=None)
    kit = SimpleNamespace(bench=bench, sessions=SimpleNamespace(get=session))
    return Work(cast("Any", kit), cast("Any", task))


def test_words_that_were_not_heard_to_the_end_are_not_judged() -> None:
    """What nobody listened to would count as not sung."""
    words = [{"text": "river", "from_s": 0.0, "to_s": 0.4, "probability": 0.9}]
    assert to_the_end({"words": words, "complete": True}) == words
    assert to_the_end({"words": words, "complete": False}) is None
    assert to_the_end({"missing": "There is no model of words."}) is None


@pytest.mark.parametrize("kind", [InvalidRequest, UnreadableAudio, AudioTooLong])
def test_who_sent_a_recording_is_blamed_for_what_was_sent_and_for_nothing_else(
    kind: type[Exception],
) -> None:
    def child(*_: Any, **__: Any) -> None:
        raise kind("The file is empty. Send the bytes of a recording.")

    work = work_of(None, child)
    with pytest.raises(kind):
        work.receive(Path("recording"))
    ours = kind if kind is AudioTooLong else ObjectDamaged  # as it is where it needs memory
    with pytest.raises(ours):
        work.hear("listen", 1.0)


def test_what_is_not_as_it_was_sent_was_damaged_here(objects: Objects) -> None:
    work, sha256 = work_of(objects), hashlib.sha256(b"as it came").hexdigest()
    objects.put("sent", b"as it came")
    for digest in (sha256, sha256[:16], ""):
        with work.sent("sent", digest) as path:
            assert path.read_bytes() == b"as it came"
    objects.put("sent", bytes(10))
    with pytest.raises(ObjectDamaged), work.sent("sent", sha256[:16]):
        pass
    objects.put("sent", b"")
    with pytest.raises(ObjectDamaged), work.sent("sent", ""):
        pass


def test_nothing_is_kept_of_a_take_whose_session_was_deleted_meanwhile(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = True

    def session(*_: Any) -> Any:
        if not there:
            raise SessionNotFound("There is no session.")
        return SimpleNamespace(silent_at=None)

    work = work_of(objects, session=session)
    monkeypatch.setattr(Work, "path", lambda _, name: tmp_path / name)
    (tmp_path / "vocals.flac").write_bytes(b"a voice")
    work.keep({"vocals.flac": "take/vocals.flac"})
    assert objects.exists("take/vocals.flac")
    there = False
    with pytest.raises(Cancelled):
        work.keep({"vocals.flac": "take/vocals.flac"})
    assert not objects.exists("take/vocals.flac")


def test_what_is_too_short_to_be_compared_is_refused_by_its_length(tmp_path: Path) -> None:
    sent, original = tmp_path / "sent", str(tmp_path / "original.flac")

    def heard(seconds: float) -> dict[str, Any]:
        sent.write_bytes(encode(tune(1, seconds)[:, None], RATE, "wav", "pcm_s16le"))
        return received(str(sent), original, max_s=600, report=print)

    assert heard(1.0)["duration_s"] == 1.0
    for seconds in (0.9, 0.2):
        said = f"holds {seconds:.2f} s of sound. Send 3 s or more"
        with pytest.raises(AudioTooShort, match=said):
            heard(seconds)
