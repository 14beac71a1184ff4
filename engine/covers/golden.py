"""A few queries with the answers they had at build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import GoldenQueryFailed
from engine.covers.encoder.encoder import Encoder
from engine.covers.image import Pixels
from engine.covers.manifest import GOLDEN
from engine.vectors.embeddings import Embeddings
from engine.vectors.neighbours import VectorIndex

# Another runtime or precision moves an embedding a little (int8: cosine 0.9998 to fp32 on
# ViT-B/32); another encoder moves it to an unrelated place (0.15 seen in the field).
GOLDEN_COSINE = 0.98
ALL, FIRST = slice(None), slice(1)


@dataclass(frozen=True)
class GoldenQueries:
    """A few queries with the embeddings they had at build: they catch a wrong or broken encoder.

    `pixels` (I, S, S, 3) uint8, `image_vectors` (I, D) and `text_vectors` (T, D) float32 unit rows,
    `texts` T strings, `album_ids` (I,) int64: the album each picture must find first, −1 for any.
    """

    texts: tuple[str, ...]
    text_vectors: Embeddings
    pixels: Pixels
    image_vectors: Embeddings
    album_ids: NDArray[np.int64]

    def write(self, path: Path) -> None:
        np.savez_compressed(
            path,
            texts=np.array(self.texts, dtype=np.str_),
            text_vectors=self.text_vectors,
            pixels=self.pixels,
            image_vectors=self.image_vectors,
            album_ids=self.album_ids,
        )

    @classmethod
    def read(cls, path: Path) -> GoldenQueries:
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return cls(
                    tuple(str(text) for text in file["texts"]),
                    file["text_vectors"],
                    file["pixels"],
                    file["image_vectors"],
                    file["album_ids"],
                )
        except Exception as error:
            # A damaged .npz makes zipfile, zlib and numpy raise some ten kinds of error.
            raise GoldenQueryFailed(f"{path.name} cannot be read ({error}).") from error

    def rest(self) -> list[slice]:
        """All but the `FIRST`, a picture and a text at a time."""
        return [slice(i, i + 1) for i in range(1, max(len(self.pixels), len(self.texts)))]

    def check(self, encoder: Encoder, index: VectorIndex, among: slice = ALL) -> None:
        """Run every query, or the pictures and the texts `among` them, through both towers and the
        index; `GoldenQueryFailed` says which broke.

        Doubles as the warm-up: afterwards both towers and the index have answered once.
        """
        side = encoder.preprocessing.size
        if (
            self.pixels.dtype != np.uint8
            or self.pixels.shape[1:] != (side, side, 3)
            or self.album_ids.shape != (len(self.pixels),)
            or self.image_vectors.ndim != 2
            or self.text_vectors.ndim != 2
            or not len(self.pixels)
            or not self.texts
        ):
            raise GoldenQueryFailed(
                f"{GOLDEN} does not hold pictures of {side} × {side} pixels, texts and an "
                "embedding of each. Build the artifact again."
            )
        first = among.start or 0
        asked, said = self.pixels[among], self.texts[among]
        images = encoder.embed_images(asked) if len(asked) else self.image_vectors[:0]
        texts = encoder.embed_texts(said) if said else self.text_vectors[:0]
        for what, now, then in (
            ("picture", images, self.image_vectors[among]),
            ("text", texts, self.text_vectors[among]),
        ):
            if now.shape != then.shape:
                raise GoldenQueryFailed(
                    f"The encoder gives {now.shape} for the golden {what}s, the artifact was built "
                    f"with {then.shape}."
                )
            cosines = np.sum(now * then, axis=1)
            if len(cosines) and not cosines.min() >= GOLDEN_COSINE:  # NaN fails too
                worst = int(cosines.argmin())
                raise GoldenQueryFailed(
                    f"Golden {what} {first + worst} has cosine {cosines[worst]:.3f} to its "
                    f"embedding at build (at least {GOLDEN_COSINE} expected): this is not the "
                    "encoder the index was built with, or it computes wrongly here. Build the "
                    "artifact again."
                )
        for i, neighbours in enumerate(index.search(images, 3) if len(images) else []):
            wanted = int(self.album_ids[first + i])
            if wanted < 0 or wanted in [neighbour.id for neighbour in neighbours]:
                continue
            # A catalogue may hold the same cover ten times: then any of them may come first.
            try:
                own = float(index.vectors([wanted])[0] @ images[i])
            except KeyError:
                own = -1.0
            if not neighbours or own < neighbours[-1].similarity - 1e-3:
                raise GoldenQueryFailed(
                    f"Golden picture {first + i} is the cover of album {wanted}, which is not "
                    "among its three nearest: index and encoder do not belong together. Build it "
                    "again."
                )
        if len(texts):
            index.search(texts, 1)
