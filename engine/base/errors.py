"""Every failure we promise to name.

    ShazamError                      code               HTTP status
    ├── InvalidRequest               invalid_request    400
    ├── Unauthorized                 unauthorized       401, 403
    ├── NotFound                     not_found          404
    │   ├── AlbumNotFound            album_not_found    404
    │   ├── CoverNotFound            cover_not_found    404
    │   ├── TrackNotFound            track_not_found    404
    │   ├── AudioNotFound            audio_not_found    404
    │   ├── JobNotFound              job_not_found      404
    │   ├── SampleNotFound           sample_not_found   404
    │   ├── ObjectNotFound           object_not_found   404
    │   ├── SessionNotFound          session_not_found  404
    │   └── LyricsNotFound           lyrics_not_found   404
    ├── AudioNotShared               audio_not_shared   403
    ├── LinkExpired                  link_expired       403
    ├── MethodNotAllowed             method_not_allowed 405
    ├── JobFinished                  job_finished       409
    ├── SampleNotReady               sample_not_ready   409
    ├── SessionNotReady              session_not_ready  409
    ├── AudioExpired                 audio_expired      410
    ├── ImageTooLarge                image_too_large    413
    ├── AudioTooLong                 audio_too_long     413
    ├── LinkTooLarge                 link_too_large     413
    ├── PayloadTooLarge              payload_too_large  413
    ├── UnreadableImage              unreadable_image   415
    ├── UnreadableAudio              unreadable_audio   415
    │   ├── EmptyFile                empty_file         415
    │   └── NoSound                  no_sound           415
    ├── RangeNotSatisfiable          range_not_satisfiable 416
    ├── AudioTooShort                audio_too_short    422
    ├── AudioTooQuiet                audio_too_quiet    422
    ├── AudioSilent                  audio_silent       422
    ├── LinkRefused                  link_refused       422
    ├── SourceUnavailable            source_unavailable 422
    ├── SourceRefused                source_refused     422
    ├── PartUnavailable              part_unavailable   422
    ├── QuotaExceeded                quota_exceeded     429
    ├── Internal                     internal           500
    │   ├── WorkerLost               worker_lost        500
    │   └── ObjectDamaged            object_damaged     500
    ├── LinkFailed                   link_failed        502
    ├── Overloaded                   overloaded         503 (429 for a caller's own rate)
    │   └── NotReady                 not_ready          503
    │       ├── IndexUnavailable     index_unavailable  503
    │       ├── StorageUnavailable   storage_unavailable 503
    │       └── DatabaseUnavailable  database_unavailable 503
    │           └── DatabaseFull     storage_full       507
    ├── DeadlineExceeded             timeout            504
    │   └── LinkTimeout              link_timeout       504
    ├── StorageFull                  storage_full       507
    ├── SettingsError                invalid_setting    (stops the start)
    ├── DatabaseTooNew               database_too_new   (stops the start)
    ├── ArtifactError                invalid_artifact   (a reader's refusal; see the subclasses)
    ├── BuildError                   build_failed       (command line, exit 1)
    └── UnsafePickle                 unsafe_pickle      (command line, exit 1)

A message says what happened and what to do next. It is written for the person who sent the
request or typed the command, so it never holds a stack trace, a path inside the server or a
dependency's own words alone.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar


class ShazamError(Exception):
    """Base of all named failures: a stable `code`, an HTTP `status` and a sentence."""

    code: ClassVar[str] = "internal"
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def headers(self) -> dict[str, str]:
        """Response headers that belong to this failure (`Retry-After`, `WWW-Authenticate`…)."""
        return {}


class InvalidRequest(ShazamError):
    code = "invalid_request"
    status = HTTPStatus.BAD_REQUEST


class Unauthorized(ShazamError):
    """No key was sent (401) or one we do not know (403)."""

    code = "unauthorized"
    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, message: str, *, known_caller: bool = False, **details: Any) -> None:
        super().__init__(message, **details)
        self.status = HTTPStatus.FORBIDDEN if known_caller else HTTPStatus.UNAUTHORIZED

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"} if self.status == HTTPStatus.UNAUTHORIZED else {}


class NotFound(ShazamError):
    code = "not_found"
    status = HTTPStatus.NOT_FOUND


class AlbumNotFound(NotFound):
    code = "album_not_found"


class CoverNotFound(NotFound):
    code = "cover_not_found"


class TrackNotFound(NotFound):
    code = "track_not_found"


class AudioNotFound(NotFound):
    code = "audio_not_found"


class JobNotFound(NotFound):
    """No job has this id, or it is another caller's."""

    code = "job_not_found"


