"""Request and response models: the shapes of "What it answers" in the README."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from engine.covers.question import QueryType


class AlbumModel(BaseModel):
    """An album. A field the catalogue lacks is null; `genre_id` is −1 where none is known."""

    album_id: int
    genre_id: int
    title: str | None
    artist: str | None
    genre: str | None
    year: int | None
    cover_url: str | None = Field(description="null where the artifact holds no covers")


class AlbumResult(AlbumModel):
    similarity_score: float = Field(description="cosine, −1 to 1")


class SearchResponse(BaseModel):
    success: Literal[True] = True
    query_type: QueryType
    artifact: str
    query: str | None = None
    results: list[AlbumResult]
    tracks: list[dict[str, Any]] | None = Field(
        default=None,
        description="of words, where sound is served by an encoder that knows them: the tracks "
        "that sound so, each with its `similarity_score`. Left out where it knows none, or "
        "`genre_id` is given",
    )

    @model_serializer(mode="wrap")
    def _without_what_is_not_there(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = handler(self)
        for name in ("query", "tracks"):
            if body.get(name) is None:
                body.pop(name, None)
        return body


class Evidence(BaseModel):
    """What proves it: how many patches of the cover lie where they must, and where it lies, which
    way round."""

    inliers: int = Field(ge=0)
    quad: list[tuple[float, float]] = Field(
        min_length=4,
        max_length=4,
        description="[x, y] in pixels of the upright picture: the cover's own top left, top right, "
        "bottom right, bottom left; clockwise, or counter-clockwise where it is mirrored",
    )
    mirrored: bool = Field(description="whether it is seen as in a mirror: front cameras do that")


class IdentifyResponse(BaseModel):
    decision: Literal["match", "ambiguous", "no_match", "unsure"]
    confidence: float = Field(
        ge=0,
        le=1,
        description="of all answers given with 0.9, nine in ten are right; if unsure, that of its "
        "candidate, or 0",
    )
    album: AlbumResult | None = Field(description="null unless it is a match")
    evidence: Evidence | None = Field(description="null where nothing was proven")
    candidates: list[AlbumResult]


_ALBUM = {
    "album_id": 17,
    "genre_id": 3,
    "title": "Night Garden",
    "artist": "The Lanterns",
    "genre": "jazz",
    "year": 1974,
    "cover_url": "/api/albums/17/cover",
    "similarity_score": 0.83,
}
_MATCH = {
    "decision": "match",
    "confidence": 0.997,
    "album": _ALBUM,
    "evidence": {
        "inliers": 34,
        "quad": [[212.4, 96.0], [655.1, 121.7], [630.8, 566.2], [188.0, 541.9]],
        "mirrored": False,
    },
    "candidates": [_ALBUM, {**_ALBUM, "album_id": 40, "title": "Slow Rooms"}],
}
# FastAPI drops every null from the document, so an example with `"album": null` would mislead.
IDENTIFY_EXAMPLES = {
    "match": {"summary": "It is this album", "value": _MATCH},
    "many": {"summary": "?many=true: one answer a sleeve", "value": {"answers": [_MATCH]}},
}


class IdentifyManyResponse(BaseModel):
    """`?many=true`: an answer for every sleeve found, the surest first found; none is no sleeve."""

    answers: list[IdentifyResponse]


class AlbumsPage(BaseModel):
    total: int
    albums: list[AlbumModel]


class GenreModel(BaseModel):
    genre_id: int
    genre: str | None
    albums: int


class Health(BaseModel):
    status: Literal["healthy", "degraded"]
    total_albums: int
    artifact: str | None
    encoder: str | None
    runtime: str | None
    precision: str | None


class EmbeddingsRequest(BaseModel):
    """OpenAI's request, and `modality`: without it a data URI is a picture and all else words.
    What is null is as if it were left out."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"model": "starter", "input": ["a red album cover"]}]},
    )

    model: str | None = None
    input: str | list[str]
    modality: Literal["text", "image"] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None

    @property
    def inputs(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class EmbeddingRow(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    object: Literal["list"] = "list"
    data: list[EmbeddingRow]
    model: str
    usage: Usage


class Model(BaseModel):
    """`created` is 0: an artifact has the hash of what it was made of, and no date."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str


class Models(BaseModel):
    """OpenAI's list of models: the one encoder."""

    object: Literal["list"] = "list"
    data: list[Model]
