"""What the snippets of the API page ask of sound (`engine.serving.app.snippets`)."""

from __future__ import annotations

from engine.serving.app.snippets import Call

# Route → what its snippets ask.
CALLS = {
    "/api/identify-sound": Call("/api/identify-sound", file="clip.ogg"),
    "/api/search-by-sound": Call("/api/search-by-sound", {"k": 5}, file="clip.ogg"),
    "/api/tracks": Call("/api/tracks", {"q": "night", "limit": 10}),
    "/api/tracks/{track_id}": Call("/api/tracks/17"),
    "/api/tracks/{track_id}/similar": Call("/api/tracks/17/similar", {"k": 5}),
    "/api/tracks/{track_id}/audio": Call("/api/tracks/17/audio", saved_as="track.ogg"),
    "/api/tracks/{track_id}/waveform": Call(
        "/api/tracks/17/waveform", {"format": "png"}, saved_as="waveform.png"
    ),
}
