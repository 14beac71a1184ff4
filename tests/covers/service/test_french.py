"""`engine/covers/service/french.py`: every message that a request can meet is there in French."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT
from pydantic import TypeAdapter, ValidationError
from said import raised

from engine.base.errors import InvalidRequest, NotReady
from engine.covers.service.french import COVERS
from engine.covers.service.schemas import EmbeddingsRequest
from engine.serving.http.french import MESSAGES, OTHERWISE
from engine.serving.http.languages import Language
from engine.serving.http.messages import describe

TABLE = {**MESSAGES, **COVERS}
FRENCH = Language("fr", TABLE, OTHERWISE)
# All that runs for a request. What opening an artifact raises reaches callers as `not_ready`, with
# a sentence in French around what is for the operator.
ANSWERING = [
    "serving",
    "covers/service",
    "covers/formats",
    "covers/image.py",
    "covers/search.py",
    "covers/question.py",
    "base/names.py",
    "vectors/embeddings.py",
    "vectors/neighbours.py",
]
# Raised at the start, or told by another site of this walk.
ELSEWHERE = {
    "<self.failure.message if self.failure else self._starting>",
    "<first_error(error.errors())>",
    "<str(error.detail)>",
}


def files() -> Iterator[Path]:
    for place in ANSWERING:
        found = PROJECT / "engine" / place
        assert found.exists(), found
        yield from sorted(found.rglob("*.py")) if found.is_dir() else [found]


def test_every_message_that_is_raised_is_in_the_table() -> None:
    found = {message for path in files() for message in raised(path)}
    assert len(found) > 60
    assert sorted(found - set(TABLE) - ELSEWHERE) == []


def test_no_entry_of_the_table_is_left_over() -> None:
    """Each English sentence is written somewhere: what nobody says any more goes."""
    said = {message for path in files() for message in raised(path)}
    source = " ".join(path.read_text() for path in files())
    whole = re.sub(r'"\s*f?"', "", source)
    for english in COVERS:
        pieces = [piece for piece in english.split("{}") if piece.strip(" ()")]
        assert english in said or all(piece in whole for piece in pieces), english


def test_every_value_of_a_template_is_one_of_the_message() -> None:
    for english, french in TABLE.items():
        numbers = [int(number) for number in re.findall(r"\{(\d)(?::\w+)?\}", french)]
        assert all(number < english.count("{}") for number in numbers), english
        french.format(*range(english.count("{}"))) if ":" not in french else None


@pytest.mark.parametrize(
    ("english", "french"),
    [
        (
            "k='x' is not a whole number from 1 to 100.",
            "k='x' n'est pas un nombre entier de 1 à 100.",
        ),
        (
            "'kk' is no parameter of this address; those are k, genre_id.",
            "'kk' n'est pas un paramètre de cette adresse ; elle accepte k, genre_id.",
        ),
        (
            "The upload is not an image we can read (it starts like a PDF). Send a JPEG, PNG, "
            "WebP, GIF, BMP, TIFF, HEIC or AVIF picture.",
            "L'envoi n'est pas une image que nous pouvons lire (elle commence comme un PDF). "
            "Envoyez une image JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC ou AVIF.",
        ),
        (
            "The upload is not an image we can read. Send a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC "
            "or AVIF picture.",
            "L'envoi n'est pas une image que nous pouvons lire. Envoyez une image JPEG, PNG, WebP, "
            "GIF, BMP, TIFF, HEIC ou AVIF.",
        ),
        (
            "PATCH does not work here; another method does. See /docs.",
            "PATCH n'est pas possible ici ; une autre méthode l'est. Voir /docs.",
        ),
    ],
)
def test_a_sentence_reads_well_with_its_values(english: str, french: str) -> None:
    assert FRENCH.tell(InvalidRequest(english)) == french


def test_what_a_file_looks_like_is_said_in_french() -> None:
    from engine.covers import image

    assert [words for _, _, words in image._LOOKALIKES if FRENCH.said(words) is None] == []


def test_what_is_for_the_operator_stays_as_it_is_inside_of_a_french_sentence() -> None:
    told = FRENCH.tell(NotReady("index.faiss has 3 bytes, the manifest says 4: it was cut."))
    assert told.startswith("Le service ne peut pas répondre pour l'instant.")
    assert "index.faiss has 3 bytes" in told
    assert set(OTHERWISE) >= {"not_ready", "invalid_request", "internal", "index_unavailable"}


def invalid(schema: Any, value: Any) -> Iterator[str]:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(schema).validate_python(value)
    yield from (describe({**one, "loc": ("query", "x")}) for one in error.value.errors())


def test_what_the_checks_of_parameters_say_is_in_the_table() -> None:
    from typing import Annotated

    from pydantic import Field

    said = [
        *invalid(int, "x"),
        *invalid(int, "9" * 5_000),
        *invalid(int, 1.5),
        *invalid(Annotated[int, Field(ge=1, le=5)], 0),
        *invalid(Annotated[int, Field(ge=1, le=5)], 9),
        *invalid(float, "x"),
        *invalid(bool, "x"),
        *invalid(Annotated[str, Field(min_length=1)], ""),
        *invalid(Annotated[str, Field(max_length=400)], "x" * 401),
        *invalid(EmbeddingsRequest, []),
        *invalid(EmbeddingsRequest, {"input": 7, "modality": "x", "encoding_format": 3}),
        *invalid(EmbeddingsRequest, {"input": [7], "dimensions": "x", "model": 4}),
        *invalid(EmbeddingsRequest, {}),
    ]
    for message in said:
        assert FRENCH.said(message) is not None, message
