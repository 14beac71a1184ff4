"""What voice says of a request, and of a job that failed, in French; the rest is the library's, and
what is said of sound and of any request."""

from __future__ import annotations

_SOON = "Redemandez bientôt."
_WAIT = "Attendez qu'elle soit finie."
_EMPTY = "Le fichier est vide"

VOICE = {
    # sessions.py
    "There is no session {}. Begin one by /api/session/start.": (
        "Il n'y a pas de session {0}. Commencez-en une par /api/session/start."
    ),
    "There is no analysis {} of this session. See /api/results/history.": (
        "Il n'y a pas d'analyse {0} de cette session. Voyez /api/results/history."
    ),
    "This session is being worked on. Wait until that has ended.": (
        "Un travail est en cours pour cette session. Attendez qu'il soit fini."
    ),
    "The recording before this one is being judged. Wait until that has ended.": (
        "L'évaluation de l'enregistrement précédent est en cours. " + _WAIT
    ),
    "The recording is being judged already. Wait until that has ended.": (
        "L'évaluation de l'enregistrement est déjà en cours. " + _WAIT
    ),
    "There is no recording in this session yet. Send one to upload-recording.": (
        "Il n'y a pas encore d'enregistrement dans cette session. Envoyez-en un à upload-recording."
    ),
    "The reference of this session could not be had. Send another one to fallback-source.": (
        "L'original de cette session n'a pas pu être obtenu. Envoyez-en un autre à fallback-source."
    ),
    "The audio of this session was removed, as it is within two hours of its start. Begin a new "
    "session.": (
        "L'audio de cette session a été effacé, comme toujours dans les deux heures de son début. "
        "Commencez une nouvelle session."
    ),
    # service/
    "Voice is being opened; everything else may answer already. Try again shortly.": (
        "La voix s'ouvre ; le reste répond peut-être déjà. Réessayez bientôt."
    ),
    "Nothing was judged in this session yet. Send a recording, then ask for analyze.": (
        "Rien n'a encore été évalué dans cette session. Envoyez un enregistrement, puis demandez "
        "analyze."
    ),
    "Nothing could be judged: {}": "Rien n'a pu être évalué : {0:said}",
    "The recording is being judged. Ask for its results shortly.": (
        "L'évaluation de l'enregistrement est en cours. Redemandez bientôt ses résultats."
    ),
    "The words of this song are being looked for. Ask again shortly.": (
        f"Les paroles de cette chanson sont en cours de recherche. {_SOON}"
    ),
    "this song": "de cette chanson",
    "track {}": "du morceau {0}",
    "No source of lyrics is set up here (SHAZAM_LRCLIB_URL, SHAZAM_GENIUS_TOKEN). Send the words "
    "in 'lyrics' when you begin a session.": (
        "Aucune source de paroles n'est configurée ici (SHAZAM_LRCLIB_URL, SHAZAM_GENIUS_TOKEN). "
        "Envoyez les paroles dans « lyrics » quand vous commencez une session."
    ),
    "There is no title by which to look for the words of {}. Send them in 'lyrics' when you begin "
    "a session.": (
        "Il n'y a pas de titre pour chercher les paroles {0:said}. Envoyez-les dans « lyrics » "
        "quand vous commencez une session."
    ),
    "The words of {} could not be looked for: no answer from {}. Try again later, or send them in "
    "'lyrics' when you begin a session.": (
        "Les paroles {0:said} n'ont pas pu être cherchées : pas de réponse de {1}. Réessayez plus "
        "tard, ou envoyez-les dans « lyrics » quand vous commencez une session."
    ),
    "No words of {} came from {}. Send them in 'lyrics' when you begin a session.": (
        "Aucune parole {0:said} n'est venue de {1}. Envoyez-les dans « lyrics » quand vous "
        "commencez une session."
    ),
    "Nobody has listened to the words of track {} yet. Ask for them by "
    "/api/lyrics/word-timestamps/generate.": (
        "Personne n'a encore écouté les paroles du morceau {0}. Demandez-les par "
        "/api/lyrics/word-timestamps/generate."
    ),
    "Words are not heard here: {}": "Les paroles ne sont pas entendues ici : {0:said}",
    "No worker that takes recordings lives. Start one: python -m engine work.": (
        "Aucun ouvrier ne prend d'enregistrements. Lancez-en un : python -m engine work."
    ),
    "The library that it stands on is not open yet.": (
        "La bibliothèque sur laquelle elle repose n'est pas encore ouverte."
    ),
    "The licence of this reference does not let this service hand out its audio.": (
        "La licence de cet original ne permet pas à ce service d'en donner le son."
    ),
    "There is no {}/{} in this session (yet). See /api/audio/{}/tracks for what there is.": (
        "Il n'y a pas (encore) de {0}/{1} dans cette session. Voir /api/audio/{2}/tracks pour ce "
        "qu'il y a."
    ),
    "The recording has more than {} bytes, the most that is taken. Send a shorter one, or one of "
    "a smaller format.": (
        "L'enregistrement a plus de {0:number} octets, le plus qui soit accepté. Envoyez-en un "
        "plus court, ou d'un format plus petit."
    ),
    "The body has more than {} bytes. Send JSON and no file.": (
        "Le corps a plus de {0:number} octets. Envoyez du JSON et pas de fichier."
    ),
    "The JSON body has more than {} bytes. Send a file as multipart/form-data: {}.": (
        "Le corps JSON a plus de {0:number} octets. Envoyez un fichier en multipart/form-data : "
        "{1}."
    ),
    "The body is {}. Send application/json with 'track_id' or 'url', such as {}, or {} with a "
    "recording in the field '{}': {}.": (
        "Le corps est {0:said}. Envoyez application/json avec « track_id » ou « url », comme {1}, "
        "ou {2} avec un enregistrement dans le champ « {3} » : {4}."
    ),
    "There is no task {}. POST a track_id to /api/lyrics/word-timestamps/generate: its answer "
    "names one.": (
        "Il n'y a pas de tâche {0}. Envoyez un track_id en POST à "
        "/api/lyrics/word-timestamps/generate : la réponse en nomme une."
    ),
    "The JSON body must be an object.": "Le corps JSON doit être un objet.",
    "The words have {} letters; {} are the most.": (
        "Les paroles ont {0:number} lettres ; {1:number} sont le plus."
    ),
    "Send one thing to sing beside: 'track_id', 'url', or a file in the field 'reference'.": (
        "Envoyez une seule chose avec laquelle chanter : « track_id », « url », ou un fichier dans "
        "le champ « reference »."
    ),
    "The file is empty. Send the bytes of a recording in it.": (
        f"{_EMPTY}. Envoyez-y les octets d'un enregistrement."
    ),
    "language={} is neither en nor fr.": "language={0} n'est ni en ni fr.",
    "The field 'offset_s' is missing. Send JSON: {\"offset_s\": 1.5}.": (
        'Le champ « offset_s » manque. Envoyez du JSON : {{"offset_s": 1.5}}.'
    ),
    "The field 'track_id' is missing. Send JSON: {\"track_id\": 12}.": (
        'Le champ « track_id » manque. Envoyez du JSON : {{"track_id": 12}}.'
    ),
    # pipeline/
    "The worker's artifact does not hold the audio of this track. Serve both from the same.": (
        "L'artefact de l'ouvrier n'a pas le son de ce morceau. Servez les deux du même."
    ),
    "What was made of the reference is gone. Begin a new session.": (
        "Ce qui avait été fait de l'original n'est plus là. Commencez une nouvelle session."
    ),
    "A file that was kept for this session is damaged. Begin a new session.": (
        "Un fichier gardé pour cette session est abîmé. Commencez une nouvelle session."
    ),
    "The recording is longer than {} s. Send a part of it.": (
        "L'enregistrement dure plus de {0} s. Envoyez-en une partie."
    ),
    "It was cancelled.": "Cela a été annulé.",
    # lyrics/, jury/: to whoever reads the log, and in a task that failed
    "LRCLib answers {}, and nothing of use.": "LRCLib répond {0}, et rien d'utile.",
    "Genius answers {}, and nothing of use.": "Genius répond {0}, et rien d'utile.",
    "Genius refuses our token ({}).": "Genius refuse notre jeton ({0}).",
    "Genius sends no page where one should be.": "Genius n'envoie pas de page là où il le devrait.",
    "The jury's server answers {}, and no comment.": (
        "Le serveur du jury répond {0}, et aucun commentaire."
    ),
}
