"""What the library says of a request, and of a job that failed, in French; the rest is
`serving/http/french.py` and `sound/service/french.py`."""

from __future__ import annotations

_LATER = "Réessayez plus tard."
_SOON = "Réessayez bientôt."
_UPLOAD_IT = "Envoyez plutôt le fichier."
_IF_YOU_HAVE_IT = "Envoyez le fichier, si vous l'avez."
_CHECK = "Vérifiez le lien."

_ASKED = {
    "The library is being opened; everything else may answer already. Try again shortly.": (
        f"La bibliothèque s'ouvre ; le reste répond peut-être déjà. {_SOON}"
    ),
    "library": "la bibliothèque",
    # connecting.py, pipeline/client.py
    "The database does not answer. Nothing that was accepted is lost; try again shortly.": (
        "La base de données ne répond pas. Rien de ce qui a été accepté n'est perdu ; réessayez "
        "bientôt."
    ),
    "The file of the database is gone, or another is in its place (SHAZAM_DATABASE). Bring it "
    "back, and start the service and its workers anew.": (
        "Le fichier de la base de données a disparu, ou un autre est à sa place (SHAZAM_DATABASE). "
        "Remettez-le, puis relancez le service et ses processus de travail."
    ),
    "The disk of the database is full: free some of it, then try again. Nothing that was accepted "
    "is lost.": (
        "Le disque de la base de données est plein : libérez-en, puis réessayez. Rien de ce qui a "
        "été accepté n'est perdu."
    ),
    "The database does not answer. What was accepted is begun as soon as it does.": (
        "La base de données ne répond pas. Ce qui a été accepté commence dès qu'elle répond."
    ),
    # jobs.py, samples.py, quota.py, records.py, words.py
    "state={} is none of {}.": "state={0} n'est aucun de {1}.",
    "status={} is none of {}.": "status={0} n'est aucun de {1}.",
    "There is no job {}. See /docs for how one is made.": (
        "Il n'y a pas de tâche {0}. Voir /docs pour en créer une."
    ),
    "This job is {}: there is nothing to cancel.": (
        "Cette tâche est {0:said} : il n'y a rien à annuler."
    ),
    "This job was tried {} times. It can be tried again in {} s.": (
        "Cette tâche a été essayée {0} fois. Elle pourra l'être de nouveau dans {1} s."
    ),
    "This job is done: its track is in the library.": (
        "Cette tâche est finie : son morceau est dans la bibliothèque."
    ),
    "done": "finie",
    "failed": "échouée",
    "cancelled": "annulée",
    "processing": "en cours",
    "There is no sample {}. See /api/v1/samples for those there are.": (
        "Il n'y a pas d'échantillon {0}. Voir /api/v1/samples pour ceux qu'il y a."
    ),
    "All {} tracks of today are added. More can be added from midnight (UTC) on.": (
        "Les {0} morceaux du jour sont ajoutés. D'autres pourront l'être à partir de minuit (UTC)."
    ),
    "Of today's {} bytes {} are left, which is too few. More can be added from midnight (UTC) "
    "on.": (
        "Des {0} octets du jour il en reste {1}, ce qui est trop peu. D'autres pourront être "
        "envoyés à partir de minuit (UTC)."
    ),
    "The files of an earlier upload of the same content are still being removed. Try again "
    "shortly.": (
        f"Les fichiers d'un envoi précédent du même contenu sont encore en suppression. {_SOON}"
    ),
    "key={} is no musical key. Send one as 'A minor' or 'Am'.": (
        "key={0} n'est pas une tonalité. Envoyez-en une comme « A minor » ou « Am »."
    ),
    "bpm={} is no tempo. Send a number, as 92, or a range, as 90-100.": (
        "bpm={0} n'est pas un tempo. Envoyez un nombre, comme 92, ou un intervalle, comme 90-100."
    ),
    # objects.py, stores/, signing.py
    "The library's storage refuses us: its address, credentials or permissions have to be "
    "corrected (SHAZAM_STORAGE).": (
        "Le stockage de la bibliothèque nous refuse : son adresse, ses identifiants ou ses droits "
        "sont à corriger (SHAZAM_STORAGE)."
    ),
    "The folder of the library's files is gone, or another is in its place (SHAZAM_STORAGE). Bring "
    "it back, and start the service and its workers anew.": (
        "Le dossier des fichiers de la bibliothèque a disparu, ou un autre est à sa place "
        "(SHAZAM_STORAGE). Remettez-le, puis relancez le service et ses processus de travail."
    ),
    "The library's storage is full: free some of it, then try again.": (
        "Le stockage de la bibliothèque est plein : libérez-en, puis réessayez."
    ),
    "The library's storage does not answer. Try again in a while.": (
        "Le stockage de la bibliothèque ne répond pas. Réessayez dans un moment."
    ),
    "The disk of this machine is full: free some of it.": (
        "Le disque de cette machine est plein : libérez-en."
    ),
    "There is no object {} in the store.": "Il n'y a pas d'objet {0} dans le stockage.",
    "What should be kept as {} is not what was hashed before.": (
        "Ce qui devait être gardé sous {0} n'est plus ce qui avait été haché."
    ),
    "The object {} is damaged: its sha256 has become another.": (
        "L'objet {0} est abîmé : son sha256 a changé."
    ),
    "{} is not the key of an object: letters, digits, '-', '_' and '.', in parts separated by '/', "
    "none of which begins with a '.'.": (
        "{0} n'est pas la clé d'un objet : lettres, chiffres, « - », « _ » et « . », en parties "
        "séparées par « / », dont aucune ne commence par « . »."
    ),
    "This link was not made here, or is not whole. Ask for a new one.": (
        "Ce lien n'a pas été fait ici, ou n'est pas entier. Demandez-en un nouveau."
    ),
    "This link is past its time. Ask for a new one.": (
        "Ce lien n'est plus valable. Demandez-en un nouveau."
    ),
    # service/
    "It does not answer within {} s.": "Il ne répond pas en {0:number} s.",
    "It cannot be asked ({}).": "Il ne peut être interrogé ({0}).",
    "None alive: no worker has said for {} s that it lives. What is added waits for one: python -m "
    "engine work, or whatever scales them with the queue.": (
        "Aucun en vie : depuis {0} s aucun n'a dit qu'il l'est. Ce qui est ajouté en attend un : "
        "python -m engine work, ou ce qui en fait venir selon la file."
    ),
    "None alive, and work has waited for more than {} minutes. Start a worker: python -m engine "
    "work.": (
        "Aucun en vie, et du travail attend depuis plus de {0} minutes. Démarrez-en un : python -m "
        "engine work."
    ),
    "The file of track {}'s audio is gone from the library's storage, or empty. Send the recording "
    "again: it is made anew.": (
        "Le fichier du son du morceau {0} n'est plus dans le stockage de la bibliothèque, ou il "
        "est vide. Renvoyez l'enregistrement : il sera refait."
    ),
    "There is no preview of track {} here.": "Il n'y a pas ici d'extrait du morceau {0}.",
    "Track {} is {}: there is nothing of it. {}/jobs/{} says why; it can be tried again or "
    "deleted.": (
        "Le morceau {0} est {1:said} : il n'y a rien à en obtenir. {2}/jobs/{3} dit pourquoi ; il "
        "peut être réessayé ou supprimé."
    ),
    "Who added track {} wants its audio kept here (audio_shared): it is found by its sound and "
    "handed out to nobody.": (
        "Qui a ajouté le morceau {0} veut que son audio reste ici (audio_shared) : il est trouvé à "
        "son écoute et n'est remis à personne."
    ),
    "Track {} is {}: there is nothing of it to be had yet. See {}/jobs/{}.": (
        "Le morceau {0} est {1:said} : il n'y a encore rien à en obtenir. Voir {2}/jobs/{3}."
    ),
    "The file has more than {} bytes, the most that is taken. Send a shorter one, or one of a "
    "smaller format: FLAC is half a WAV, MP3 a tenth.": (
        "Le fichier a plus de {0:number} octets, le plus qui soit accepté. Envoyez-en un plus "
        "court, ou d'un format plus petit : FLAC est la moitié d'un WAV, MP3 un dixième."
    ),
    "The body has more than {} bytes. Send a link and no file.": (
        "Le corps a plus de {0:number} octets. Envoyez un lien et pas de fichier."
    ),
    "The field 'file' is missing. Send the recording as multipart/form-data: {}.": (
        "Le champ « file » manque. Envoyez l'enregistrement en multipart/form-data : {0}."
    ),
    "The file is empty. Send the bytes of a recording in the field 'file'.": (
        "Le fichier est vide. Envoyez les octets d'un enregistrement dans le champ « file »."
    ),
    "The field 'file' is text, not a file. Send the recording itself: {} (with the @).": (
        "Le champ « file » est du texte, pas un fichier. Envoyez l'enregistrement lui-même : {0} "
        "(avec le @)."
    ),
    "The field 'url' is missing. Send the link as JSON, such as {}.": (
        "Le champ « url » manque. Envoyez le lien en JSON, par exemple {0}."
    ),
    "The link has {} letters; {} are the most.": (
        "Le lien a {0:number} lettres ; {1:number} sont le plus."
    ),
    "{} is longer than {} letters.": "{0} a plus de {1} lettres.",
    "This service cannot keep an upload ({}). See its log.": (
        "Ce service ne peut pas garder un envoi ({0}). Voir son journal."
    ),
    "The disk of this service is full: free some of it, then try again.": (
        "Le disque de ce service est plein : libérez-en, puis réessayez."
    ),
}
_WORKED = {
    "The file": "Le fichier",
    "the file": "le fichier",
    "This recording takes more memory than one needs. Send a part.": (
        "Cet enregistrement prend plus de mémoire qu'il n'en faut. Envoyez-en une partie."
    ),
    "Something went wrong on our side. Try again later.": (
        f"Quelque chose a échoué de notre côté. {_LATER}"
    ),
    "This recording ends the process that works on it in the step {}, each time. Send it in "
    "another format.": (
        "Cet enregistrement fait tomber à chaque fois le processus qui y travaille, à l'étape {0}. "
        "Envoyez-le dans un autre format."
    ),
    "The process that works on recordings does not start. See its log.": (
        "Le processus qui travaille sur les enregistrements ne démarre pas. Voir son journal."
    ),
    "This recording takes longer than {} s in the step {}, and is given up. Send it in another "
    "format, or a part of it.": (
        "Cet enregistrement prend plus de {0:number} s à l'étape {1} et est abandonné. Envoyez-le "
        "dans un autre format, ou une partie."
    ),
    "Another job is at the same file, and does not end. Try again later.": (
        f"Une autre tâche travaille sur le même fichier et n'en finit pas. {_LATER}"
    ),
    "A job without a file and without a link.": "Une tâche sans fichier et sans lien.",
    "A file that was stored is gone from the library's storage. Send the recording again.": (
        "Un fichier gardé a disparu du stockage de la bibliothèque. Renvoyez l'enregistrement."
    ),
    "Nothing can be heard in these {} s: all of it is below −70 LUFS. Send a recording with "
    "sound.": (
        "On n'entend rien dans ces {0:number} s : tout est sous −70 LUFS. Envoyez un "
        "enregistrement qui a du son."
    ),
    "The file holds {} s of sound. Send {} s or more.": (
        "Le fichier contient {0:number} s de son. Envoyez {1:number} s ou plus."
    ),
    "{} is longer than {} s, the longest track that is added. Send a part of it.": (
        "{0:said} dure plus de {1:number} s, le plus long morceau qui soit ajouté. Envoyez-en une "
        "partie."
    ),
    "{} is empty: it has 0 bytes. {}": "{0:said} est vide : 0 octet. {1:said}",
    "{} holds no sound at all. {}": "{0:said} ne contient aucun son. {1:said}",
    "{} has pictures and no sound in it. {}": "{0:said} a des images et pas de son. {1:said}",
    "The disk of the worker is full. Try again later.": (
        f"Le disque de celui qui travaille est plein. {_LATER}"
    ),
    "The worker died {} times in the step {} of this recording. Send it in another format.": (
        "Le processus est tombé {0} fois à l'étape {1} de cet enregistrement. Envoyez-le dans un "
        "autre format."
    ),
    "The artifact has track {}, which another library gave to it. Serve it with that library's "
    "SHAZAM_DATABASE, or with SHAZAM_LIBRARY=none.": (
        "L'artefact a le morceau {0}, qu'une autre bibliothèque lui a donné. Servez-le avec le "
        "SHAZAM_DATABASE de celle-là, ou avec SHAZAM_LIBRARY=none."
    ),
    "What was heard of a track cannot be read ({}). Let it be heard again.": (
        "Ce qui a été entendu d'un morceau est illisible ({0}). Faites-le réentendre."
    ),
}
_FETCHED = {
    "The link leads to {}, which is neither sound nor a video. Give the link of the file itself.": (
        "Le lien mène à {0}, qui n'est ni du son ni une vidéo. Donnez le lien du fichier lui-même."
    ),
    "There are 0 bytes behind this link. Send one to a recording.": (
        "Il y a 0 octet derrière ce lien. Envoyez celui d'un enregistrement."
    ),
    "The file behind the link is empty.": "Le fichier derrière le lien est vide.",
    "{} is not on the public internet, and links are followed only there. Upload the file "
    "instead, or have whoever runs this service name the host in SHAZAM_TRUSTED_HOSTS, as the link "
    "writes it.": (
        "{0} n'est pas sur l'internet public, et les liens ne sont suivis que là. Envoyez plutôt "
        "le fichier, ou demandez à qui tient ce service de nommer l'hôte dans "
        "SHAZAM_TRUSTED_HOSTS, comme l'écrit le lien."
    ),
    "A link with a line break or another control in it is not followed.": (
        "Un lien qui contient un saut de ligne ou un autre caractère de contrôle n'est pas suivi."
    ),
    "A socket of this machine is not a link.": "Une socket de cette machine n'est pas un lien.",
    "A link has at most {} characters.": "Un lien a au plus {0:number} caractères.",
    "Only links that begin with https:// or http:// and name a server are followed.": (
        "Seuls les liens qui commencent par https:// ou http:// et nomment un serveur sont suivis."
    ),
    "A link with a user name or password in it is not followed.": (
        "Un lien qui contient un nom d'utilisateur ou un mot de passe n'est pas suivi."
    ),
    "Port {} is not one of the web's. Links may name 80, 443, or 1024 and above.": (
        "Le port {0} n'est pas du web. Les liens peuvent nommer 80, 443, ou 1024 et plus."
    ),
    "There is no server called {}. Check the link.": f"Aucun serveur ne s'appelle {{0}}. {_CHECK}",
    "This is not a link. Send one that begins with https://.": (
        "Ce n'est pas un lien. Envoyez-en un qui commence par https://."
    ),
    "This link of Jamendo names no track. Give the link of one track.": (
        "Ce lien de Jamendo ne nomme pas de morceau. Donnez le lien d'un morceau."
    ),
    "Jamendo has no such track (any more).": "Jamendo n'a pas (ou plus) ce morceau.",
    "The artist does not let this track be downloaded from Jamendo. Upload the file, if you have "
    "it.": ("L'artiste ne permet pas de télécharger ce morceau de Jamendo. " + _IF_YOU_HAVE_IT),
    "It lasts {} s, and at most {} are taken.": (
        "Il dure {0:number} s, et {1:number} au plus sont acceptées."
    ),
    "Links of Jamendo are not taken here: {}": (
        "Les liens de Jamendo ne sont pas acceptés ici : {0:said}"
    ),
    "Jamendo refuses our client id ({}).": "Jamendo refuse notre identifiant ({0}).",
    "Jamendo has been asked too often by us. Try again later.": (
        f"Nous avons trop demandé à Jamendo. {_LATER}"
    ),
    "Jamendo answers {}, and nothing of use.": "Jamendo répond {0}, et rien d'utile.",
    "What lies behind the link did not come within {} s. Try again, or upload the file.": (
        "Ce qui est derrière le lien n'est pas venu en {0:number} s. Réessayez, ou envoyez le "
        "fichier."
    ),
    "This is no link of {}. Send it to /api/v1/process/submit, which takes links of all sources.": (
        "Ce n'est pas un lien de {0}. Envoyez-le à /api/v1/process/submit, qui accepte les liens "
        "de toutes les sources."
    ),
    "Links of this source are not taken here: {}": (
        "Les liens de cette source ne sont pas acceptés ici : {0:said}"
    ),
    "“{}” by {}: Spotify tells what it is called and gives no audio, and it is not found where it "
    "may be downloaded. Upload the file, if you have it.": (
        "« {0} » de {1} : Spotify dit comment il s'appelle et ne donne pas le son, et il n'est pas "
        "là où il se télécharge. " + _IF_YOU_HAVE_IT
    ),
    "This link of Spotify names no track. Give the link of one track.": (
        "Ce lien de Spotify ne nomme pas de morceau. Donnez le lien d'un morceau."
    ),
    "Links of Spotify are not taken here: {}": (
        "Les liens de Spotify ne sont pas acceptés ici : {0:said}"
    ),
    "Spotify refuses us ({}, {}).": "Spotify nous refuse ({0}, {1}).",
    "Spotify has nothing of this name (any more). Check the link.": (
        f"Spotify n'a rien (ou plus rien) de ce nom. {_CHECK}"
    ),
    "Spotify answers {}, and nothing of use.": "Spotify répond {0}, et rien d'utile.",
    "Spotify refuses our credentials ({}, {}).": "Spotify refuse nos identifiants ({0}, {1}).",
    "TikTok gives no sound of this post. Upload the file instead.": (
        f"TikTok ne donne pas le son de cette publication. {_UPLOAD_IT}"
    ),
    "Links of TikTok are not taken here: {}": (
        "Les liens de TikTok ne sont pas acceptés ici : {0:said}"
    ),
    "TikTok's service refuses our key ({}).": "Le service de TikTok refuse notre clé ({0}).",
    "TikTok's service answers {}, and nothing of use.": (
        "Le service de TikTok répond {0}, et rien d'utile."
    ),
    "TikTok's service finds nothing behind the link. Check it.": (
        "Le service de TikTok ne trouve rien derrière le lien. Vérifiez-le."
    ),
    "TikTok's service has been asked too often by us. Try again later.": (
        f"Nous avons trop demandé au service de TikTok. {_LATER}"
    ),
    "What lies behind the link has more than {} MB. Give a shorter or smaller one.": (
        "Ce qui est derrière le lien a plus de {0:number} Mo. Donnez-en un plus court ou plus "
        "petit."
    ),
    "The link leads on to what is no link.": "Le lien mène à ce qui n'est pas un lien.",
    "The link leads on and on: more than {} redirects.": (
        "Le lien mène toujours plus loin : plus de {0} redirections."
    ),
    "The link cannot be asked for. Check it.": "Le lien ne peut être demandé. Vérifiez-le.",
    "The link's server shows a certificate that is not good.": (
        "Le serveur du lien montre un certificat qui n'est pas valable."
    ),
    "YouTube gives this one to a JavaScript engine alone, and this service has none: its operator "
    "installs deno. Upload the file, if you have it.": (
        "YouTube ne donne celui-ci qu'à un moteur JavaScript, et ce service n'en a pas : son "
        "opérateur installe deno. " + _IF_YOU_HAVE_IT
    ),
    "The link's server does not let us have it (it answers {}). Give a link that is open to all, "
    "or upload the file.": (
        "Le serveur du lien ne nous le donne pas (il répond {0}). Donnez un lien ouvert à tous, ou "
        "envoyez le fichier."
    ),
    "There is nothing behind the link (it answers {}).": (
        "Il n'y a rien derrière le lien (il répond {0})."
    ),
    "The link's server answers {}, and no file.": "Le serveur du lien répond {0}, sans fichier.",
    "The link's server sends the file compressed, which was not asked for.": (
        "Le serveur du lien envoie le fichier compressé, ce qui n'était pas demandé."
    ),
    "The source's API sends us elsewhere: correct its address.": (
        "L'API de la source nous envoie ailleurs : corrigez son adresse."
    ),
    "The source's answer is far too long.": "La réponse de la source est bien trop longue.",
    "The link's server answers {}, also when asked again. Try again later.": (
        f"Le serveur du lien répond {{0}}, même quand on insiste. {_LATER}"
    ),
    "The link's server cannot be reached, or ends the connection. Check the link, or try again "
    "later.": (
        "Le serveur du lien est injoignable, ou coupe la connexion. Vérifiez le lien, ou réessayez "
        "plus tard."
    ),
    "The link leads to a page, not to a file of sound. Give the link of the file itself, or "
    "download it and upload it here.": (
        "Le lien mène à une page, pas à un fichier de son. Donnez le lien du fichier lui-même, ou "
        "téléchargez-le et envoyez-le ici."
    ),
    # What keeps a source away: settings of who runs the service, as their variables are called.
    "{} is not set.": "{0} n'est pas défini.",
    "{} and {} are not set.": "{0} et {1} ne sont pas définis.",
    "yt-dlp is not installed. Run: {}": "yt-dlp n'est pas installé. Lancez : {0}",
    # sources/apart.py
    "The link leads to several recordings. Give the link of one of them.": (
        "Le lien mène à plusieurs enregistrements. Donnez le lien de l'un d'eux."
    ),
    "The link leads to something live, which has no end yet. Try again later.": (
        f"Le lien mène à un direct, qui n'est pas fini. {_LATER}"
    ),
    "Its source does not give it to the country we are in.": (
        "Sa source ne le donne pas au pays où nous sommes."
    ),
    "The link's server answers {}. Check the link.": f"Le serveur du lien répond {{0}}. {_CHECK}",
    "The link's server cannot be reached. Try again later.": (
        f"Le serveur du lien est injoignable. {_LATER}"
    ),
    "Its source does not give it: it is private, removed, for members or adults alone, or not for "
    "such as us. Upload the file, if you have it.": (
        "Sa source ne le donne pas : il est privé, retiré, réservé à des membres ou à des adultes, "
        f"ou pas pour nous. {_IF_YOU_HAVE_IT}"
    ),
    "Nothing that sounds was found behind the link. Give the link of a file or of one recording, "
    "or upload the file.": (
        "Rien qui s'entende n'a été trouvé derrière le lien. Donnez le lien d'un fichier ou d'un "
        "seul enregistrement, ou envoyez le fichier."
    ),
    "The link leads to an address that is not on the public internet, and links are followed only "
    "there. Upload the file instead.": (
        "Le lien mène à une adresse qui n'est pas sur l'internet public, et les liens ne sont "
        f"suivis que là. {_UPLOAD_IT}"
    ),
    "The link could not be read. Try again, or upload the file.": (
        "Le lien n'a pas pu être lu. Réessayez, ou envoyez le fichier."
    ),
}

LIBRARY = {**_ASKED, **_WORKED, **_FETCHED}
