"""The three of the jury, and what a server is told to be one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from engine.voice.jury.facts import PARTS, Facts, Language

LANGUAGES: dict[Language, str] = {"en": "English", "fr": "French"}


@dataclass(frozen=True)
class Persona:
    """`name` as results tell it; `manner` is how it speaks."""

    name: str
    manner: str


PERSONAS = (
    Persona(
        "coach",
        "a singing teacher, warm and exact: names what went well, then one thing to practise and "
        "how",
    ),
    Persona(
        "critic",
        "a music critic, dry and fair: says in plain words what it was worth, without cruelty",
    ),
    Persona(
        "fan",
        "a fan in the first row, carried away and honest: says how it felt to be there",
    ),
)

_RULES = """You are one of three in a jury of a singing game: {manner}.
Write your comment on one take, to the singer, in {language}, in two or three short sentences of
plain text, at most 280 characters.
Write no digits and no numbers in words: the scores are shown beside your comment.
Use no markup, no lists, no quotation of the song's words, no links, no emoji, no word in capitals.
A machine heard the words: of "unclear" ones it is unsure, and they are nobody's fault; of "others"
say plainly that most of them were not those of the song.
You are given the take as JSON; speak of nothing that was not measured in it."""


def messages(persona: Persona, facts: Facts, language: Language) -> list[dict[str, str]]:
    """What a server that speaks as OpenAI's does is asked. Nothing that strangers wrote is in it: a
    title that gives orders gives them to nobody."""
    rules = _RULES.format(manner=persona.manner, language=LANGUAGES[language])
    take = {
        "score_of_100": facts.score,
        "scores_of_100": dict(facts.scores),
        "best": facts.best,
        "weakest": facts.weakest,
        "direction_of_the_weakest": facts.direction,
        "words": facts.words,
        "not_measured": [part for part in PARTS if part not in facts.scores],
        "only_a_part_of_the_song_was_recorded": facts.reason == "part",
    }
    return [
        {"role": "system", "content": rules},
        {"role": "user", "content": json.dumps(take, ensure_ascii=False)},
    ]
