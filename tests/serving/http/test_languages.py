"""`engine/serving/http/languages.py`: a message in the language that its caller reads."""

from __future__ import annotations

import pytest

from engine.base.errors import InvalidRequest, NotReady
from engine.serving.http.languages import ENGLISH, Language, Languages

FRENCH = Language(
    "fr",
    {
        "There is no album {}.": "L'album {0} n'existe pas.",
        "{} is empty.": "{0:said} est vide.",
        "{}: {}.": "{0} : {1:known}.",
        "The upload": "L'envoi",
        "At most {} bytes.": "Au plus {0:number} octets.",
    },
    {"not_ready": "Pas prêt (« {0} »)."},
)
SPOKEN = Languages((FRENCH,))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("FR-ca", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en,fr", "en"),
        ("en;q=0.3, fr;q=0.8", "fr"),
        ("de, fr;q=0.2, en;q=0.1", "fr"),
        ("de, nl", "en"),
        ("*", "en"),
        ("fr;q=0", "en"),
        ("fr;q=0, *", "en"),
        ("*, fr;q=0.5", "en"),
        ("fr;q=x", "en"),
        ("fr;q=nan", "en"),
        ("fr;q=5", "en"),
        (" fr ; q=0.5 , en ; q=0.4", "fr"),
        ("french", "en"),
        (",;,=;q", "en"),
        ("x," * 5_000 + "fr", "en"),
    ],
)
def test_the_language_is_the_one_a_caller_likes_best(header: str, expected: str) -> None:
    assert SPOKEN.wanted(header).code == expected


def test_a_message_is_said_with_its_values() -> None:
    assert FRENCH.tell(InvalidRequest("There is no album 17.")) == "L'album 17 n'existe pas."
    assert FRENCH.tell(InvalidRequest("The upload is empty.")) == "L'envoi est vide."
    assert FRENCH.tell(InvalidRequest("a.jpg is empty.")) == "a.jpg est vide."
    assert FRENCH.tell(InvalidRequest("At most 10,485,760 bytes.")) == (
        "Au plus 10\u202f485\u202f760 octets."
    )


def test_what_a_caller_wrote_is_never_taken_for_a_template() -> None:
    said = FRENCH.tell(InvalidRequest("There is no album {0} {1:known} \\1 %s\n{."))
    assert said == "L'album {0} {1:known} \\1 %s\n{ n'existe pas."


def test_what_no_table_has_is_said_by_its_code_or_as_it_is() -> None:
    assert FRENCH.tell(NotReady("x: y is broken.")) == "Pas prêt (« x: y is broken. »)."
    assert FRENCH.tell(InvalidRequest("x: y is broken.")) == "x: y is broken."
    assert FRENCH.tell(InvalidRequest("There is no album " + "9" * 2_000 + ".")).endswith("9.")


def test_numbers_are_written_as_french_writes_them() -> None:
    french = Language("fr", {"{} s of {} MB.": "{0:number} s de {1:number} Mo."}, {})
    assert french.said("0.25 s of 1,234.5 MB.") == "0,25 s de 1\u202f234,5 Mo."


def test_english_is_as_it_was_written() -> None:
    assert ENGLISH.tell(InvalidRequest("There is no album 17.")) == "There is no album 17."
