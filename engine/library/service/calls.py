"""What the snippets of the API page ask of the library (`engine.serving.app.snippets`)."""

from __future__ import annotations

from engine.serving.app.snippets import Call

_JOB = "4f9c1d0a5b6e4c7f8a9b0c1d2e3f4a5b"
_TRACK = 1_000_000_001

# Route → what its snippets ask.
CALLS = {
    "/api/v1/upload/file": Call(
        "/api/v1/upload/file", file="track.mp3", form={"title": "Night Garden"}
    ),
    "/api/v1/process/submit": Call(
        "/api/v1/process/submit", body={"url": "https://example.com/track.mp3"}
    ),
    "/api/v1/upload/youtube": Call(
        "/api/v1/upload/youtube", body={"url": "https://www.youtube.com/watch?v=aqz-KE-bpKQ"}
    ),
    "/api/v1/upload/spotify": Call(
        "/api/v1/upload/spotify",
        body={"url": "https://open.spotify.com/track/6rqhFgbbKwnb9MLmUQDhG6"},
    ),
    "/api/v1/jobs/{job_id}": Call(f"/api/v1/jobs/{_JOB}"),
    "/api/v1/jobs/{job_id}/events": Call(f"/api/v1/jobs/{_JOB}/events", saved_as="events.txt"),
    "/api/v1/jobs/{job_id}/cancel": Call(f"/api/v1/jobs/{_JOB}/cancel", method="POST"),
    "/api/v1/jobs/{job_id}/retry": Call(f"/api/v1/jobs/{_JOB}/retry", method="POST"),
    "/api/v1/samples": Call("/api/v1/samples", {"q": "night", "bpm": "90-100", "limit": 10}),
    "/api/v1/samples/{track_id}": Call(f"/api/v1/samples/{_TRACK}"),
    "/api/v1/samples/{track_id}/download": Call(
        f"/api/v1/samples/{_TRACK}/download", {"format": "wav"}, method="POST"
    ),
    "/api/v1/results/{track_id}": Call(f"/api/v1/results/{_TRACK}"),
    "/api/v1/results/{track_id}/similar": Call(f"/api/v1/results/{_TRACK}/similar", {"k": 5}),
    "/api/v1/results/{track_id}/preview": Call(
        f"/api/v1/results/{_TRACK}/preview", saved_as="preview.mp3"
    ),
    "/api/v1/health": Call("/api/v1/health"),
}
