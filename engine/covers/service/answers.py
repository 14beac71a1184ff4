"""Requests → response models: one method an operation, shared by every way in.

FastAPI's routes, BentoML's typed APIs and `/v1/embeddings` all end here, so that the same question
has the same answer whichever client asked it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.base.errors import CoverNotFound, InvalidRequest
from engine.base.settings import Settings
from engine.covers.question import QueryType, Wanted, cut_text
from engine.covers.service.asking import AsyncSearch
from engine.covers.service.forms import Sent, data_uri, is_picture
from engine.covers.service.schemas import (
    AlbumModel,
    AlbumResult,
    AlbumsPage,
    EmbeddingRow,
    EmbeddingsRequest,
    EmbeddingsResponse,
    Evidence,
    GenreModel,
    Health,
    IdentifyManyResponse,
    IdentifyResponse,
    Model,
    Models,
    SearchResponse,
    Usage,
)
from engine.serving.app.capability import FindByWords
from engine.serving.http.prefix import prefix_here

if TYPE_CHECKING:
    from engine.covers.catalogue import Album
    from engine.covers.identify.identifier import Identification
    from engine.covers.search import Hit

# Of the inputs of one request, so many are embedded before the next are begun: a thousand that
# wait for the encoder would keep every other caller behind them.
AT_ONCE = 256


class Answers:
    def __init__(
        self, search: AsyncSearch, settings: Settings, by_words: FindByWords | None = None
    ) -> None:
        self._search = search
        self._settings = settings
        self._by_words = by_words

    async def by_image(self, data: bytes, wanted: Wanted) -> SearchResponse:
        vector = await self._search.image_vector(data)
        return self._response("image", await self._search.by_vector(vector, wanted))

    async def by_text(self, query: str, wanted: Wanted) -> SearchResponse:
        hits, tracks = await asyncio.gather(
            self._hits_by_text(query, wanted), self._tracks_by_text(query, wanted)
        )
        return self._response("text", hits, query, tracks)

    async def _hits_by_text(self, query: str, wanted: Wanted) -> list[Hit]:
        vector = await self._search.text_vector(cut_text(query))
        return await self._search.by_vector(vector, wanted)

    async def _tracks_by_text(self, query: str, wanted: Wanted) -> list[dict[str, Any]] | None:
        """None where nobody knows words for tracks, or a genre of covers is asked for."""
        if self._by_words is None or wanted.genre_id is not None:
            return None
        return await self._by_words(query, wanted.k, wanted.min_score)

    async def by_all(self, sent: Sent) -> SearchResponse:
        """One query of any of picture, words and unwanted words."""
        from engine.covers.search import combine

        image = await self._search.image_vector(sent.image) if sent.image is not None else None
        text = await self._search.text_vector(cut_text(sent.query)) if sent.query else None
        negative = (
            await self._search.text_vector(cut_text(sent.negative)) if sent.negative else None
        )
        vector = combine(image, text, negative, sent.image_weight)
        words = sent.query is not None or sent.negative is not None
        kind: QueryType = "image" if not words else "text" if sent.image is None else "mixed"
        hits = await self._search.by_vector(vector, sent.wanted)
        return self._response(kind, hits, sent.query)

    async def identify(self, data: bytes) -> IdentifyResponse:
        """Which album a picture shows, if any."""
        [answer] = await self._search.identify(data)
        return self._identified(answer)

    async def glimpse(self, data: bytes) -> IdentifyResponse:
        """Which album a picture clearly shows, or that it is not clear."""
        return self._identified(await self._search.glimpse(data))

    async def identify_many(self, data: bytes) -> IdentifyManyResponse:
        found = await self._search.identify(data, many=True)
        return IdentifyManyResponse(answers=[self._identified(answer) for answer in found])

    async def similar(self, album_id: int, wanted: Wanted) -> SearchResponse:
        return self._response("album", await self._search.similar(album_id, wanted))

    async def albums(
        self, offset: int, limit: int, genre_id: int | None, words: str | None = None
    ) -> AlbumsPage:
        """A page of all albums in order of their ids, or of those that are called by `words`."""
        catalogue = await self._search.catalogue()
        if words is not None:
            among = {} if genre_id is None else {"genre_id": genre_id}
            find = catalogue.names.search
            named = partial(find, offset=offset, limit=limit, among=among)
            total, ids = await self._search.beside(named, words)
            known = catalogue.albums(ids)
            found = [known[album_id] for album_id in ids if album_id in known]
            return AlbumsPage(total=total, albums=[self._album(album) for album in found])
        total = len(catalogue)
        if genre_id is not None:
            genre = catalogue.genre(genre_id)
            total = genre.albums if genre else 0
        page = catalogue.page(offset, limit, genre_id)
        return AlbumsPage(total=total, albums=[self._album(album) for album in page])

    async def album(self, album_id: int) -> AlbumModel:
        return self._album(await self._search.album(album_id))

    async def cover(self, album_id: int) -> bytes:
        """WebP or JPEG bytes. Raises `AlbumNotFound`, `CoverNotFound`."""
        album = await self._search.album(album_id)
        image = (await self._search.catalogue()).thumbnail(album.album_id)
        if image is None:
            raise CoverNotFound(
                f"The catalogue holds album {album_id} but no picture of its cover."
            )
        return image

    async def genres(self) -> list[GenreModel]:
        catalogue = await self._search.catalogue()
        return [
            GenreModel(genre_id=row.genre_id, genre=row.genre, albums=row.albums)
            for row in catalogue.genres()
        ]

    async def embeddings(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
        """OpenAI's `/v1/embeddings`: texts, and pictures as data URIs, each by its own kind."""
        inputs, modality = request.inputs, request.modality
        pictures = [is_picture(item, modality, i) for i, item in enumerate(inputs)]
        await self._search.search()
        about = self._search.about
        if request.dimensions not in (None, about.dimension):
            raise InvalidRequest(f"'dimensions' must be {about.dimension}, the encoder's own.")
        texts = [cut_text(item) for item, known in zip(inputs, pictures, strict=True) if not known]
        tokens = await self._search.count_tokens(texts) if texts else 0
        rows: list[Any] = []
        for begin in range(0, len(inputs), AT_ONCE):
            piece = slice(begin, begin + AT_ONCE)
            rows += await self._embedded(inputs[piece], pictures[piece])
        encode = _base64 if request.encoding_format == "base64" else _floats
        found: EmbeddingsResponse = await self._search.beside(
            _embeddings, rows, encode, about.encoder, tokens
        )
        return found

    async def _embedded(self, inputs: Sequence[str], pictures: Sequence[bool]) -> list[Any]:
        limit, calls = self._settings.max_upload_bytes, []
        for item, is_one in zip(inputs, pictures, strict=True):
            if is_one:
                data = await self._search.beside(data_uri, item, limit)
                calls.append(self._search.image_vector(data))
            else:
                calls.append(self._search.text_vector(cut_text(item)))
        return await asyncio.gather(*calls)

    def models(self) -> Models:
        """Raises `NotReady`."""
        return Models(data=[Model(id=self._search.about.encoder, owned_by="shazam-visual")])

    def health(self) -> Health:
        """Never raises: `degraded` where a search cannot be answered."""
        if not self._search.ready:
            return Health(
                status="degraded",
                total_albums=0,
                artifact=None,
                encoder=None,
                runtime=None,
                precision=None,
            )
        about = self._search.about
        return Health(
            status="healthy",
            total_albums=about.albums,
            artifact=about.artifact,
            encoder=about.encoder,
            runtime=about.runtime,
            precision=about.precision,
        )

    def _response(
        self,
        kind: QueryType,
        hits: Sequence[Hit],
        query: str | None = None,
        tracks: list[dict[str, Any]] | None = None,
    ) -> SearchResponse:
        return SearchResponse(
            query_type=kind,
            artifact=self._search.artifact_id,
            query=query,
            results=self._results(hits),
            tracks=tracks,
        )

    def _results(self, hits: Sequence[Hit]) -> list[AlbumResult]:
        return [
            AlbumResult(**self._fields(hit.album), similarity_score=round(hit.similarity, 6))
            for hit in hits
        ]

    def _identified(self, answer: Identification) -> IdentifyResponse:
        results = self._results(self._search.hits(answer.candidates, Wanted()))
        evidence = None
        if answer.quad is not None and answer.inliers is not None:
            corners = [(round(float(x), 1), round(float(y), 1)) for x, y in answer.quad]
            evidence = Evidence(inliers=answer.inliers, quad=corners, mirrored=answer.mirrored)
        return IdentifyResponse(
            decision=answer.decision,
            confidence=round(answer.confidence, 4),
            album=next((r for r in results if r.album_id == answer.album_id), None),
            evidence=evidence,
            candidates=results,
        )

    def _album(self, album: Album) -> AlbumModel:
        return AlbumModel(**self._fields(album))

    def _fields(self, album: Album) -> dict[str, Any]:
        has_covers = self._search.has_covers
        return {
            "album_id": album.album_id,
            "genre_id": album.genre_id,
            "title": album.title,
            "artist": album.artist,
            "genre": album.genre,
            "year": album.year,
            "cover_url": f"{prefix_here()}/api/albums/{album.album_id}/cover"
            if has_covers
            else None,
        }


def _embeddings(
    rows: Sequence[Any], encode: Callable[[Any], list[float] | str], encoder: str, tokens: int
) -> EmbeddingsResponse:
    return EmbeddingsResponse(
        data=[EmbeddingRow(index=i, embedding=encode(row)) for i, row in enumerate(rows)],
        model=encoder,
        usage=Usage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _floats(row: Any) -> list[float]:
    values: list[float] = row.tolist()
    return values


def _base64(row: Any) -> str:
    # Little-endian float32, as OpenAI's client expects.
    return base64.b64encode(row.astype("<f4").tobytes()).decode()
