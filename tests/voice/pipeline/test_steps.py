"""What steps tell one another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.base.errors import AudioTooLong, InvalidRequest, ObjectDamaged, UnreadableAudio
from engine.library.objects import Objects
from engine.voice.pipeline.steps import Work, to_the_end


def work_of(objects: Objects | None, child: Any = None) -> Work:
    pool = SimpleNamespace(run=child)
    bench = SimpleNamespace(objects=objects, pool=pool, folder=lambda _: Path())
    job = SimpleNamespace(job_id="job", workflow_id="job.1")
    task = SimpleNamespace(job=job, report=None, wanted=None)
    return Work(cast("Any", SimpleNamespace(bench=bench)), cast("Any", task))


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
