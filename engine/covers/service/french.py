"""What the service of covers says of a request, in French; the rest is `serving/http/french.py`."""

from __future__ import annotations

_PLENTY = "1 000 pixels de côté suffisent."
_DATA_URI = "data:image/jpeg;base64,…"

COVERS = {
    # answers.py
    "The catalogue holds album {} but no picture of its cover.": (
        "Le catalogue a l'album {0} mais pas d'image de sa pochette."
    ),
    "'dimensions' must be {}, the encoder's own.": (
        "« dimensions » doit être {0}, comme l'encodeur."
    ),
    # asking.py, start.py, towers.py
    "The service is starting: its encoder is not loaded yet. Try again shortly.": (
        "Le service démarre : son encodeur n'est pas encore chargé. Réessayez bientôt."
    ),
    "The encoder stopped answering ({}); it is being loaded again. Try again shortly.": (
        "L'encodeur ne répond plus ({0}) ; il est rechargé. Réessayez bientôt."
    ),
    "The encoder failed while it worked on this request. Try again: it is being looked after.": (
        "L'encodeur a échoué pendant cette requête. Réessayez : on s'en occupe."
    ),
    "The encoder process serves another artifact. Restart the service.": (
        "Le processus de l'encodeur sert un autre artefact. Redémarrez le service."
    ),
    # forms.py
    "The picture has {} bytes; at most {} are accepted. Send a smaller one: 1,000 pixels a side "
    "are plenty.": (
        "L'image a {0:number} octets ; {1:number} au plus sont acceptés. Envoyez-en une plus "
        f"petite : {_PLENTY}"
    ),
    "The field '{}' is missing or blank. Say what the cover looks like, for example {}=a red album "
    "cover with a guitar.": (
        "Le champ « {0} » manque ou est vide. Dites à quoi ressemble la pochette, par exemple "
        "{1}=a red album cover with a guitar."
    ),
    "'input' holds token ids, of another encoder's vocabulary. Send texts: in LangChain, "
    "OpenAIEmbeddings(check_embedding_ctx_length=False).": (
        "« input » contient des numéros de mots du vocabulaire d'un autre encodeur. Envoyez des "
        "textes : dans LangChain, OpenAIEmbeddings(check_embedding_ctx_length=False)."
    ),
    "'input' holds {} items; 1 to {} fit.": (
        "« input » contient {0} éléments ; il en faut de 1 à {1}."
    ),
    "{} is an empty text. Leave it out.": "{0} est un texte vide. Retirez-le.",
    "{} is a picture, but 'modality' says text. Leave it out.": (
        "{0} est une image, mais « modality » dit text. Retirez « modality »."
    ),
    "{} is no picture: it must be a data URI, data:image/jpeg;base64,…; URLs are not fetched.": (
        f"{{0}} n'est pas une image : il faut une URI de données, {_DATA_URI} ; les adresses ne "
        "sont pas lues."
    ),
    "{} is an address, and URLs are not fetched. Send the picture as a data URI, "
    "data:image/jpeg;base64,…, or, if these are the words, 'modality': 'text'.": (
        "{0} est une adresse, et les adresses ne sont pas lues. Envoyez l'image en URI de données, "
        f"{_DATA_URI}, ou, si ce sont les mots, 'modality': 'text'."
    ),
    "{} is words and a picture in one. Send each as an input of its own.": (
        "{0} est des mots et une image à la fois. Envoyez chacun comme une entrée à part."
    ),
    "{} is a picture in base64 without its head. Put data:image/jpeg;base64, before it.": (
        "{0} est une image en base64 sans son début. Mettez data:image/jpeg;base64, devant."
    ),
    "A picture must be a data URI, data:image/jpeg;base64,…; URLs are not fetched.": (
        f"Une image doit être une URI de données, {_DATA_URI} ; les adresses ne sont pas lues."
    ),
    "The data URI is not valid base64 ({}).": "L'URI de données n'est pas du base64 ({0}).",
    # capability.py, routes.py
    "The upload has more than {} bytes. Send a smaller picture: 1,000 pixels a side are plenty.": (
        f"L'envoi a plus de {{0:number}} octets. Envoyez une image plus petite : {_PLENTY}"
    ),
    "The field 'file' is missing. Send the picture as multipart/form-data: curl -F "
    "file=@photo.jpg.": (
        "Le champ « file » manque. Envoyez l'image en multipart/form-data : curl -F "
        "file=@photo.jpg."
    ),
    "The field 'file' is missing. Send one: curl -F file=@photo.jpg.": (
        "Le champ « file » manque. Envoyez-en un : curl -F file=@photo.jpg."
    ),
    "'many' and 'quick' cannot go together: a glance sees one sleeve.": (
        "« many » et « quick » ne vont pas ensemble : un coup d'œil voit une seule pochette."
    ),
    # image.py
    "{} is empty. Send the bytes of a picture in the field 'file'.": (
        "{0:said} est vide. Envoyez les octets d'une image dans le champ « file »."
    ),
    "The upload": "L'envoi",
    "the upload": "l'envoi",
    "{} is not an image we can read{}. {}": (
        "{0:said} n'est pas une image que nous pouvons lire{1:said}. {2:said}"
    ),
    "Send a {} picture.": "Envoyez une image {0:said}.",
    "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF": (
        "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC ou AVIF"
    ),
    " ({})": " ({0:said})",
    "it starts like a PDF": "elle commence comme un PDF",
    "it starts like a ZIP archive": "elle commence comme une archive ZIP",
    "it starts like a gzip file": "elle commence comme un fichier gzip",
    "it starts like a video": "elle commence comme une vidéo",
    "it starts like an XML document": "elle commence comme un document XML",
    "it starts like a web page": "elle commence comme une page web",
    "it starts like JSON": "elle commence comme du JSON",
    "it is an SVG drawing": "c'est un dessin SVG",
    "it is a Photoshop document": "c'est un document Photoshop",
    "{} has no pixels. {}": "{0:said} n'a pas de pixels. {1:said}",
    "{} has {} × {} pixels; at most {} are accepted. Send a smaller picture: 1,000 pixels a side "
    "are plenty.": (
        "{0:said} a {1} × {2} pixels ; {3:number} au plus sont acceptés. Envoyez une image plus "
        f"petite : {_PLENTY}"
    ),
    "{} grew past {} pixels while being decoded.": (
        "{0:said} a dépassé {1:number} pixels au décodage."
    ),
    "{} is laid out in a way we cannot read: {}. Save it anew as JPEG or PNG.": (
        "{0:said} est d'une forme que nous ne savons pas lire : {1:said}. Enregistrez l'image en "
        "JPEG ou en PNG."
    ),
    "it has samples below zero": "elle a des valeurs négatives",
    "its transparency lies in a plane of its own": "sa transparence est dans un plan à part",
    "its YCbCr lies in three planes": "son YCbCr est en trois plans",
    "it has signed samples of {} bits": "elle a des valeurs signées de {0} bits",
    "{} is damaged, or laid out in a rare way: it begins like a picture but cannot be decoded. "
    "Send it again, or save it anew as JPEG or PNG.": (
        "{0:said} est abîmé, ou d'une forme rare : le début est celui d'une image, mais elle ne "
        "peut pas être décodée. Renvoyez-la, ou enregistrez-la en JPEG ou en PNG."
    ),
    "There is no memory to decode {} now. Try again later.": (
        "Il n'y a pas assez de mémoire pour décoder {0:said} maintenant. Réessayez plus tard."
    ),
    "it is a HEIC, and this service has no decoder for it": (
        "c'est un HEIC, et ce service n'a pas de quoi le décoder"
    ),
    # question.py, search.py, vectors
    "The words are blank. Say what the cover looks like, for example: a red album cover with a "
    "guitar.": (
        "Les mots sont vides. Dites à quoi ressemble la pochette, par exemple : a red album cover "
        "with a guitar."
    ),
    "There is no album {}. GET /api/albums lists those there are.": (
        "L'album {0} n'existe pas. GET /api/albums donne la liste de ceux qui existent."
    ),
    "Send a picture in 'file', words in 'query' or 'negative', or both.": (
        "Envoyez une image dans « file », des mots dans « query » ou « negative », ou les deux."
    ),
    "Picture and words cancel each other out. Change one of them.": (
        "L'image et les mots s'annulent. Changez l'un des deux."
    ),
    "The index {} does not answer ({}: {}). It is asked again; look at the store, its address and "
    "its keys.": (
        "L'index {0} ne répond pas ({1} : {2}). Il est redemandé ; regardez le stockage, son "
        "adresse et ses clés."
    ),
}
