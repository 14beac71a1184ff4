"""What each of the jury says where a take cannot be judged, and what it adds of one that is a part
of the song: whatever was sung, a number alone would not tell that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from engine.voice.jury.facts import Language
from engine.voice.reasons import Reason

# `unsure`: nothing stands before the number, and yet there is none: too little was heard.
Why = Reason | Literal["unsure"]

_WHY: Mapping[Language, Mapping[Why, Mapping[str, str]]] = {
    "en": {
        "silence": {
            "coach": "Where the song is sung I heard nothing of your voice, so there is nothing "
            "to practise yet. See that the right microphone is on, stand close to it, and sing "
            "again.",
            "critic": "Where the singer should be there was silence. I cannot review a voice "
            "that I did not hear: look at your microphone.",
            "fan": "I was all ears, and nothing came from you. Turn your microphone on, I want "
            "to hear you!",
        },
        "no_voice": {
            "coach": "There is sound in your recording, and no voice that I could tell from it. "
            "Put headphones on, come closer to the microphone, and sing out.",
            "critic": "I heard the music, or the room, and nobody singing in front of it. "
            "Judging that would be unfair: come closer to the microphone.",
            "fan": "I looked for your voice in all that sound, and I did not find it. Come "
            "closer to the microphone and let me hear you!",
        },
        "unsung_part": {
            "coach": "In what you recorded the original does not sing, so I have nothing to "
            "compare. Let it run on until its voice comes in, and sing with it.",
            "critic": "I was given a part in which the original has no voice either. There is "
            "nothing in it to review: record more of the song.",
            "fan": "You recorded a part without singing, and I was so looking forward to you. "
            "Stay on until the voice comes in!",
        },
        "another_song": {
            "coach": "I could not find this song in what you sang: was it another one, or very "
            "far from it? Listen to the original once, hum along, and sing it again.",
            "critic": "That may have been a song, but it was not the one that was announced. I "
            "can only compare you with the original that you chose.",
            "fan": "I waited for this song, and I heard something else altogether. Sing me the "
            "one that you chose, I am still here!",
        },
        "no_original_voice": {
            "coach": "I heard no voice in the original, so there is nothing to hold yours "
            "against. Choose a recording in which somebody sings.",
            "critic": "The original has no singer, so I have nothing to compare you with. Bring "
            "me a recording with a voice in it.",
            "fan": "I listened for the singer of the original, and there is no voice in it. "
            "Choose a song that somebody sings, and I will be there!",
        },
        "unsure": {
            "coach": "I could not hear enough of your voice to judge it. Sing closer to the "
            "microphone, and try again.",
            "critic": "What I heard of your voice was too little to judge. Come closer to the "
            "microphone, and give me more of it.",
            "fan": "I heard that you were there, and hardly more than that. Come closer to the "
            "microphone, I want all of it!",
        },
    },
    "fr": {
        "silence": {
            "coach": "Là où la chanson se chante, je n'ai rien entendu de ta voix : il n'y a "
            "encore rien à travailler. Vérifie que le bon micro est allumé, approche-toi, et "
            "recommence.",
            "critic": "Là où la voix devait être, il y avait le silence. Je ne peux pas juger ce "
            "que je n'ai pas entendu : regarde ton micro.",
            "fan": "J'étais tout ouïe, et rien n'est venu de toi. Allume ton micro, je veux "
            "t'entendre !",
        },
        "no_voice": {
            "coach": "Il y a du son dans ton enregistrement, mais pas de voix que je puisse en "
            "distinguer. Mets un casque, approche-toi du micro, et chante plus fort.",
            "critic": "J'ai entendu la musique, ou la pièce, et personne qui chante devant. En "
            "juger serait injuste : approche-toi du micro.",
            "fan": "J'ai cherché ta voix dans tout ce son, et je ne l'ai pas trouvée. "
            "Approche-toi du micro, je veux t'entendre !",
        },
        "unsung_part": {
            "coach": "Dans ce que tu as enregistré, l'original ne chante pas : je n'ai rien à "
            "comparer. Laisse-le continuer jusqu'à sa voix, et chante avec elle.",
            "critic": "On m'a donné un passage où l'original n'a pas de voix non plus. Il n'y a "
            "rien à en dire : enregistre plus de la chanson.",
            "fan": "Tu as enregistré un passage sans chant, et je me réjouissais tant de "
            "t'entendre. Reste jusqu'à ce que la voix arrive !",
        },
        "another_song": {
            "coach": "Je n'ai pas retrouvé cette chanson dans ce que tu as chanté : était-ce une "
            "autre, ou très loin d'elle ? Écoute l'original une fois, fredonne, et recommence.",
            "critic": "C'était peut-être une chanson, mais pas celle qui était annoncée. Je ne "
            "peux te comparer qu'à l'original que tu as choisi.",
            "fan": "J'attendais cette chanson, et j'ai entendu tout autre chose. Chante-moi "
            "celle que tu as choisie, je suis encore là !",
        },
        "no_original_voice": {
            "coach": "Je n'ai entendu aucune voix dans l'original, alors je n'ai rien à quoi "
            "comparer la tienne. Choisis un enregistrement où quelqu'un chante.",
            "critic": "L'original n'a aucune voix, alors je n'ai rien à quoi te comparer. "
            "Apporte-moi un enregistrement où quelqu'un chante.",
            "fan": "J'ai cherché la voix de l'original, et il n'y en a pas. Choisis une chanson "
            "que quelqu'un chante, et je serai là !",
        },
        "unsure": {
            "coach": "Je n'ai pas assez entendu ta voix pour la juger. Chante plus près du "
            "micro, et recommence.",
            "critic": "Ce que j'ai entendu de ta voix est trop peu pour en juger. Approche-toi "
            "du micro, et donne-m'en plus.",
            "fan": "J'ai entendu que tu étais là, et à peine plus. Approche-toi du micro, je te "
            "veux en entier !",
        },
    },
}
# Of less than a short piece of the song, and of more that is not the whole.
_PIECE: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "coach": "You recorded only a short piece of the song: sing me all of it next.",
        "critic": "I speak of the short piece that you recorded, and of no more.",
        "fan": "It was only a short piece of the song, and I want the rest of it!",
    },
    "fr": {
        "coach": "Tu n'as enregistré qu'un petit bout de la chanson : chante-la-moi en entier.",
        "critic": "Je ne parle que du petit bout que tu as enregistré.",
        "fan": "Ce n'était qu'un petit bout de la chanson, et je veux la suite !",
    },
}
_PART: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "coach": "You recorded a part of the song: sing me the rest, too.",
        "critic": "I speak of the part that you recorded, and of no more.",
        "fan": "It was not the whole song, and I want the rest of it!",
    },
    "fr": {
        "coach": "Tu as enregistré une partie de la chanson : chante-moi aussi le reste.",
        "critic": "Je ne parle que de la partie que tu as enregistrée.",
        "fan": "Ce n'était pas toute la chanson, et je veux la suite !",
    },
}


def why(persona: str, reason: Reason | None, language: Language) -> str:
    """Of a take without a number that says how well the song was sung."""
    told: Why = "unsure" if reason is None or reason == "part" else reason
    return _WHY[language][told][persona]


def of_a_part(persona: str, is_piece: bool, language: Language) -> str:
    """Of a take that was judged, and is not the whole song."""
    return (_PIECE if is_piece else _PART)[language][persona]