class SampleNotFound(NotFound):
    """The library holds no such sample, or it is another caller's."""

    code = "sample_not_found"


class ObjectNotFound(NotFound):
    """The store holds no file of this key."""

    code = "object_not_found"


class SessionNotFound(NotFound):
    """Nobody sings in a session of this id, or it is another caller's."""

    code = "session_not_found"


class LyricsNotFound(NotFound):
    """Nobody who was asked knows the words of a song."""

    code = "lyrics_not_found"


class AudioNotShared(ShazamError):
    """The licence of a track forbids to hand out its audio."""

    code = "audio_not_shared"
    status = HTTPStatus.FORBIDDEN


class LinkExpired(ShazamError):
    """A signed link to a file is past its time, or its signature is not ours."""

    code = "link_expired"
    status = HTTPStatus.FORBIDDEN


class MethodNotAllowed(ShazamError):
    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED

    def __init__(self, message: str, *, allow: str = "", **details: Any) -> None:
        super().__init__(message, **details)
        self.allow = allow

    def headers(self) -> dict[str, str]:
        return {"Allow": self.allow} if self.allow else {}


class JobFinished(ShazamError):
    """A job that has ended cannot be cancelled, nor one that is done be tried again."""

    code = "job_finished"
    status = HTTPStatus.CONFLICT


class SampleNotReady(ShazamError):
    """What is asked of a sample is made by its job, which has not ended well (yet)."""

    code = "sample_not_ready"
    status = HTTPStatus.CONFLICT


class SessionNotReady(ShazamError):
    """A session is not where what is asked of it could be done: nothing was sung yet, or what was
    is being judged."""

    code = "session_not_ready"
    status = HTTPStatus.CONFLICT


class AudioExpired(ShazamError):
    """The audio of a session was removed, as it is within two hours of its start."""

    code = "audio_expired"
    status = HTTPStatus.GONE


class ImageTooLarge(ShazamError):
    code = "image_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnreadableImage(ShazamError):
    code = "unreadable_image"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class AudioTooLong(ShazamError):
    code = "audio_too_long"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class LinkTooLarge(ShazamError):
    """What lies behind a link has more bytes than are fetched."""

    code = "link_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class PayloadTooLarge(ShazamError):
    """A body of words alone, such as a link, of more bytes than those take."""

    code = "payload_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnreadableAudio(ShazamError):
    code = "unreadable_audio"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class EmptyFile(UnreadableAudio):
    code = "empty_file"


class NoSound(UnreadableAudio):
    """A video without a track of sound."""

    code = "no_sound"


class AudioTooShort(ShazamError):
    code = "audio_too_short"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class AudioSilent(ShazamError):
    """A recording in which nothing can be heard, however long."""

    code = "audio_silent"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class LinkRefused(ShazamError):
    """A link that is never followed: its scheme, its port, or an address that is not public."""

    code = "link_refused"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class LinkFailed(ShazamError):
    """A link was followed and gave nothing: no such name, no connection, a refusal."""

    code = "link_failed"
    status = HTTPStatus.BAD_GATEWAY


class SourceUnavailable(ShazamError):
    """The source of a link is absent from this service: it has no key, or is not installed."""

    code = "source_unavailable"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class SourceRefused(ShazamError):
    """The source does not give this one: its licence, its terms, or it was taken away."""

    code = "source_refused"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class PartUnavailable(ShazamError):
    """What would hear this is absent from this service: its models are not there."""

    code = "part_unavailable"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class QuotaExceeded(ShazamError):
    """A key has spent what it may add to the library in a day."""

    code = "quota_exceeded"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, message: str, *, retry_after_s: int, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after_s = retry_after_s

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class AudioTooQuiet(ShazamError):
    """Nothing sounds in a recording."""

    code = "audio_too_quiet"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class RangeNotSatisfiable(ShazamError):
    """A part of a file was asked for that lies behind its end."""

    code = "range_not_satisfiable"
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, message: str, *, size: int, **details: Any) -> None:
        super().__init__(message, **details)
        self.size = size

    def headers(self) -> dict[str, str]:
        return {"Content-Range": f"bytes */{self.size}"}


