"""The stand-in's voice: songs to choose from, a short one to sing to, and one session, which is in
the state that a test says."""

from __future__ import annotations

import io
import math
import re
import struct
import wave
from typing import Any

from engine.serving.http.page import Reply

from .fake_sound import track

SESSION = "take-1"
SONG_S = 3.6
RATE = 8_000
HZ = 220.0  # A3, MIDI 57, all along
LINES = ("Low the tide and slow the bell", "Paper moon above the swell", "Carry me home")


def song() -> bytes:
    """A WAV of `SONG_S` s: one quiet note."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        samples = (
            round(3_000 * math.sin(2 * math.pi * HZ * n / RATE))
            for n in range(round(SONG_S * RATE))
        )
        file.writeframes(b"".join(struct.pack("<h", value) for value in samples))
    return written.getvalue()


def lyrics() -> list[dict[str, Any]]:
    return [
        {"text": text, "from_s": 1.2 * n, "to_s": 1.2 * n + 1.1} for n, text in enumerate(LINES)
    ]


def reference(**more: Any) -> dict[str, Any]:
    """What a session's status tells of its song once that is there."""
    curve = [[n / 10, None if n % 20 > 17 else 57.0] for n in range(round(SONG_S * 10))]
    parts = ["original", "instrumentals", "vocals"]
    told = {"duration_s": float(SONG_S), "curve": curve, "lyrics": lyrics(), "audio": parts}
    return told | more


def judged(**more: Any) -> dict[str, Any]:
    """Results, in the contract's shape."""

    def phrase(place: int, text: str) -> dict[str, Any]:
        begin = 2.0 * place
        cents = [
            [begin + n / 20, None if 15 < n < 18 else 60 * math.sin(n / 4 + place) - 12]
            for n in range(36)
        ]
        return {
            "from_s": begin,
            "to_s": begin + 1.8,
            "user_from_s": begin + 0.1,
            "user_to_s": begin + 1.9,
            "text": text,
            "score": 88.0 - 7 * place,
            "cents": cents,
        }

    told: dict[str, Any] = {
        "score": 78.4,
        "pitch": {"score": 81, "weight": 0.4, "median_cents": -12, "within_50_cents": 0.74},
        "rhythm": {"score": 72, "weight": 0.3, "median_ms": 85},
        "lyrics": {"score": 80, "weight": 0.3, "wer": 0.2},
        "not_measured": [],
        "latency_s": 0.1,
        "transposition": {"offered": 0, "accepted": 0},
        "phrases": [phrase(place, text) for place, text in enumerate(LINES)],
        "reason": None,
        "jury": [
            {"persona": who, "comment": said, "by": by, "language": "en"}
            for who, by, said in (
                ("coach", "template", "A steady line; breathe before the bell."),
                ("critic", "openai-compatible", "<b>Warm</b>, a little late, and honest."),
                ("fan", "second", "<b>Warm</b>, a little late, and honest."),
            )
        ],
    }
    return told | more


class FakeVoice:
    """`told` is the status of the one session there is, `working` how far its analysis is: a test
    changes them. `result` is what came of it, `parts` what can be heard of it; nothing is while
    it is `mute`."""

    def __init__(self, **told: Any) -> None:
        self.told: dict[str, Any] = {
            "session_id": SESSION,
            "state": "ready",
            "step": None,
            "progress": None,
            "error": None,
            "title": "Low Tide 5",
            "artist": "Ida Marlow",
            "track_id": 5,
            "url": None,
            "bpm": 133.0,
            "reference": reference(),
        } | told
        self.working: dict[str, Any] = {"state": "done", "step": None, "progress": 1.0}
        self.result = judged()
        self.parts = {"user": ["original", "vocals"], "ref": ["original", "vocals"]}
        self.past = [
            {
                "session_id": SESSION,
                "analysis": 2,
                "title": "Paper Moon 7",
                "artist": "The Lanterns",
                "score": 64.2,
                "created_at": "2026-11-27T20:15:00Z",
            }
        ]
        self.mute = False
        self.refusal: tuple[int, str, str] | None = None
        self._song = song()

    def health(self) -> dict[str, Any]:
        return {"status": "healthy"}

    def media(self, path: str, wanted: str | None) -> Reply | None:
        """The song, or the part that is wanted; the take is the same."""
        if not re.fullmatch(r"/api/audio/[\w-]+/(user|ref)/\w+", path) or self.mute:
            return None
        headers = {"Content-Type": "audio/wav", "Accept-Ranges": "bytes"}
        if not (found := re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")):
            return Reply(200, headers, self._song)
        begin, end = int(found[1]), int(found[2] or len(self._song) - 1)
        headers["Content-Range"] = f"bytes {begin}-{end}/{len(self._song)}"
        return Reply(206, headers, self._song[begin : end + 1])

    def answer(self, path: str, options: dict[str, str]) -> tuple[int, Any] | None:
        if self.refusal and re.match(r"/api/session/(start|.*/upload-recording)", path):
            status, code, message = self.refusal
            return status, {"error": {"code": code, "message": message}}
        if path in ("/api/search/tracks", "/api/search/recent"):
            words = options.get("q", "").lower()
            songs = [track(n) for n in (5, 0, 2) if words in str(track(n)["title"]).lower()]
            return 200, {"total": len(songs), "tracks": songs}
        if path == "/api/results/history":
            return 200, {"results": self.past}
        if path == f"/api/audio/{SESSION}/tracks":
            return 200, self.parts
        if path == "/api/session/start":
            return 202, {"session_id": SESSION, "state": "preparing", "status_url": "/x"}
        if path == f"/api/session/{SESSION}":
            return 200, {"session_id": SESSION, "deleted": True}
        found = re.fullmatch(rf"/api/session/{SESSION}/([\w-]+)", path)
        if found is None and path.startswith("/api/session/"):
            return 404, {"error": {"code": "session_not_found", "message": "There is none."}}
        return self._of_session(found[1]) if found else None

    def _of_session(self, what: str) -> tuple[int, Any]:
        if what == "status":
            return 200, self.told
        if what == "analysis-status":
            if self.working["state"] == "done":
                self.told["state"] = "done"
            return 200, self.working
        if what == "analyze":
            self.told["state"] = "analyzing"
        if what == "results":
            return 200, self.result
        return 200, {"session_id": SESSION, "state": self.told["state"]}
