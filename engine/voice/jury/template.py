"""What each of the jury says where no server does: by the score, by what was weakest, and how."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping

from engine.voice.jury.facts import Facts, Language
from engine.voice.jury.unjudged import of_a_part, why

# Scores of 100 at which another opening begins: poor, fair, good, very good, splendid.
STEPS = (35.0, 55.0, 75.0, 90.0)

_OPENINGS: Mapping[Language, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "coach": (
            "A hard song, and you dared to sing it: that is where learning begins.",
            "There is a voice in there, and some lines already sit well.",
            "Well sung: most of it is where it should be.",
            "Very well sung, with only small things left to polish.",
            "Splendid: there is hardly anything I could still teach you here.",
        ),
        "critic": (
            "The song and the singer went separate ways tonight.",
            "A beginning, with more goodwill than precision.",
            "A decent take, with moments that I would hear again.",
            "A fine take that knows what it wants.",
            "I looked for something to complain about, and I am still looking.",
        ),
        "fan": (
            "You dared to get up there, and that already deserves a cheer.",
            "I was humming along, and now and then you really had me.",
            "I sang along with you, that was fun.",
            "Wow, what a moment, I had goosebumps.",
            "I am speechless, I want that again from the beginning.",
        ),
    },
    "fr": {
        "coach": (
            "Une chanson difficile, et tu as osé la chanter : c'est là que l'on apprend.",
            "Il y a une voix là-dedans, et certaines phrases tombent déjà bien.",
            "Bien chanté : l'essentiel est à sa place.",
            "Très bien chanté, il ne reste que des détails à polir.",
            "Magnifique : il n'y a presque plus rien que je puisse t'apprendre ici.",
        ),
        "critic": (
            "La chanson et la voix sont allées chacune de leur côté ce soir.",
            "Un début, avec plus de bonne volonté que de précision.",
            "Une prise honnête, avec des moments que je réécouterais.",
            "Une belle prise, qui sait ce qu'elle veut.",
            "J'ai cherché de quoi me plaindre, et je cherche encore.",
        ),
        "fan": (
            "Tu as osé monter sur scène, et rien que pour ça je t'applaudis.",
            "Je fredonnais avec toi, et par moments tu m'as vraiment eu.",
            "J'ai chanté avec toi, et c'était un plaisir.",
            "Quel moment, j'en ai eu des frissons.",
            "Je reste sans voix, je veux la réentendre depuis le début.",
        ),
    },
}
_ALL_WELL: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "coach": "Keep it exactly like that.",
        "critic": "There is nothing that I would leave out.",
        "fan": "I would not change a thing about it.",
    },
    "fr": {
        "coach": "Ne change rien.",
        "critic": "Il n'y a rien que je couperais.",
        "fan": "Surtout, ne change rien pour moi.",
    },
}
# What the critic misses: the weakest part.
_MISSED: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "pitch": "It is the notes that wander.",
        "higher": "This was sung in a higher key than the song is in.",
        "lower": "This was sung in a lower key than the song is in.",
        "flat": "The notes hang a little low.",
        "sharp": "The notes are pushed a little high.",
        "rhythm": "It is the beat that goes missing.",
        "late": "The voice trails behind the band.",
        "early": "The voice cannot wait for the band.",
        "lyrics": "Some of the words came across as others than the song has.",
        "unclear": "Some words did not reach the machine that listens, which may be its own fault.",
    },
    "fr": {
        "pitch": "Ce sont les notes qui s'égarent.",
        "higher": "C'était dans une tonalité plus haute que celle de la chanson.",
        "lower": "C'était dans une tonalité plus basse que celle de la chanson.",
        "flat": "Les notes sont un peu trop basses.",
        "sharp": "Les notes sont un peu trop hautes.",
        "rhythm": "C'est le rythme qui se perd en route.",
        "late": "La voix traîne derrière la musique.",
        "early": "La voix ne sait pas attendre la musique.",
        "lyrics": "Certains mots sonnaient autrement que ceux de la chanson.",
        "unclear": "Des mots ont échappé à la machine qui écoute, peut-être par sa seule faute.",
    },
}
# What the fan liked: the best part.
_LIKED: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "pitch": "Your tune is what I take home with me.",
        "rhythm": "You had my foot tapping to the beat.",
        "lyrics": "I understood your words, and that is rare.",
    },
    "fr": {
        "pitch": "C'est ta mélodie que j'emporte avec moi.",
        "rhythm": "Mon pied battait la mesure avec toi.",
        "lyrics": "J'ai compris tes paroles, et c'est rare.",
    },
}
# The weakest part, and where it went one way, which.
_ADVICE: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "pitch": "Sing the tune slowly on one vowel first, then as it is.",
        "higher": "You sang it all in a higher key: if it is yours, accept it and be judged in it.",
        "lower": "You sang it all in a lower key: if it is yours, accept it and be judged in it.",
        "flat": "You sit a little below the note: more breath, and think each note from above.",
        "sharp": "You push a little above the note: less pressure, and let it settle.",
        "rhythm": "Clap the beat along with the original once, then sing it again.",
        "late": "You come in a little late: breathe earlier, and start with the beat.",
        "early": "You come in a little early: wait for the beat, it will carry you.",
        "lyrics": "A machine heard some words otherwise than they are written: say them clearly.",
        "unclear": "A machine did not make out all of the words, and it may have misheard: form "
        "them well in front, to be sure.",
    },
    "fr": {
        "pitch": "Chante d'abord l'air lentement sur une voyelle, puis tel qu'il est.",
        "higher": "Tu as tout chanté plus haut : si c'est ta tonalité, accepte-la.",
        "lower": "Tu as tout chanté plus bas : si c'est ta tonalité, accepte-la.",
        "flat": "Tu es un peu sous la note : plus de souffle, et pense chaque note par le haut.",
        "sharp": "Tu pousses un peu au-dessus de la note : moins de pression, laisse-la venir.",
        "rhythm": "Frappe le rythme avec l'original une fois, puis rechante.",
        "late": "Tu pars un peu en retard : respire plus tôt, et pars avec le temps.",
        "early": "Tu pars un peu en avance : attends le temps, il va te porter.",
        "lyrics": "Une machine a entendu certains mots autrement qu'ils sont écrits : dis-les "
        "clairement.",
        "unclear": "Une machine n'a pas compris tous les mots, et elle a pu se tromper : "
        "articule-les bien, pour en être sûr.",
    },
}
# The weakest part where that, too, is good, and went no one way.
_NEARLY: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "coach": "The last step to take would be in {}.",
        "critic": "If there is anything to mention, it is in {}.",
    },
    "fr": {
        "coach": "Le dernier pas serait du côté {}.",
        "critic": "S'il faut chercher quelque chose, c'est du côté {}.",
    },
}
_PARTS: Mapping[Language, Mapping[str, str]] = {
    "en": {"pitch": "the notes", "rhythm": "the beat", "lyrics": "the words"},
    "fr": {"pitch": "des notes", "rhythm": "du rythme", "lyrics": "des paroles"},
}
# Most of the words surely not those of the song: nothing else is as plain of such a take.
_OTHERS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "coach": "But most of the words that I was told of are not those of this song: take its "
        "lyrics beside you next time.",
        "critic": "The words, however, were hardly ever those of this song.",
        "fan": "Only, those were other words than the ones I know of this song!",
    },
    "fr": {
        "coach": "Mais la plupart des mots qu'on m'a rapportés ne sont pas ceux de cette chanson : "
        "garde ses paroles sous les yeux.",
        "critic": "Les mots, en revanche, n'étaient presque jamais ceux de cette chanson.",
        "fan": "Seulement, ce n'étaient pas les mots que je connais de cette chanson !",
    },
}


def comment(persona: str, facts: Facts, language: Language) -> str:
    """Two sentences or three; the same for the same take."""
    if facts.score is None:
        return why(persona, facts.reason, language)
    # Who is praised for singing sang the notes: other parts can hold a score up, not that.
    opens = min(facts.score, facts.scores.get("pitch", facts.score))
    said = [_OPENINGS[language][persona][bisect(STEPS, opens)]]
    said.append(_remark(persona, facts, language))
    if facts.reason == "part":
        said.append(of_a_part(persona, facts.is_piece, language))
    return " ".join(said)


def _remark(persona: str, facts: Facts, language: Language) -> str:
    """The coach tells what to do, the critic what is missing, the fan what was liked."""
    if facts.words == "others":
        return _OTHERS[language][persona]
    best, weakest = facts.best, facts.weakest
    if best is None or weakest is None or facts.scores[weakest] >= STEPS[-1]:
        return _ALL_WELL[language][persona]
    is_good = facts.direction is None and facts.scores[weakest] >= STEPS[-2]
    if is_good and persona in _NEARLY[language]:
        return _NEARLY[language][persona].format(_PARTS[language][weakest])
    if persona == "coach":
        return _ADVICE[language][facts.direction or weakest]
    # Where nothing was good, a fan is honest.
    if persona == "critic" or facts.scores[best] < STEPS[0]:
        return _MISSED[language][facts.direction or weakest]
    return _LIKED[language][best]
