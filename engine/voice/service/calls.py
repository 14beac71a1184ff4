"""What the snippets of the API page ask of voice (`engine.serving.app.snippets`)."""

from __future__ import annotations

from engine.serving.app.snippets import Call

_ID = "4f9c1d0a5b6e4c7f8a9b0c1d2e3f4a5b"
_AT = f"/api/session/{_ID}"
_ANY = "/api/session/{session_id}"
_TRACK = 12

# Route → what its snippets ask.
CALLS = {
    "/api/session/start": Call("/api/session/start", body={"track_id": _TRACK}),
    f"{_ANY}/fallback-source": Call(
        f"{_AT}/fallback-source", body={"url": "https://example.com/song.mp3"}
    ),
    f"{_ANY}/status": Call(f"{_AT}/status"),
    f"{_ANY}/upload-recording": Call(f"{_AT}/upload-recording", file="take.webm"),
    f"{_ANY}/analyze": Call(f"{_AT}/analyze", body={"transposition": 0}),
    f"{_ANY}/analysis-status": Call(f"{_AT}/analysis-status"),
    f"{_ANY}/results": Call(f"{_AT}/results"),
    f"{_ANY}/lyrics": Call(f"{_AT}/lyrics"),
    f"{_ANY}/lyrics-offset": Call(f"{_AT}/lyrics-offset"),
    _ANY: Call(_AT, method="DELETE"),
    "/api/search/tracks": Call("/api/search/tracks", {"q": "night", "limit": 10}),
    "/api/search/tracks/{track_id}": Call(f"/api/search/tracks/{_TRACK}"),
    "/api/search/recent": Call("/api/search/recent", {"limit": 5}),
    "/api/audio/{session_id}/tracks": Call(f"/api/audio/{_ID}/tracks"),
    "/api/audio/{session_id}/{who}/{what}": Call(
        f"/api/audio/{_ID}/user/vocals", saved_as="vocals.flac"
    ),
    "/api/lyrics/track/{track_id}": Call(f"/api/lyrics/track/{_TRACK}"),
    "/api/lyrics/word-timestamps/{track_id}": Call(f"/api/lyrics/word-timestamps/{_TRACK}"),
    "/api/lyrics/word-timestamps/generate": Call(
        "/api/lyrics/word-timestamps/generate", body={"track_id": _TRACK}
    ),
    "/api/lyrics/word-timestamps/task/{task_id}": Call(f"/api/lyrics/word-timestamps/task/{_ID}"),
    "/api/results/history": Call("/api/results/history", {"limit": 10}),
}
