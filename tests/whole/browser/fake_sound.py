"""The stand-in's sound: tracks of the contract's shape, one second of audio for all of them."""

from __future__ import annotations

import io
import math
import re
import struct
import wave
from typing import Any

from engine.serving.http.page import Reply

TRACKS = 40
SECONDS = 30


def track(number: int, **more: Any) -> dict[str, Any]:
    """Track `number`; 7 may not be heard, 9 has no words, 11 no album."""
    words = ("Low Tide", "Iron Bell", "Paper Moon", "Night Bus", "Long Grass")
    entry: dict[str, Any] = {
        "track_id": number,
        "title": None if number == 9 else f"{words[number % 5]} {number}",
        "artist": None if number == 9 else ("Ida Marlow", "The Lanterns")[number % 2],
        "album": "Blue Harbour" if number % 3 else None,
        "album_id": None if number == 11 else number,
        "year": 1970 + number,
        "genre": ("Jazz", "Dub", "Folk", "Ambient", "Punk")[number % 5],
        "duration_s": float(SECONDS),
        "bpm": 92.4,
        "key": "D minor",
        "licence": "CC0-1.0",
        "audio_url": None if number == 7 else f"/api/tracks/{number}/audio",
        "waveform_url": f"/api/tracks/{number}/waveform",
    }
    return entry | more


def heard(number: int = 3, offset_s: float = 12.3) -> dict[str, Any]:
    evidence = {"offset_s": offset_s, "votes": 14, "clip_s": 4.0, "speed": 1.0}
    return {
        "decision": "match",
        "confidence": 0.987,
        "track": track(number),
        "evidence": evidence,
        "candidates": [track(number, offset_s=offset_s, votes=14)],
    }


def unheard(reason: str = "no_agreement") -> dict[str, Any]:
    return {
        "decision": "no_match",
        "confidence": 0.9,
        "track": None,
        "evidence": None,
        "candidates": [],
        "reason": reason,
    }


def tone() -> bytes:
    """A WAV of `SECONDS` at 8 kHz."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        second = b"".join(
            struct.pack("<h", round(3_000 * math.sin(n * 0.3456))) for n in range(8_000)
        )
        file.writeframes(second * SECONDS)
    return written.getvalue()


class FakeSound:
    """What identify-sound answers, one after the other; the last again and again."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers) or [heard()]
        self.refusal = ""
        self.artifact = "f"
        self.alone = False
        self._tone = tone()

    def health(self) -> dict[str, Any]:
        return {"total_tracks": TRACKS, "artifact": self.artifact, "encoder": "musicnn"}

    def media(self, path: str, wanted: str | None) -> Reply | None:
        """A track's audio, or the part that is wanted."""
        if not re.fullmatch(r"/api/tracks/\d+/audio", path):
            return None
        headers = {"Content-Type": "audio/wav", "Accept-Ranges": "bytes"}
        if not (found := re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")):
            return Reply(200, headers, self._tone)
        begin, end = int(found[1]), int(found[2] or len(self._tone) - 1)
        headers["Content-Range"] = f"bytes {begin}-{end}/{len(self._tone)}"
        return Reply(206, headers, self._tone[begin : end + 1])

    def answer(self, path: str, options: dict[str, str]) -> tuple[int, Any] | None:
        if path == "/api/identify-sound" and self.refusal:
            return 415, {"error": {"code": self.refusal, "message": "No."}}
        if path == "/api/identify-sound":
            return 200, self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.alone and path.startswith(("/api/albums", "/api/genres")):
            return 404, {"error": {"code": "not_found", "message": f"There is no {path}."}}
        k = int(options.get("k", 5))
        if path == "/api/search-by-sound":
            return 200, {"results": [track(n, similarity_score=0.8) for n in range(k)]}
        if path == "/api/tracks":
            return 200, self._page(options)
        if found := re.fullmatch(r"/api/tracks/(\d+)(/similar|/waveform)?", path):
            return self._one(int(found[1]), found[2], k, options)
        return None

    def _page(self, options: dict[str, str]) -> dict[str, Any]:
        tracks = [track(n) for n in range(TRACKS)]
        if "genre" in options:
            tracks = [one for one in tracks if one["genre"] == options["genre"]]
        if "album_id" in options:
            tracks = [one for one in tracks if str(one["album_id"]) == options["album_id"]]
        if "q" in options:
            words = options["q"].lower().split()
            tracks = [one for one in tracks if all(w in str(one["title"]).lower() for w in words)]
        begin = int(options.get("offset", 0))
        return {"total": len(tracks), "tracks": tracks[begin : begin + int(options["limit"])]}

    def _one(
        self, number: int, part: str | None, k: int, options: dict[str, str]
    ) -> tuple[int, Any]:
        if number >= TRACKS:
            error = {"code": "track_not_found", "message": f"There is no track {number}."}
            return 404, {"error": error}
        if part == "/waveform":
            points = int(options["points"])
            peaks = [[-0.5 * (n % 7) / 7, 0.6 * (n % 5) / 5] for n in range(points)]
            return 200, {"duration_s": SECONDS, "peaks": peaks}
        if part == "/similar":
            near = [(number + n + 1) % TRACKS for n in range(k)]
            because = "Both: slow, piano; D minor"
            return 200, {"results": [track(n, similarity_score=0.7, because=because) for n in near]}
        return 200, track(number)
