"""`engine/library/objects.py`: every kind of store is held to the same."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from object_stores import BUCKET, Middleman, Weed, credentials, google, moto, optional, weed

from engine.base.errors import (
    InvalidRequest,
    ObjectDamaged,
    ObjectNotFound,
    SettingsError,
    StorageFull,
    StorageUnavailable,
)
from engine.library import objects as objects_module
from engine.library.objects import Objects
from engine.library.stores import bucket as bucket_module
from engine.library.stores.store import Stored, Trouble

SMALL = b"a few bytes of sound"
KEY = "audio/0123abcd/preview.mp3"
# gcsfs takes seconds to import, and SeaweedFS to start.
OPTIONAL = [pytest.param(name, marks=optional) for name in ("google", "weed")]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with moto() as url:
        yield url


@pytest.fixture(scope="module")
def weed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    with weed(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture(
    params=["folder", "memory", "moto", *OPTIONAL],
    scope="module",
)
def objects(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Objects]:
    if request.param == "folder":
        yield Objects.open(str(tmp_path_factory.mktemp("objects") / "made"), patience_s=1)
    elif request.param == "memory":
        yield Objects.open("memory://library/tests", patience_s=1)
    elif request.param == "google":
        with google():
            yield Objects.open(f"gs://{BUCKET}/some/prefix", patience_s=1, public_url="none")
    else:
        with credentials(s3_url(request)):
            yield Objects.open(f"s3://{BUCKET}/some/prefix", patience_s=1)


def s3_url(request: pytest.FixtureRequest) -> str:
    if request.param == "moto":
        return str(request.getfixturevalue("moto_url"))
    return str(request.getfixturevalue("weed_server").url)


@pytest.fixture(params=["moto", pytest.param("weed", marks=optional)])
def s3(request: pytest.FixtureRequest) -> Iterator[Objects]:
    with credentials(s3_url(request)):
        yield Objects.open(f"s3://{BUCKET}/linked", patience_s=5)


@pytest.fixture
def real(weed_server: Weed) -> Iterator[Objects]:
    with credentials(weed_server.url):
        yield Objects.open(f"s3://{BUCKET}", patience_s=1)


@pytest.fixture
def pretended(moto_url: str) -> Iterator[None]:
    with credentials(moto_url):
        yield


def large(megabytes: int) -> bytes:
    return hashlib.sha256(b"seed").digest() * (megabytes << 15)


# What every store does


def test_bytes_come_back_as_they_were_put(objects: Objects, tmp_path: Path) -> None:
    assert objects.put(KEY, SMALL, media_type="audio/mpeg") == len(SMALL)
    assert objects.read(KEY) == SMALL
    assert objects.size(KEY) == len(SMALL)
    assert objects.exists(KEY)
    assert objects.get(KEY, tmp_path / "copy").read_bytes() == SMALL


def test_an_empty_object_is_an_object(objects: Objects, tmp_path: Path) -> None:
    objects.put("empty", b"")
    assert (objects.size("empty"), objects.read("empty"), objects.exists("empty")) == (0, b"", True)
    assert objects.get("empty", tmp_path / "empty").read_bytes() == b""


def test_objects_are_whole_where_they_are_as_they_were_sealed(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.library.objects.SEALED_BYTES", 4)
    keys = ("whole/one", "whole/two")
    for key in keys:
        objects.put(key, b"abcd 1 efgh")
    seals = objects.seals([*keys, "whole/none"])
    assert set(seals) == set(keys)
    assert objects.are_whole(keys, seals)
    assert objects.are_whole(keys)
    for damaged in (b"", b"abcd 1 efg", bytes(11), b"abcd 1 ef\0\0", b"ABCD 1 efgh"):
        objects.put(keys[1], damaged)
        assert not objects.are_whole(keys, seals), damaged
        assert objects.are_whole(keys) == bool(damaged)
    objects.delete(keys[1])
    assert not objects.are_whole(keys)
    assert not objects.are_whole(keys, seals)
    assert not objects.are_whole(["whole/one"], {})


def test_a_second_put_replaces_the_first(objects: Objects) -> None:
    objects.put("replaced", b"a long first version")
    objects.put("replaced", b"second")
    assert objects.read("replaced") == b"second"


def test_parts_are_read_as_slices(objects: Objects) -> None:
    objects.put(KEY, SMALL)
    for start, end in [
        (0, 5),
        (2, 7),
        (5, None),
        (0, 10_000),
        (19, 20),
        (20, 25),
        (30, 40),
        (7, 7),
    ]:
        assert objects.read(KEY, start, end) == SMALL[start:end]


# aiohttp warns of the blocks that gcsfs gives it.
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
def test_a_file_larger_than_a_block_comes_whole_and_in_blocks(
    objects: Objects, tmp_path: Path
) -> None:
    data = large(18)  # more than two blocks: S3's multipart
    source = tmp_path / "large"
    source.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert objects.put("large", source, sha256=digest) == len(data)
    assert [len(block) for block in objects.stream("large")] == [8 << 20, 8 << 20, 2 << 20]
    assert objects.get("large", tmp_path / "back", sha256=digest).read_bytes() == data
    assert objects.read("large", (8 << 20) - 3, (8 << 20) + 3) == data[(8 << 20) - 3 :][:6]
    assert source.read_bytes() == data
    objects.put("large-bytes", data)
    assert objects.size("large-bytes") == len(data)
    for key in ("large", "large-bytes"):
        objects.delete(key)


def test_what_is_not_there_is_not_found(objects: Objects, tmp_path: Path) -> None:
    assert not objects.exists("audio/absent")
    for call in (
        lambda: objects.size("audio/absent"),
        lambda: objects.read("audio/absent"),
        lambda: objects.get("audio/absent", tmp_path / "absent"),
    ):
        with pytest.raises(ObjectNotFound, match="no object audio/absent"):
            call()
    assert not (tmp_path / "absent").exists()


def test_a_folder_of_keys_is_no_object(objects: Objects) -> None:
    objects.put("folder/of/keys", SMALL)
    with pytest.raises(ObjectNotFound):
        objects.size("folder/of")


def test_deleting_leaves_nothing_and_may_happen_twice(objects: Objects) -> None:
    objects.put("deleted/one", SMALL)
    objects.put("deleted/two", SMALL)
    objects.delete("deleted/one")
    objects.delete("deleted/one")
    objects.delete("deleted/never/was")
    assert [found.key for found in objects.list("deleted")] == ["deleted/two"]
    objects.delete("deleted/two")
    assert objects.list("deleted") == []


def test_a_listing_tells_keys_sizes_and_times(objects: Objects) -> None:
    before = time.time()
    objects.put("listed/a/one", SMALL)
    objects.put("listed/b/two", b"")
    objects.put("listed-not/three", SMALL)
    found = sorted(objects.list("listed/"), key=lambda one: one.key)
    assert [(one.key, one.size_bytes) for one in found] == [
        ("listed/a/one", len(SMALL)),
        ("listed/b/two", 0),
    ]
    assert all(before - 2 <= one.modified_s <= time.time() + 2 for one in found)
    assert {one.key for one in found} < {one.key for one in objects.list()}
    assert objects.list("listed/c") == []


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "../secret", "audio/../../secret", "/etc/passwd", "audio//x", "audio/", "./x"),
        *(".incoming/x", "audio/.hidden", "a\x00b", "a\nb", "ü", "a b", "a\\b", "x" * 513, "a?b"),
    ],
)
def test_what_is_no_key_is_refused_everywhere(objects: Objects, key: str, tmp_path: Path) -> None:
    for call in (
        lambda: objects.put(key, SMALL),
        lambda: objects.read(key),
        lambda: objects.get(key, tmp_path / "x"),
        lambda: objects.delete(key),
        lambda: objects.exists(key),
        lambda: objects.link(key, 60, "x.mp3"),
    ):
        with pytest.raises(InvalidRequest, match="is not the key of an object"):
            call()


def test_a_file_that_has_changed_since_it_was_hashed_is_not_kept(
    objects: Objects, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(SMALL)
    for source in (SMALL, file):
        with pytest.raises(ObjectDamaged):
            objects.put("changed", source, sha256="0" * 64)
    assert not objects.exists("changed")


def test_a_damaged_object_is_told_and_not_left(objects: Objects, tmp_path: Path) -> None:
    objects.put("damaged", SMALL)
    with pytest.raises(ObjectDamaged, match="damaged is damaged"):
        objects.get("damaged", tmp_path / "back", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_an_object_is_a_file_while_it_is_worked_on(objects: Objects, tmp_path: Path) -> None:
    objects.put(KEY, SMALL)
    with objects.local(KEY, tmp_path) as path:
        assert path.read_bytes() == SMALL
        assert path.name == "preview.mp3"  # demuxers look at endings
    assert list(tmp_path.iterdir()) == []
    assert objects.read(KEY) == SMALL
    with pytest.raises(ObjectNotFound), objects.local("audio/absent", tmp_path):
        pass


def test_many_threads_put_and_get_at_once(objects: Objects) -> None:
    def once(number: int) -> bytes:
        key, data = f"many/{number % 4}/{number}", bytes([number]) * 10_000
        objects.put(key, data)
        read = objects.read(key)
        objects.delete(key)
        return read

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(once, range(24))) == [bytes([n]) * 10_000 for n in range(24)]
    assert objects.list("many") == []


def test_a_store_in_order_is_checked_without_a_trace(objects: Objects) -> None:
    before = [one.key for one in objects.list()]
    objects.check()
    assert [one.key for one in objects.list()] == before


# A folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "objects"


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_put_that_fails_leaves_what_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = Objects.open(str(folder), patience_s=0)
    objects.put(KEY, SMALL)

    def lost(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", lost)
    with pytest.raises(StorageFull, match="storage is full"):
        objects.put(KEY, b"second")
    monkeypatch.undo()
    assert objects.read(KEY) == SMALL
    assert everything(folder) == [KEY]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_real_full_disk_is_told_as_such(tmp_path: Path) -> None:
    objects = Objects.open(str(tmp_path / "objects"), patience_s=0)
    objects.put(KEY, SMALL)
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(StorageFull, match="disk of this machine"):
        objects.get(KEY, full)


def test_a_killed_put_is_not_listed_and_is_swept_later(folder: Path) -> None:
    objects = Objects.open(str(folder), patience_s=0)
    objects.put(KEY, SMALL)
    left = folder / ".incoming" / "left"
    left.write_bytes(b"half")
    assert [one.key for one in objects.list()] == [KEY]
    assert objects.tidy(older_s=3_600) == 0
    os.utime(left, (time.time() - 4_000,) * 2)
    assert objects.tidy(older_s=3_600) == 1
    assert everything(folder) == [KEY]


@pytest.mark.parametrize("emptied", [False, True], ids=["gone", "replaced"])
def test_a_folder_that_goes_is_told_and_no_empty_one_takes_its_place(
    folder: Path, emptied: bool
) -> None:
    objects = Objects.open(str(folder), patience_s=0)
    objects.put(KEY, SMALL)
    away = folder.rename(folder.with_name("away"))
    if emptied:
        folder.mkdir()
    asked: list[Callable[[], object]] = [
        *(objects.check, objects.list, lambda: objects.put(KEY, SMALL), lambda: objects.read(KEY)),
        *(lambda: objects.exists(KEY), lambda: objects.delete(KEY)),
    ]
    for ask in asked:
        with pytest.raises(StorageUnavailable, match="is gone, or another is in its place"):
            ask()
    if emptied:
        folder.rmdir()
    assert not folder.exists()
    away.rename(folder)
    assert objects.read(KEY) == SMALL


def test_folders_that_others_empty_are_made_anew(folder: Path) -> None:
    objects = Objects.open(str(folder), patience_s=0)

    def once(number: int) -> None:
        for _ in range(40):
            objects.put(f"same/deep/folder/{number}", SMALL)
            objects.delete(f"same/deep/folder/{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, range(4)))
    assert everything(folder) == []


def test_a_folder_hands_out_no_links(folder: Path) -> None:
    objects = Objects.open(str(folder))
    objects.put(KEY, SMALL)
    assert objects.link(KEY, 60, "x.mp3") is None


def test_a_folder_that_cannot_be_one_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    objects = Objects.open(str(tmp_path / "file" / "objects"), patience_s=30)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable, match="have to be corrected"):
        objects.check()
    with pytest.raises(StorageUnavailable):
        objects.put(KEY, SMALL)
    assert time.monotonic() - began < 20


def test_a_network_disk_that_comes_back_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects, fsync, failures = Objects.open(str(folder)), os.fsync, [116, 5]  # ESTALE, EIO

    def stale(descriptor: int) -> None:
        if failures:
            raise OSError(failures.pop(), "stale file handle")
        fsync(descriptor)

    monkeypatch.setattr(objects_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(os, "fsync", stale)
    objects.put(KEY, SMALL)
    assert (objects.read(KEY), failures) == (SMALL, [])


# Waiting


class Away:
    """A store of which every attempt fails as told."""

    name = "away"

    def __init__(self, trouble: Trouble, times: int = 10**9) -> None:
        self.trouble, self.times, self.at = trouble, times, list[float]()

    def size(self, key: str) -> int:
        self.at.append(time.monotonic())
        if len(self.at) <= self.times:
            raise ConnectionError("https://user:secret@store/ is away")
        return 7

    def judge(self, error: Exception) -> Trouble:
        return self.trouble


def waiting(store: Away, patience_s: float) -> Objects:
    return Objects(store, patience_s)  # type: ignore[arg-type]


def test_a_store_that_is_away_is_asked_again_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(objects_module, "FIRST_PAUSE_S", 0.02)
    store = Away(Trouble.PASSING, times=4)
    assert waiting(store, 30).size("x") == 7
    pauses = [b - a for a, b in zip(store.at, store.at[1:], strict=False)]
    for nominal, pause in zip((0.02, 0.04, 0.08, 0.16), pauses, strict=True):
        assert nominal / 2 <= pause < nominal + 0.5
    assert caplog.text.count("waiting") == 4
    assert "secret" not in caplog.text


def test_waiting_has_an_end_and_a_name(caplog: pytest.LogCaptureFixture) -> None:
    store = Away(Trouble.PASSING)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable, match="does not answer") as refusal:
        waiting(store, 0.5).size("x")
    assert time.monotonic() - began < 5
    assert len(store.at) >= 2
    assert refusal.value.headers() == {"Retry-After": "10"}
    assert "secret" not in refusal.value.message + caplog.text


@pytest.mark.parametrize(
    ("trouble", "failure"),
    [
        (Trouble.LASTING, StorageUnavailable),
        (Trouble.FULL, StorageFull),
        (Trouble.ABSENT, ObjectNotFound),
    ],
)
def test_what_does_not_pass_is_told_at_once(trouble: Trouble, failure: type[Exception]) -> None:
    store = Away(trouble)
    with pytest.raises(failure):
        waiting(store, 30).size("x")
    assert len(store.at) == 1


def test_who_is_told_to_stop_waits_no_longer() -> None:
    store = Away(Trouble.PASSING)
    objects = waiting(store, 30)
    threading.Timer(0.1, objects.stop).start()
    began = time.monotonic()
    with pytest.raises(StorageUnavailable):
        objects.size("x")
    assert time.monotonic() - began < 20


# S3


@pytest.fixture
def middleman(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Middleman]:
    monkeypatch.setattr(objects_module, "FIRST_PAUSE_S", 0.02)
    between = Middleman(moto_url)
    with credentials(between.url):
        yield between
    between.close()


CALLS: dict[str, Callable[[Objects], object]] = {
    "put": lambda objects: objects.put("through/put", SMALL),
    "read": lambda objects: objects.read("through/kept"),
    "size": lambda objects: objects.size("through/kept"),
    "list": lambda objects: objects.list("through"),
    "delete": lambda objects: objects.delete("through/gone"),
    "absent": lambda objects: objects.exists("through/absent"),
}


@pytest.mark.parametrize("trouble", ["503", "reset"])
def test_an_s3_that_stumbles_is_waited_for(middleman: Middleman, trouble: str) -> None:
    objects = Objects.open(f"s3://{BUCKET}", patience_s=20)
    objects.put("through/kept", SMALL)
    for call in CALLS.values():
        middleman.fail(trouble, times=2)
        asked = middleman.asked
        call(objects)
        assert middleman.asked >= asked + 3
    assert objects.read("through/kept") == objects.read("through/put") == SMALL


def test_an_answer_that_ends_early_is_asked_for_again(middleman: Middleman) -> None:
    objects = Objects.open(f"s3://{BUCKET}", patience_s=20)
    objects.put("through/kept", SMALL)
    middleman.fail("cut", times=3)  # the size, which has no body, and two bodies
    assert objects.read("through/kept") == SMALL
    assert middleman.left == -1


def test_an_s3_that_answers_503_for_ever_is_unavailable_and_each_try_is_one_request(
    middleman: Middleman,
) -> None:
    objects = Objects.open(f"s3://{BUCKET}", patience_s=0.3)
    middleman.fail("503")
    with pytest.raises(StorageUnavailable, match="does not answer"):
        objects.put(KEY, SMALL)
    # Pauses of 20, 40, 80, 160 ms, or half of each: neither s3fs nor botocore asks again itself.
    assert 3 <= middleman.asked <= 7
    with pytest.raises(StorageUnavailable):
        objects.check()


def test_an_s3_that_says_nothing_is_waited_for_no_longer_than_told(
    middleman: Middleman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "READ_S", 0.3)
    objects = Objects.open(f"s3://{BUCKET}", patience_s=0.5)
    middleman.fail("hang")
    began = time.monotonic()
    with pytest.raises(StorageUnavailable, match="does not answer"):
        objects.size(KEY)
    assert time.monotonic() - began < 30


def test_no_server_at_all_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with credentials("http://127.0.0.1:9"):
        objects = Objects.open(f"s3://{BUCKET}", patience_s=0)
        with pytest.raises(StorageUnavailable, match="does not answer"):
            objects.check()


@pytest.mark.usefixtures("pretended")
def test_a_bucket_that_is_not_there_is_told_at_once() -> None:
    objects = Objects.open("s3://no-such-bucket", patience_s=30)
    began = time.monotonic()
    for call in (objects.check, lambda: objects.put(KEY, SMALL), lambda: objects.list()):
        with pytest.raises(StorageUnavailable, match="have to be corrected"):
            call()
    assert time.monotonic() - began < 20


@optional
def test_a_bucket_of_google_that_is_not_there_is_told_at_once() -> None:
    with google():
        objects = Objects.open("gs://no-such-bucket", patience_s=30, public_url="none")
        began = time.monotonic()
        with pytest.raises(StorageUnavailable, match="have to be corrected"):
            objects.put(KEY, SMALL)
        assert time.monotonic() - began < 20


def fetched(url: str) -> tuple[bytes, str, str]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read(), answer.headers["Content-Disposition"], answer.headers["Content-Type"]


def test_a_link_hands_out_one_object_under_a_name(s3: Objects) -> None:
    s3.put(KEY, SMALL)
    url = s3.link(KEY, 60, 'Für "Élise"\r\nX: y.mp3', "audio/mpeg")
    assert url is not None
    data, disposition, media_type = fetched(url)
    assert (data, media_type) == (SMALL, "audio/mpeg")
    assert disposition == (
        'attachment; filename="Fur EliseX: y.mp3"; '
        "filename*=UTF-8''F%C3%BCr%20%22%C3%89lise%22%0D%0AX%3A%20y.mp3"
    )
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


@pytest.mark.usefixtures("pretended")
def test_links_name_the_server_that_others_see() -> None:
    public = "https://files.example.com"
    objects = Objects.open(f"s3://{BUCKET}/p", public_url=public)
    url = objects.link(KEY, 60, "x.mp3")
    assert str(url).startswith(f"{public}/{BUCKET}/p/{KEY}?")
    assert Objects.open(f"s3://{BUCKET}", public_url="none").link(KEY, 60, "x.mp3") is None


def test_an_interrupted_upload_in_parts_is_ended(s3: Objects) -> None:
    import boto3

    client = boto3.client("s3")
    client.create_multipart_upload(Bucket=BUCKET, Key="linked/half")
    client.create_multipart_upload(Bucket=BUCKET, Key="somebody-elses/half")
    assert s3.tidy(older_s=-60) == 1
    assert s3.tidy(older_s=-60) == 0


@optional
def test_an_upload_that_goes_on_is_left_alone(real: Objects) -> None:
    import boto3

    boto3.client("s3").create_multipart_upload(Bucket=BUCKET, Key="going-on/half")
    assert real.tidy(older_s=3_600) == 0


@optional
def test_a_large_file_is_never_in_memory_whole(real: Objects, tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(200 << 20)
    tracemalloc.start()
    try:
        real.put("streamed", source)
        assert real.get("streamed", tmp_path / "back").stat().st_size == 200 << 20
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 << 20


# Names


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "https://bucket/x", "file:///tmp/x"])
def test_what_is_no_store_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(SettingsError, match="SHAZAM_STORAGE=s3://my-bucket/library"):
        Objects.open(url)


def test_a_store_is_named_without_secrets(tmp_path: Path) -> None:
    assert Objects.open(str(tmp_path)).name == str(tmp_path)
    assert Objects.open(f"s3://{BUCKET}/x/").name == f"s3://{BUCKET}/x"


def test_stored_is_plain() -> None:
    assert Stored("a", 1, 2.0) == Stored("a", 1, 2.0)


# A real S3 server


@optional
def test_a_wrong_secret_is_told_at_once(weed_server: Weed) -> None:
    with credentials(weed_server.url, secret="another"):
        objects = Objects.open(f"s3://{BUCKET}", patience_s=30)
        began = time.monotonic()
        for call in (lambda: objects.put(KEY, SMALL), objects.check, lambda: objects.size(KEY)):
            with pytest.raises(StorageUnavailable, match="credentials"):
                call()
        assert time.monotonic() - began < 20


@optional
def test_bytes_that_changed_on_the_way_are_refused_by_a_real_server(
    real: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "engine.library.stores.bucket.base64.b64encode", lambda _: b"1B2M2Y8AsgTpgAmY7PhCfg=="
    )
    with pytest.raises(StorageUnavailable):
        real.put("wrong", SMALL)
    assert not real.exists("wrong")


@optional
def test_an_expired_link_hands_out_nothing(real: Objects) -> None:
    real.put(KEY, SMALL)
    url = real.link(KEY, 1, "x.mp3")
    assert url is not None
    time.sleep(2.1)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url, timeout=10)


@optional
def test_a_killed_server_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    with weed(tmp_path) as server, credentials(server.url):
        objects = Objects.open(f"s3://{BUCKET}", patience_s=60)
        objects.put("before", SMALL)
        server.kill()
        threading.Timer(1, server.start).start()
        objects.put("meanwhile", SMALL)
        assert objects.read("before") == objects.read("meanwhile") == SMALL
