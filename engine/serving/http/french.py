"""What any service says of a request, in French (`languages.py`)."""

from __future__ import annotations

_TRY_AGAIN_ONE = "Réessayez dans une seconde."

MESSAGES = {
    # app/site.py, app/failures.py
    "The page has no such file.": "La page n'a pas ce fichier.",
    "The page has no file {}.": "La page n'a pas de fichier {0}.",
    "The catalogue's files cannot be read now; they are being looked into. Try again shortly.": (
        "Les fichiers du catalogue sont illisibles pour l'instant ; on s'en occupe. Réessayez "
        "bientôt."
    ),
    "There is nothing at {}. See /docs.": "Il n'y a rien à {0}. Voir /docs.",
    "There is nothing at {}: {} is off here. The operator turns it on by {}.": (
        "Il n'y a rien à {0} : {1:said} est désactivé ici. L'exploitant l'active par {2}."
    ),
    "sound": "le son",
    "voice": "la voix",
    "{} does not work here; {} does. See /docs.": (
        "{0} n'est pas possible ici ; {1:said} l'est. Voir /docs."
    ),
    "another method": "une autre méthode",
    # access.py
    "This service needs a key: send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.": (
        "Ce service demande une clé : envoyez « Authorization: Bearer CLÉ » ou « X-API-Key: CLÉ »."
    ),
    "This key is not known. Ask the operator for a current one.": (
        "Cette clé est inconnue. Demandez-en une valable à l'exploitant."
    ),
    "More than {} requests a minute came from this caller. Wait a little.": (
        "Plus de {0} requêtes par minute sont venues de cet appelant. Patientez un peu."
    ),
    # bodies.py, inflating.py
    "So much is being uploaded that this process has no room for more. Try again in a second.": (
        f"Tant d'envois arrivent à la fois qu'il n'y a plus de place. {_TRY_AGAIN_ONE}"
    ),
    "The body is {} (Content-Encoding). Send it as it is, or as gzip.": (
        "Le corps est {0} (Content-Encoding). Envoyez-le tel quel, ou en gzip."
    ),
    "The compressed body ended before it was complete.": (
        "Le corps compressé s'est arrêté avant la fin."
    ),
    "The body is not what its Content-Encoding says. Send it as it is, or as gzip.": (
        "Le corps n'est pas ce que dit son Content-Encoding. Envoyez-le tel quel, ou en gzip."
    ),
    # connections.py
    "{} Send HTTP/1.1; see /docs for the routes.": (
        "La requête n'est pas du HTTP. Envoyez du HTTP/1.1 ; les adresses sont dans /docs."
    ),
    # cors.py
    "{}: a page of this origin may not ask this. SHAZAM_ALLOWED_ORIGINS names those that may.": (
        "{0} : une page de cette origine n'a pas le droit de le demander. "
        "SHAZAM_ALLOWED_ORIGINS nomme celles qui l'ont."
    ),
    # ranges.py
    "The file has {} bytes, and none of them is in the range that was asked for.": (
        "Le fichier a {0:number} octets, et aucun n'est dans l'intervalle demandé."
    ),
    # vectors/
    "The query has {} dimensions, the index {}: they were made by different encoders.": (
        "La question a {0} dimensions, l'index {1} : ils ne viennent pas du même encodeur."
    ),
    "The encoder returned an embedding with no direction (zero or not finite).": (
        "L'encodeur a rendu un vecteur sans direction (nul ou infini)."
    ),
    # forms.py
    "{}={} is not a whole number{}.": "{0}={1} n'est pas un nombre entier{2:said}.",
    " from {} to {}": " de {0} à {1}",
    "{}={} is not a number from {} to {}.": "{0}={1} n'est pas un nombre de {2} à {3}.",
    "{}={} is not true or false.": "{0}={1} n'est ni true ni false.",
    "{}={} is not a text.": "{0}={1} n'est pas un texte.",
    "The body is not JSON. Send an object, its names and texts in double quotes.": (
        "Le corps n'est pas du JSON. Envoyez un objet, ses noms et ses textes entre guillemets "
        "droits."
    ),
    "The body is not JSON from character {} on. Send an object, its names and texts in double "
    "quotes.": (
        "Le corps n'est pas du JSON à partir du caractère {0}. Envoyez un objet, ses noms et ses "
        "textes entre guillemets droits."
    ),
    "The body is {}. Send {} with the {} in the field '{}', for example: {}.": (
        "Le corps est {0:said}. Envoyez du {1} avec le fichier dans le champ « {3} », "
        "par exemple : {4}."
    ),
    "of no declared type": "sans type déclaré",
    "The body is declared {} and is none, nor a {} that we know. Send {} with the {} in the field "
    "'{}', for example: {}.": (
        "Le corps est déclaré {0} et n'en est pas, ni un fichier connu. Envoyez du {2} avec le "
        "fichier dans le champ « {4} », par exemple : {5}."
    ),
    "{} is no field of this form; those are {}.": (
        "{0} n'est pas un champ de ce formulaire ; il accepte {1}."
    ),
    "{} came {} times; send it once.": "{0} est venu {1} fois ; ne l'envoyez qu'une fois.",
    "The JSON body must be an object, such as {}.": (
        "Le corps JSON doit être un objet, comme {0}."
    ),
    "A {} is sent as {}, field '{}': {}.": (
        "Un fichier s'envoie en {1}, dans le champ « {2} » : {3}."
    ),
    "The upload ended before it was complete.": "L'envoi s'est arrêté avant la fin.",
    "The form holds more than one file. Send one {}, in the field '{}': {}.": (
        "Le formulaire contient plus d'un fichier. Envoyez-en un seul, dans le champ « {1} » : {2}."
    ),
    "The form cannot be read ({}). Send the {} in the field '{}': {}.": (
        "Le formulaire est illisible ({0}). Envoyez le fichier dans le champ « {2} » : {3}."
    ),
    "Two {}s came in '{}'; send one.": (
        "Deux fichiers sont arrivés dans « {1} » ; envoyez-en un seul."
    ),
    "The {} came in '{}'; send it in the field '{}'.": (
        "Le fichier est arrivé dans « {1} » ; envoyez-le dans le champ « {2} »."
    ),
    "The field '{}' is text, not a file. Send the {} itself: {} (with the @).": (
        "Le champ « {0} » est un texte, pas un fichier. Envoyez le fichier lui-même : {2} "
        "(avec le @)."
    ),
    # front.py
    "{} requests are being answered, as many as this process takes. Try again in a second.": (
        f"{{0}} requêtes sont en cours, autant que ce processus en accepte. {_TRY_AGAIN_ONE}"
    ),
    "No answer within {} seconds. Try again; if it stays so, the service is too small for its "
    "load.": (
        "Pas de réponse en {0} secondes. Réessayez ; si cela dure, le service est trop petit pour "
        "sa charge."
    ),
    # messages.py
    "The field '{}' is missing. See /docs for what is taken.": (
        "Le champ « {0} » manque. Ce qui est accepté est dans /docs."
    ),
    "{}: {}.": "{0:said} : {1:known}.",
    "Something went wrong on our side. If it happens again, report the request id {}.": (
        "Une erreur s'est produite de notre côté. Si elle revient, signalez le numéro de requête "
        "{0}."
    ),
    # native.py
    "There is nothing at this address. See /docs for the routes.": (
        "Il n'y a rien à cette adresse. Les adresses sont dans /docs."
    ),
    "This address answers GET alone. See /docs.": ("Cette adresse ne répond qu'à GET. Voir /docs."),
    "The request cannot be answered as it was sent. See /docs.": (
        "La requête n'a pas de réponse telle qu'elle a été envoyée. Voir /docs."
    ),
    # queries.py
    "{} is no parameter of this address; {}.": (
        "{0} n'est pas un paramètre de cette adresse ; {1:said}."
    ),
    "those are {}": "elle accepte {0}",
    "there are none": "elle n'en accepte aucun",
    # lanes.py
    "An answer would take some {} seconds, longer than a request may. Try again later; if it stays "
    "so, the service is too small for its load.": (
        "Une réponse prendrait environ {0} secondes, plus que permis. Réessayez plus tard ; si "
        "cela dure, le service est trop petit pour sa charge."
    ),
    # readiness.py
    "The artifact could not be loaded ({}); see the log.": (
        "L'artefact n'a pas pu être chargé ({0}) ; voir le journal."
    ),
    # What pydantic says of a value, as messages.describe writes it.
    "The request": "La requête",
    "input should be a valid integer, unable to parse string as an integer": (
        "un nombre entier est attendu"
    ),
    "unable to parse input string as an integer, exceeded maximum size": (
        "ce nombre est trop grand"
    ),
    "input should be a valid integer": "un nombre entier est attendu",
    "input should be a valid integer, got a number with a fractional part": (
        "un nombre entier est attendu, sans virgule"
    ),
    "input should be a valid number, unable to parse string as a number": "un nombre est attendu",
    "input should be a valid number": "un nombre est attendu",
    "input should be a finite number": "un nombre fini est attendu",
    "input should be a valid boolean, unable to interpret input": "true ou false est attendu",
    "input should be a valid boolean": "true ou false est attendu",
    "input should be a valid string": "un texte est attendu",
    "input should be a valid list": "une liste est attendue",
    "input should be a valid dictionary or instance of {}": "un objet est attendu",
    "input should be a valid dictionary or object to extract fields from": "un objet est attendu",
    "input should be greater than or equal to {}": "la valeur doit être au moins {0}",
    "input should be less than or equal to {}": "la valeur doit être au plus {0}",
    "string should have at least {} character": "le texte doit avoir au moins {0} caractère",
    "string should have at least {} characters": "le texte doit avoir au moins {0} caractères",
    "string should have at most {} character": "le texte doit avoir au plus {0} caractère",
    "string should have at most {} characters": "le texte doit avoir au plus {0} caractères",
    "input should be {} or {}": "la valeur doit être {0} ou {1}",
    "is not valid": "la valeur n'est pas valable",
}

# Where a message is in no table: what a dependency says, and what an operator has to repair.
OTHERWISE = {
    "invalid_request": (
        "La requête n'a pas de réponse telle qu'elle a été envoyée. Voir /docs. (« {0} »)"
    ),
    "unreadable_image": "Ce fichier est illisible. (« {0} »)",
    "not_ready": (
        "Le service ne peut pas répondre pour l'instant. Réessayez plus tard. À l'exploitant : "
        "« {0} »"
    ),
    "index_unavailable": (
        "L'index de ce service ne répond pas. Réessayez plus tard. À l'exploitant : « {0} »"
    ),
    "internal": "Une erreur s'est produite de notre côté. Réessayez plus tard. (« {0} »)",
}
