"""What the snippets of the API page ask of covers (`engine.serving.app.snippets`)."""

from __future__ import annotations

from engine.serving.app.snippets import Call

# Route → what its snippets ask.
CALLS = {
    "/api/search-by-image": Call("/api/search-by-image", {"k": 5}, file="photo.jpg"),
    "/api/search-by-text": Call("/api/search-by-text", {"query": "a red moon", "k": 5}),
    "/api/search": Call(
        "/api/search", file="photo.jpg", form={"query": "at night", "negative": "people"}
    ),
    "/api/identify": Call("/api/identify", file="photo.jpg"),
    "/api/albums": Call("/api/albums", {"q": "night", "limit": 10}),
    "/api/albums/{album_id}": Call("/api/albums/17"),
    "/api/albums/{album_id}/similar": Call("/api/albums/17/similar", {"k": 5}),
    "/api/albums/{album_id}/cover": Call("/api/albums/17/cover", saved_as="cover.webp"),
    "/api/genres": Call("/api/genres"),
    "/v1/embeddings": Call(
        "/v1/embeddings", body={"model": "starter", "input": ["a red album cover"]}
    ),
    "/v1/models": Call("/v1/models"),
}
