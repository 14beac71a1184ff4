"""`engine/sound/apart.py`: decoding in a process that may die, and costs what it may."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from recorded import many_packets, recorded

from engine.base.errors import (
    AudioTooLong,
    AudioTooShort,
    InvalidRequest,
    NotReady,
    Overloaded,
    UnreadableAudio,
)
from engine.sound import apart
from engine.sound.apart import Decoder
from engine.sound.audio import decode


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder(2, seconds=30)  # of the clock, which runs for a busy machine, too
    yield made
    made.close()


def processes() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if apart.__name__ in one.cmdline()]


def computed_s() -> float:
    """Seconds of a core that all of them took."""
    return sum(sum(one.cpu_times()[:2]) for one in processes())


def test_what_is_read_apart_is_what_is_read_here(decoder: Decoder) -> None:
    with ThreadPoolExecutor(4) as pool:
        names = ["WebM Opus", "MP4 AAC", "FLAC", "WAV"] * 3
        heard = pool.map(lambda name: decoder.decode(recorded(name), first_s=1), names)
        for name, samples in zip(names, heard, strict=True):
            assert samples.dtype == np.float32
            assert np.array_equal(samples, decode(recorded(name), first_s=1))


def test_a_refusal_is_the_same_refusal(decoder: Decoder) -> None:
    for body, options, kind in (
        (b"", {}, InvalidRequest),
        (b"no recording", {"name": "It"}, UnreadableAudio),
        (recorded("WAV"), {"max_s": 1}, AudioTooLong),
    ):
        with pytest.raises(kind) as here:
            decode(body, **options)  # type: ignore[arg-type]
        with pytest.raises(kind) as there:
            decoder.decode(body, **options)  # type: ignore[arg-type]
        assert there.value.message == here.value.message


def test_a_file_that_wants_all_memory_is_refused_and_has_none(decoder: Decoder) -> None:
    before, computed = {process.pid for process in processes()}, computed_s()
    for packets in (10_000_000, 60_000_000):  # with room for some of what it wants, and for none
        with pytest.raises((UnreadableAudio, AudioTooShort)):
            decoder.decode(many_packets(packets, 1024), first_s=60)
    assert {process.pid for process in processes()} == before
    assert computed_s() - computed < 10
    for process in processes():
        assert process.memory_info().rss < 250e6


def test_a_process_that_dies_or_hangs_is_followed_by_another(decoder: Decoder) -> None:
    for harm in (signal.SIGKILL, signal.SIGSTOP):
        quick = Decoder(seconds=1)
        try:
            (victim,) = set(processes()) - known(decoder)
            os.kill(victim.pid, harm)
            if harm == signal.SIGSTOP:
                with pytest.raises(UnreadableAudio):
                    quick.decode(recorded("WAV"))
            assert len(quick.decode(recorded("WAV"), first_s=1)) == 16_000
        finally:
            quick.close()


def test_what_ends_each_process_is_refused_after_the_second(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def dies(process: apart._Process, _: object, body: bytes, __: float) -> tuple[None, bytes]:
        asked.append(body)
        process.end()
        return None, b""

    with monkeypatch.context() as patch:
        patch.setattr(apart._Process, "ask", dies)
        with pytest.raises(UnreadableAudio):
            decoder.decode(b"hostile")
    assert asked == [b"hostile"] * 2
    assert len(decoder.decode(recorded("WAV"), first_s=1)) == 16_000


def known(decoder: Decoder) -> set[psutil.Process]:
    found = [decoder._free.get() for _ in range(decoder._processes)]
    for one in found:
        decoder._free.put(one)
    return {psutil.Process(one._popen.pid) for one in found if one}


def test_a_process_that_cannot_start_is_named_and_the_next_caller_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder = Decoder()
    try:
        kill_all_of(decoder)
        for refused, kind in (
            (BlockingIOError(errno.EAGAIN, "fork"), Overloaded),
            (OSError(errno.ENOMEM, "fork"), Overloaded),
            (OSError(errno.EMFILE, "pipe"), Overloaded),
            (FileNotFoundError(errno.ENOENT, "python"), NotReady),
            (PermissionError(errno.EACCES, "python"), NotReady),
        ):
            monkeypatch.setattr(subprocess, "Popen", Raises(refused))
            for ask in (decoder.check, lambda: decoder.decode(recorded("WAV")), Decoder):
                with pytest.raises(kind) as refusal:
                    ask()
                assert type(refusal.value) is kind
                assert int(refusal.value.headers()["Retry-After"]) >= 1
        monkeypatch.undo()
        decoder.check()
        assert len(decoder.decode(recorded("WAV"), first_s=1)) == 16_000
    finally:
        decoder.close()


def test_a_process_that_ends_before_it_is_ready_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dead = tmp_path / "python"
    dead.write_text("#!/bin/sh\nexit 3\n")
    dead.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(dead))
        with pytest.raises(NotReady, match="does not start"):
            Decoder()


def test_no_thread_or_no_memory_to_ask_with_is_named_and_the_next_answer_is_the_next_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder = Decoder()
    try:
        for name, refused in (
            ("threading.Thread.start", RuntimeError("can't start new thread")),
            ("engine.sound.apart._read", MemoryError()),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(name, Raises(refused))
                with pytest.raises(Overloaded, match="no memory, or no process"):
                    decoder.decode(recorded("WAV"), first_s=2)
            assert len(decoder.decode(recorded("WAV"), first_s=1)) == 16_000
    finally:
        decoder.close()


class Raises:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, *_: object, **__: object) -> None:
        raise self._error


def kill_all_of(decoder: Decoder) -> None:
    for victim in known(decoder):
        victim.kill()
        victim.wait(5)


def test_it_ends_with_who_asks() -> None:
    program = (
        "import os, signal\n"
        "from engine.sound.apart import Decoder\n"
        "print(Decoder()._free.get()._popen.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        check=False,
    )
    pid = int(ran.stdout)
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        pytest.fail("it lives on")
