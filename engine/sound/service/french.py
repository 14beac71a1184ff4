"""What the service of sound says of a request, in French; the rest is `serving/http/french.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sound.advice import ADVICE, LEAST_S

if TYPE_CHECKING:
    from engine.sound.encoder.because import Common

_PLENTY = "10 s suffisent."
_SEND = (
    f"Envoyez {LEAST_S:g} s ou plus en WebM, MP4, Ogg, MP3, FLAC, WAV ou AMR, ou une vidéo avec du "
    "son."
)

SOUND = {
    # asking.py, running.py
    "Sound is being loaded; everything else may answer already. Try again shortly.": (
        "Le son est en cours de chargement ; le reste répond peut-être déjà. Réessayez bientôt."
    ),
    "A network of sound stopped answering ({}); it is being loaded again. Try again shortly.": (
        "Un réseau du son ne répond plus ({0}) ; il est rechargé. Réessayez bientôt."
    ),
    "No process decodes recordings now; others are started. Try again shortly.": (
        "Aucun processus ne décode d'enregistrements pour l'instant ; d'autres démarrent. "
        "Réessayez bientôt."
    ),
    "A network failed while it worked on this request. Try again: it is being looked after.": (
        "Un réseau a échoué pendant cette requête. Réessayez : on s'en occupe."
    ),
    "The recording has {} seconds; {} are the least, and 10 are plenty.": (
        "L'enregistrement dure {0:number} secondes ; il en faut au moins {1:number}, et 10 "
        "suffisent."
    ),
    "The recording is silent. See whether the microphone is muted, or go nearer to the music, and "
    "record again.": (
        "L'enregistrement est silencieux. Voyez si le micro est coupé, ou approchez-vous de la "
        "musique, et enregistrez de nouveau."
    ),
    # answers.py
    "The catalogue holds track {} but no waveform of it.": (
        "Le catalogue a le morceau {0} mais pas sa forme d'onde."
    ),
    "The audio of track {} was cut or removed since the start. Copy its file again.": (
        "Le son du morceau {0} a été coupé ou enlevé depuis le démarrage. Copiez de nouveau son "
        "fichier."
    ),
    # capability.py, forms.py
    "The words are blank. Say what it sounds like, for example query=a slow sad piano.": (
        "Les mots sont vides. Dites comment cela sonne, par exemple query=a slow sad piano."
    ),
    "genre={} has {} letters; {} are the most.": "genre={0} a {1} lettres ; {2} au plus.",
    "The upload has more than {} bytes. Send a part of it: 10 s are plenty.": (
        f"L'envoi a plus de {{0:number}} octets. Envoyez-en une partie : {_PLENTY}"
    ),
    "The recording has {} bytes; at most {} are accepted. Send a part of it: 10 s are plenty.": (
        "L'enregistrement a {0:number} octets ; {1:number} au plus sont acceptés. Envoyez-en une "
        f"partie : {_PLENTY}"
    ),
    "The field 'file' is missing. Send the recording as multipart/form-data: curl -F "
    "file=@clip.webm.": (
        "Le champ « file » manque. Envoyez l'enregistrement en multipart/form-data : curl -F "
        "file=@clip.webm."
    ),
    # audio.py, recording.py, apart.py
    ADVICE: _SEND,
    "The recording": "L'enregistrement",
    "the recording": "l'enregistrement",
    "The upload": "L'envoi",
    "{} is empty. Send the bytes of a recording in the field 'file'.": (
        "{0:said} est vide. Envoyez les octets d'un enregistrement dans le champ « file »."
    ),
    "{} is longer than {} s, the most that is accepted. Send a part of it: 10 s are plenty.": (
        "{0:said} dure plus de {1:number} s, le plus qui soit accepté. Envoyez-en une partie : "
        f"{_PLENTY}"
    ),
    f"{{}} holds no sound at all. {ADVICE}": f"{{0:said}} ne contient aucun son. {_SEND}",
    f"{{}} has no sound in it. {ADVICE}": f"{{0:said}} n'a pas de son. {_SEND}",
    f"{{}} is not a recording we can read. {ADVICE}": (
        f"{{0:said}} n'est pas un enregistrement que nous pouvons lire. {_SEND}"
    ),
    f"{{}} is coded in a way we do not read. {ADVICE}": (
        f"{{0:said}} est codé d'une façon que nous ne lisons pas. {_SEND}"
    ),
    f"{{}} claims a rate or channels that nobody uses. {ADVICE}": (
        f"{{0:said}} annonce une fréquence ou des canaux que personne n'emploie. {_SEND}"
    ),
    f"{{}} takes more memory than a recording needs. {ADVICE}": (
        f"{{0:said}} prend plus de mémoire qu'un enregistrement n'en demande. {_SEND}"
    ),
    "There is no memory to decode {} now. Try again later.": (
        "Il n'y a pas de mémoire pour décoder {0:said} maintenant. Réessayez plus tard."
    ),
    "There is no memory, or no process, to decode a recording with. Try again later.": (
        "Il n'y a pas de mémoire, ou pas de processus, pour décoder un enregistrement. Réessayez "
        "plus tard."
    ),
    "The process that decodes recordings does not start; it is tried again. Try again shortly.": (
        "Le processus qui décode les enregistrements ne démarre pas ; on l'essaie encore. "
        "Réessayez bientôt."
    ),
    # search.py
    "There is no track {}. GET /api/tracks lists those there are.": (
        "Le morceau {0} n'existe pas. GET /api/tracks donne la liste de ceux qui existent."
    ),
    "There is no audio of track {} here.": "Il n'y a pas ici de son du morceau {0}.",
    "The licence of track {} does not let this service hand out its audio.": (
        "La licence du morceau {0} ne permet pas à ce service d'en donner le son."
    ),
    "The encoder {} knows sounds and no words. Search by sound, or find words of titles with GET "
    "/api/tracks?q=.": (
        "L'encodeur {0} connaît les sons et pas les mots. Cherchez par le son, ou des mots des "
        "titres avec GET /api/tracks?q=."
    ),
}

# What tags say (`engine.sound.encoder.because.SAID`), where French has another word.
WORDS = {
    "a woman's voice": "une voix de femme",
    "a man's voice": "une voix d'homme",
    "calm": "calme",
    "mellow": "doux",
    "dance": "danse",
    "80s": "années 80",
    "70s": "années 70",
    "60s": "années 60",
    "oldies": "rétro",
    "acoustic": "acoustique",
    "experimental": "expérimental",
    "guitar": "guitare",
    "party": "fête",
    "electronic": "électronique",
    "electronica": "électronica",
    "alternative": "alternatif",
    "alternative rock": "rock alternatif",
    "classic rock": "rock classique",
    "indie rock": "rock indépendant",
    "indie pop": "pop indépendante",
    "indie": "indépendant",
    "progressive rock": "rock progressif",
    "sad": "triste",
    "happy": "joyeux",
}
_NOTES = dict(zip("CDEFGAB", ("do", "ré", "mi", "fa", "sol", "la", "si"), strict=True))
_MODES = {"major": "majeur", "minor": "mineur"}


def because(common: Common) -> str:
    """What two tracks share, as `str(common)` says it in English."""
    parts = []
    if common.words:
        parts += ["Les deux : " + ", ".join(WORDS.get(word, word) for word in common.words)]
    parts += [f"environ {common.bpm} bpm"] if common.bpm else []
    parts += [key_in_french(common.key)] if common.key else []
    if not parts:
        return "Semblables par le timbre et le rythme"
    return " ; ".join(parts) if common.words else f"Les deux : {', '.join(parts)}"


def key_in_french(key: str) -> str:
    """`"F# minor"` → `"fa dièse mineur"`; a key written otherwise stays as it is."""
    note, _, mode = key.partition(" ")
    name, sign = _NOTES.get(note[:1]), {"": "", "#": " dièse", "b": " bémol"}.get(note[1:])
    if name is None or sign is None or mode not in _MODES:
        return key
    return f"{name}{sign} {_MODES[mode]}"
