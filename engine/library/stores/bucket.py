"""Objects in whatever fsspec reaches: `s3://` (AWS, MinIO, R2, SeaweedFS …), `gs://`, `memory://`.

Credentials, regions and endpoints come from where the makers of each back end look for them:
`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL_S3`, an instance's own role,
`GOOGLE_APPLICATION_CREDENTIALS`, `FSSPEC_S3_*`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.base.errors import SettingsError
from engine.base.needs import need
from engine.library.stores.store import BLOCK_BYTES, Stored, Trouble

# fsspec's back ends, by the package that each is.
BACK_ENDS = {"s3": "s3fs", "gs": "gcsfs", "memory": "fsspec"}
# A server that is there answers in this time; one attempt waits no longer for one that is not.
CONNECT_S, READ_S = 5, 20
# SigV4 signs for no longer.
LONGEST_LINK_S = 7 * 86_400

FULL = {
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
    "QuotaExceeded",
    "InsufficientStorage",
}
LASTING = {
    *("NoSuchBucket", "InvalidBucketName", "AccessDenied", "InvalidAccessKeyId", "ExpiredToken"),
    *("SignatureDoesNotMatch", "PermanentRedirect", "AuthorizationHeaderMalformed"),
}
LASTING_ERRORS = {
    *("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"),
    *("ParamValidationError", "NoRegionError", "RefreshError"),
}


class Bucket:
    """`public_url`: the address under which those who get a link reach an S3 server, where it is
    another than ours; "none": nobody reaches it, so there are no links."""

    def __init__(self, url: str, public_url: str = "") -> None:
        scheme, _, path = url.partition("://")
        self._scheme, self._root = scheme, path.strip("/")
        self._bucket, _, self._prefix = self._root.partition("/")
        self._name = f"{scheme}://{self._root}"
        if scheme not in BACK_ENDS or not self._bucket:
            raise SettingsError(
                f"SHAZAM_STORAGE={self._name[:200]!r} is neither a folder nor a bucket at s3:// or "
                "gs://. Example: SHAZAM_STORAGE=s3://my-bucket/library"
            )
        self._system = _system(scheme)
        self._linking = _linking(scheme, self._system, public_url)

    @property
    def name(self) -> str:
        return self._name

    def write(self, key: str, source: Path | bytes, media_type: str) -> None:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size <= 2 * BLOCK_BYTES:
            data = source if isinstance(source, bytes) else source.read_bytes()
            self._system.pipe_file(self._at(key), data, **self._described(media_type, data))
        elif isinstance(source, bytes):
            described = self._described(media_type)
            self._system.pipe_file(self._at(key), source, chunksize=BLOCK_BYTES, **described)
        else:
            parts = {"max_concurrency": 2} if self._scheme == "s3" else {}
            described = self._described(media_type)
            self._system.put_file(
                str(source), self._at(key), chunksize=BLOCK_BYTES, **parts, **described
            )
        if (found := self.size(key)) != size:
            raise ConnectionError(f"{found} bytes arrived of {size}")

    def read(self, key: str, start: int, end: int) -> bytes:
        if end <= start:
            return b""
        return bytes(self._system.cat_file(self._at(key), start=start, end=end))

    def size(self, key: str) -> int:
        described = self._system.info(self._at(key))
        if described["type"] != "file":
            raise FileNotFoundError(key)
        return int(described["size"])

    def delete(self, key: str) -> None:
        try:
            self._system.rm_file(self._at(key))
        except FileNotFoundError:
            if self._scheme == "s3":
                raise  # S3 deletes what is not there: it is the bucket that is missing

    def list(self, prefix: str) -> Iterator[Stored]:
        under = f"{self._root}/{prefix}" if prefix else self._root
        for path, described in self._system.find(under, detail=True).items():
            path = path.strip("/")
            if described["type"] != "file" or not path.startswith(f"{under}/"):
                continue  # an empty folder of keys, or an object of the folder's own name
            key = path.removeprefix(f"{self._root}/")
            yield Stored(key, int(described["size"]), _modified_s(described))

    def path(self, key: str) -> Path | None:
        return None

    def link(self, key: str, expires_s: int, filename: str, media_type: str) -> str | None:
        if self._linking is None:
            return None
        expires_s = min(expires_s, LONGEST_LINK_S)
        disposition = _disposition(filename)
        if self._scheme == "s3":
            said = {"ResponseContentDisposition": disposition, "ResponseContentType": media_type}
            return str(self._linking.url(self._at(key), expires=expires_s, **said))
        return str(
            self._linking.sign(
                self._at(key),
                expiration=int(time.time()) + expires_s,
                version="v4",
                response_disposition=disposition,
                response_type=media_type,
            )
        )

    def check(self) -> None:
        if self._scheme == "s3":
            self._system.call_s3(
                "list_objects_v2", Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1
            )
        else:
            # gcsfs asks six times by itself, for half a minute: too long for a question of health.
            within = {"timeout": READ_S} if self._scheme == "gs" else {}
            self._system.exists(self._at("nothing-of-this-name"), **within)

    def tidy(self, older_s: float) -> int:
        """Ends multipart uploads whose writer is gone: nobody sees them, and they are paid for."""
        if self._scheme != "s3":
            return 0
        answer = self._system.call_s3(
            "list_multipart_uploads", Bucket=self._bucket, Prefix=self._prefix
        )
        began_before = datetime.now(UTC).timestamp() - older_s
        left = [
            upload
            for upload in answer.get("Uploads") or []
            if upload["Initiated"].timestamp() <= began_before
        ]
        for upload in left:
            self._system.call_s3(
                "abort_multipart_upload",
                Bucket=self._bucket,
                Key=upload["Key"],
                UploadId=upload["UploadId"],
            )
        return len(left)

    def judge(self, error: Exception) -> Trouble:
        code, status = _code_of(error), _status_of(error)
        if code in FULL or status == 507:
            return Trouble.FULL
        if code in LASTING or type(error).__name__ in LASTING_ERRORS:
            return Trouble.LASTING
        if isinstance(error, FileNotFoundError):
            # An upload in parts that was tidied away under its writer is begun anew.
            return Trouble.PASSING if code == "NoSuchUpload" else Trouble.ABSENT
        if status is not None and 400 <= status < 500:
            return Trouble.PASSING if status in (408, 409, 425, 429) else Trouble.LASTING
        if isinstance(error, PermissionError | TypeError | ValueError | LookupError):
            return Trouble.LASTING
        return Trouble.PASSING

    def _at(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _described(self, media_type: str, data: bytes | None = None) -> dict[str, str]:
        """Words of each back end for what an object is, and for what must have arrived. A large
        file's parts have checksums of botocore's own."""
        if self._scheme == "gs":
            return {"content_type": media_type, "consistency": "md5"}
        if self._scheme != "s3":
            return {}
        described = {"ContentType": media_type}
        if data is not None:
            digest = hashlib.md5(data, usedforsecurity=False).digest()
            described["ContentMD5"] = base64.b64encode(digest).decode("ascii")
        return described


def _system(scheme: str, **options: Any) -> Any:
    """A file system of fsspec that keeps no listings and leaves asking again to us."""
    # Off: what finds out over gRPC whether a bucket is zonal; it waits half a minute.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    for package in (BACK_ENDS[scheme], "fsspec"):
        fsspec = need(package, "library.lock", by=f"{scheme}://", failure=SettingsError)
    if scheme == "memory":
        return fsspec.filesystem("memory", skip_instance_cache=True)
    if scheme == "s3":
        options["config_kwargs"] = {
            "connect_timeout": CONNECT_S,
            "read_timeout": READ_S,
            "retries": {"total_max_attempts": 1},
            "signature_version": "s3v4",
            "max_pool_connections": 50,
        }
    system = fsspec.filesystem(
        scheme, use_listings_cache=False, skip_instance_cache=True, **options
    )
    if scheme == "s3":
        system.retries = 1
    return system


def _linking(scheme: str, system: Any, public_url: str) -> Any | None:
    """What signs links; a signature holds the name of the server, so another name needs another."""
    if public_url == "none" or scheme == "memory":
        return None
    if public_url and scheme == "s3":
        return _system(scheme, endpoint_url=public_url)
    return system


def _disposition(filename: str) -> str:
    """RFC 6266, with a name in ASCII for what does not read `filename*`."""
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode("ascii")
    plain = "".join(c for c in plain if c.isprintable() and c not in '"\\')
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _modified_s(described: Mapping[str, Any]) -> float:
    """When S3, Google or fsspec's memory say that an object was written, as Unix time."""
    for name in ("LastModified", "mtime", "updated", "created"):
        when = described.get(name)
        if isinstance(when, float):
            return when
        if isinstance(when, datetime):
            return when.timestamp()
        if isinstance(when, str) and when:
            return datetime.fromisoformat(when).timestamp()
    raise KeyError("LastModified")


def _answer_of(error: BaseException) -> Mapping[str, Any]:
    """What botocore keeps of an answer; s3fs hands an error of Python's that was caused by it."""
    for one in (error, error.__cause__, error.__context__):
        response = getattr(one, "response", None)
        if isinstance(response, Mapping):
            return response
    return {}


def _code_of(error: Exception) -> str:
    return str(_answer_of(error).get("Error", {}).get("Code", ""))


def _status_of(error: Exception) -> int | None:
    for value in (
        _answer_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode"),
        getattr(error, "code", None),
        getattr(error, "status", None),
    ):
        if isinstance(value, int | str) and str(value).isdigit():
            return int(value)
    return None