class Overloaded(ShazamError):
    """The bounded queue is full (503), or one caller asks faster than it may (429)."""

    code = "overloaded"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(
        self, message: str, *, retry_after_s: int = 1, own_rate: bool = False, **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.retry_after_s = retry_after_s
        if own_rate:
            self.status = HTTPStatus.TOO_MANY_REQUESTS

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class NotReady(Overloaded):
    """The encoder or the index is not loaded (yet), so no search can be answered."""

    code = "not_ready"


class IndexUnavailable(NotReady):
    """The engine that holds the index (`SHAZAM_INDEX`) does not answer."""

    code = "index_unavailable"


class StorageUnavailable(NotReady):
    """The store of objects (`SHAZAM_STORAGE`) does not answer, also after waiting."""

    code = "storage_unavailable"


class DatabaseUnavailable(NotReady):
    """The database (`SHAZAM_DATABASE`) does not answer."""

    code = "database_unavailable"


class DatabaseFull(DatabaseUnavailable):
    """The disk of the database takes no more; what waits for a database waits for this, too."""

    code = "storage_full"
    status = HTTPStatus.INSUFFICIENT_STORAGE


class StorageFull(ShazamError):
    """The disk or the bucket takes no more."""

    code = "storage_full"
    status = HTTPStatus.INSUFFICIENT_STORAGE


class DeadlineExceeded(ShazamError):
    code = "timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT


class LinkTimeout(DeadlineExceeded):
    """What lies behind a link did not come in the time it may take."""

    code = "link_timeout"


class Internal(ShazamError):
    code = "internal"


class WorkerLost(Internal):
    """A step ended its process each time it was tried: something in the file is the reason."""

    code = "worker_lost"


class ObjectDamaged(Internal):
    """A stored file is not the one that its sha256 was taken of."""

    code = "object_damaged"


class SettingsError(ShazamError):
    code = "invalid_setting"


class DatabaseTooNew(ShazamError):
    """The database was migrated by a later version than this one."""

    code = "database_too_new"


class BuildError(ShazamError):
    code = "build_failed"


class UnsafePickle(ShazamError):
    code = "unsafe_pickle"


class EncoderUnavailable(ShazamError):
    """The encoder is neither a folder nor in the local cache, and the hub is out of reach."""

    code = "encoder_unavailable"


class ArtifactError(ShazamError):
    """An artifact that must not be served. `code` names which MUST of artifacts/README.md broke."""

    code = "invalid_artifact"


class ArtifactNotFound(ArtifactError):
    code = "artifact_not_found"


class ArtifactUnavailable(ArtifactError):
    """A packed artifact cannot be fetched now: the network, a missing object, no permission."""

    code = "artifact_unavailable"


class PackInvalid(ArtifactError):
    """A packed artifact is not a tar of one artifact's plain files."""

    code = "pack_invalid"


class WrongKind(ArtifactError):
    """An artifact of a kind that this version does not know."""

    code = "wrong_kind"


class ManifestInvalid(ArtifactError):
    code = "manifest_invalid"


class FormatTooNew(ArtifactError):
    code = "format_too_new"


class FileMissing(ArtifactError):
    code = "file_missing"


class FileUnexpected(ArtifactError):
    code = "file_unexpected"


class DigestMismatch(ArtifactError):
    code = "digest_mismatch"


class CountMismatch(ArtifactError):
    code = "count_mismatch"


class EncoderMismatch(ArtifactError):
    code = "encoder_mismatch"


class IndexNotPublished(ArtifactError):
    """The engine that `SHAZAM_INDEX` names does not hold this artifact's rows, or not all."""

    code = "index_not_published"


class GoldenQueryFailed(ArtifactError):
    code = "golden_query_failed"
