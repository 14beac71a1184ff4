"""Artifacts travel: packed, fetched, checked, cached; published, exported, rolled back.

The servers are real ones on this machine: an HTTP server that cuts connections, moto's S3, and as
much of Google Cloud Storage as gcsfs asks for.
"""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Serve

from engine.artifact import remote
from engine.artifact.pack import pack, unpack
from engine.artifact.remote import RemoteArtifact, fetch
from engine.artifact.store import check_exists, find_artifact
from engine.base.errors import (
    ArtifactUnavailable,
    DigestMismatch,
    FileMissing,
    ManifestInvalid,
    PackInvalid,
    SettingsError,
)
from engine.base.progress import Progress
from engine.cli.main import main
from engine.covers.artifact import Artifact
from engine.covers.manifest import read_manifest
from engine.covers.search import CoverSearch


@dataclass
class Web:
    """A web server with one file, and the faults of real ones."""

    content: bytes
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    status: int = 200
    pause_s: float = 0.0
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def web() -> Iterator[Web]:
    state = Web(b"")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if state.status != 200:
                self.send_error(state.status)
                return
            size, start = len(state.content), 0
            if wanted and state.ranges:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if start >= size:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{size}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            end = min(size, start + state.cut_after.pop(0)) if state.cut_after else size
            for at in range(start, end, 1 << 16):
                try:
                    self.wfile.write(state.content[at : min(end, at + (1 << 16))])
                except OSError:
                    return
                time.sleep(state.pause_s)
            self.close_connection = True

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/tiny.tar"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, tiny_artifact: Path) -> tuple[bytes, str]:
    """A packed artifact and its sha256."""
    out = tmp_path_factory.mktemp("packed") / "tiny.tar"
    digest = pack(Artifact.open(tiny_artifact), out)
    assert digest == hashlib.sha256(out.read_bytes()).hexdigest()
    return out.read_bytes(), str(digest)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache a test, and a process that is not about to stop."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    remote._stopping.clear()
    return tmp_path / "cache" / "shazam-visual"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts."""
    monkeypatch.setattr(remote._stopping, "wait", lambda _: None)


def offer(web: Web, content: bytes) -> RemoteArtifact:
    web.content = content
    return RemoteArtifact(web.url, hashlib.sha256(content).hexdigest())


# Packing


def test_a_packed_artifact_is_the_same_file_every_time(tmp_path: Path, tiny_artifact: Path) -> None:
    first, second = tmp_path / "a.tar", tmp_path / "b.tar"
    copy = shutil.copytree(tiny_artifact, tmp_path / "copy")
    for file in copy.rglob("*"):
        os.utime(file, (1, 1))
    assert pack(Artifact.open(tiny_artifact), first) == pack(Artifact.open(copy), second)
    with tarfile.open(first) as tar:
        names = tar.getnames()
    top = f"shazam-visual-{Artifact.open(tiny_artifact).id}"
    assert f"{top}/manifest.json" in names
    assert names == sorted(names)


def test_a_serving_copy_has_the_same_id_no_weights_and_finds_the_same(
    tmp_path: Path, tiny_artifact: Path
) -> None:
    assert pack(Artifact.open(tiny_artifact), tmp_path / "copy", serving=True) is None
    full, copy = CoverSearch.open(tiny_artifact), CoverSearch.open(tmp_path / "copy")
    assert copy.artifact.id == full.artifact.id
    assert copy.artifact.manifest.encoder == full.artifact.manifest.encoder
    assert not (tmp_path / "copy" / "encoder" / "model.safetensors").exists()
    assert copy.by_text("a red cover") == full.by_text("a red cover")


def test_a_copy_of_a_serving_copy_is_the_same_copy(tmp_path: Path, tiny_artifact: Path) -> None:
    once = pack(Artifact.open(tiny_artifact), tmp_path / "once.tar", serving=True)
    pack(Artifact.open(tiny_artifact), tmp_path / "copy", serving=True)
    assert pack(Artifact.open(tmp_path / "copy"), tmp_path / "twice.tar", serving=True) == once


def test_torch_on_a_serving_copy_is_refused_and_says_why(
    tmp_path: Path, tiny_artifact: Path
) -> None:
    copy = tmp_path / "copy"
    pack(Artifact.open(tiny_artifact), copy, serving=True)
    with pytest.raises(SettingsError, match="serving copy"):
        CoverSearch.open(copy, runtime="torch-cpu")


@pytest.mark.parametrize("command", [["remove", "--ids", "3"], ["add", "--covers"], ["compact"]])
def test_another_version_is_made_of_the_full_artifact(
    tmp_path: Path,
    tiny_artifact: Path,
    covers: Path,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    copy = tmp_path / "copy"
    pack(Artifact.open(tiny_artifact), copy, serving=True)
    name, *options = [*command, str(covers)] if command[0] == "add" else command
    assert main([name, str(copy), *options, "--out", str(tmp_path / "new")]) == 1
    assert "serving copy" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_weights_may_be_missing_from_a_serving_copy_alone(
    tmp_path: Path, tiny_artifact: Path
) -> None:
    copy = shutil.copytree(tiny_artifact, tmp_path / "copy")
    (copy / "encoder" / "model.safetensors").unlink()
    with pytest.raises(FileMissing, match=r"model\.safetensors"):
        Artifact.open(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["encoder"].update(runtimes={}),
        lambda m: m["left_out"].update({"golden.npz": m["files"].pop("golden.npz")}),
        lambda m: m["files"].update(m["left_out"]),
    ],
    ids=["without a runtime", "of another file", "of a file that is listed"],
)
def test_a_manifest_that_leaves_out_what_it_may_not_is_refused(
    tmp_path: Path, tiny_artifact: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    pack(Artifact.open(tiny_artifact), tmp_path / "copy", serving=True)
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    change(manifest)
    (tmp_path / "copy" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ManifestInvalid, match="leaves out"):
        Artifact.open(tmp_path / "copy")


def test_pack_does_not_overwrite_unless_told(
    tmp_path: Path, tiny_artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.tar"
    out.write_text("something else")
    assert main(["pack", str(tiny_artifact), "--out", str(out)]) == 1
    assert out.read_text() == "something else"
    assert main(["pack", str(tiny_artifact), "--out", str(out), "--force"]) == 0
    printed = capsys.readouterr().out
    assert f"#sha256={hashlib.sha256(out.read_bytes()).hexdigest()}" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"x") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, "manifest.json"
    made.size = len(content) if kind == tarfile.REGTYPE else 0
    return made


def tar_of(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for one in members:
            tar.addfile(one, io.BytesIO(b"x" * one.size))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tar_of(member("manifest.json"), member("../evil")), "outside"),
        (tar_of(member("manifest.json"), member("a/../../evil")), "outside"),
        (tar_of(member("manifest.json"), member("/etc/evil")), "outside"),
        (tar_of(member("manifest.json"), member("link", tarfile.SYMTYPE)), "link"),
        (tar_of(member("manifest.json"), member("link", tarfile.LNKTYPE)), "link"),
        (tar_of(member("manifest.json"), member("null", tarfile.CHRTYPE)), "device"),
        (tar_of(member("manifest.json"), member("pipe", tarfile.FIFOTYPE)), "device"),
        (tar_of(member("manifest.json"), member("manifest.json")), "twice"),
        (tar_of(*[member(f"{i}") for i in range(1001)]), "more than 1,000"),
        (tar_of(member("readme.txt")), "no manifest"),
        (tar_of(member("a/manifest.json"), member("b/manifest.json")), "no manifest"),
        (tar_of(), "no manifest"),
        (tar_of(member("manifest.json", content=b"x" * 5000))[:2048], "ends|end of data"),
        (b"\x89PNG\r\n" + b"\0" * 2000, "not a tar"),
        (b"", "not a tar"),
    ],
)
def test_a_tar_that_is_no_artifact_is_refused_and_leaves_nothing(
    web: Web,
    cache: Path,
    tmp_path: Path,
    content: bytes,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.artifact.pack.MOST_MEMBERS", 1_000)
    with pytest.raises(PackInvalid, match=words):
        fetch(offer(web, content))
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    assert not (tmp_path / "evil").exists()


def test_a_tar_may_hold_an_artifact_bare_or_in_one_folder(
    tmp_path: Path, tiny_artifact: Path
) -> None:
    for arcname in (".", "starter"):
        with tarfile.open(tmp_path / "by-hand.tar", "w") as tar:
            tar.add(tiny_artifact, arcname)
        folder = tmp_path / f"unpacked-{arcname.strip('.')}"
        unpack(tmp_path / "by-hand.tar", folder)
        assert Artifact.open(folder).id == Artifact.open(tiny_artifact).id


# Fetching


def test_a_url_is_fetched_once_and_then_served_from_the_cache(
    web: Web, packed: tuple[bytes, str], caplog: pytest.LogCaptureFixture
) -> None:
    offer(web, packed[0])
    where = f"{web.url}?X-Amz-Signature=secret#sha256={packed[1]}"
    with caplog.at_level(logging.INFO, "shazam"):
        folder = find_artifact(where)
    assert Artifact.open(folder).manifest.catalogue.albums == 30
    assert "100%" in caplog.text
    assert "secret" not in caplog.text
    assert find_artifact(where) == folder
    assert web.asked == [None]


@pytest.mark.usefixtures("at_once")
def test_a_cut_connection_is_resumed_behind_what_came(web: Web, packed: tuple[bytes, str]) -> None:
    where = offer(web, packed[0])
    web.cut_after = [100_000, 50_000]
    Artifact.open(fetch(where))
    assert web.asked == [None, "bytes=100000-", "bytes=150000-"]


@pytest.mark.usefixtures("at_once")
def test_the_next_start_goes_on_where_one_gave_up(
    web: Web, packed: tuple[bytes, str], cache: Path
) -> None:
    where = offer(web, packed[0])
    web.cut_after = [100_000] + [0] * 10
    with pytest.raises(ArtifactUnavailable, match="goes on behind it"):
        fetch(where)
    assert (cache / f"{where.sha256}.tar.partial").stat().st_size == 100_000
    web.cut_after = []
    Artifact.open(fetch(where))
    assert web.asked[-1] == "bytes=100000-"


@pytest.mark.usefixtures("at_once")
def test_a_server_without_ranges_is_read_from_the_beginning(
    web: Web, packed: tuple[bytes, str]
) -> None:
    where = offer(web, packed[0])
    web.ranges, web.cut_after = False, [100_000]
    Artifact.open(fetch(where))


def test_a_file_that_came_whole_before_a_stop_is_not_fetched_again(
    web: Web, packed: tuple[bytes, str], cache: Path
) -> None:
    where = offer(web, packed[0])
    cache.mkdir(parents=True, mode=0o700)
    (cache / f"{where.sha256}.tar.partial").write_bytes(packed[0])
    Artifact.open(fetch(where))
    assert web.asked == [f"bytes={len(packed[0])}-"]


@pytest.mark.parametrize("change", [lambda data: data[:-7000], lambda data: data + b"\0"])
def test_another_file_than_the_digest_says_is_refused_unopened(
    web: Web, packed: tuple[bytes, str], cache: Path, change: Callable[[bytes], bytes]
) -> None:
    web.content = change(packed[0])
    with pytest.raises(DigestMismatch, match=rf"(?s){packed[1]} was asked for.*not|Nothing"):
        fetch(RemoteArtifact(web.url, packed[1]))
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 4), (429, 4)])
def test_a_refusal_is_named_and_only_a_passing_one_asked_again(
    web: Web, packed: tuple[bytes, str], status: int, tries: int
) -> None:
    offer(web, packed[0])
    web.status = status
    with pytest.raises(ArtifactUnavailable, match=f"answers {status}") as caught:
        find_artifact(f"{web.url}?token=secret#sha256={packed[1]}")
    assert "secret" not in caught.value.message
    assert len(web.asked) == tries


def test_a_cache_that_lost_a_file_is_fetched_anew(web: Web, packed: tuple[bytes, str]) -> None:
    where = offer(web, packed[0])
    folder = fetch(where)
    (folder / "index.faiss").write_bytes(b"")  # as a power cut leaves it
    assert fetch(where) == folder
    Artifact.open(folder)
    assert len(web.asked) == 2


def test_a_cache_that_others_can_write_is_not_used(
    web: Web,
    packed: tuple[bytes, str],
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = fetch(offer(web, packed[0]))
    assert folder.parent == tmp_path / f"shazam-visual-{os.getuid()}"


def test_processes_that_start_at_once_fetch_once(web: Web, packed: tuple[bytes, str]) -> None:
    where = offer(web, packed[0])
    web.pause_s = 0.05
    url = f"{where.url}#sha256={where.sha256}"
    code = f"from engine.artifact.store import find_artifact; print(find_artifact({url!r}))"
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    folders = {process.communicate(timeout=60)[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(folders) == 1
    assert web.asked == [None]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://example.com/a.tar", "sha256"),
        ("https://example.com/a.tar#sha256=abc", "64 hex"),
        ("https://example.com/a.tar#md5=" + "0" * 64, "sha256"),
        ("ftp://example.com/a.tar#sha256=" + "0" * 64, "scheme"),
        ("file:///etc/passwd#sha256=" + "0" * 64, "scheme"),
        ("http://example.com/a.tar#sha256=" + "0" * 64, "plain http"),
        ("https://user:secret@example.com/a.tar#sha256=" + "0" * 64, "user name"),
        ("s3://bucket#sha256=" + "0" * 64, "names no file"),
        ("https:///a.tar#sha256=" + "0" * 64, "names no file"),
    ],
)
def test_a_url_of_another_form_stops_the_start_with_one_line(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        check_exists(url)
    message = caught.value.message
    assert message.startswith("SHAZAM_ARTIFACT=")
    assert "Example: SHAZAM_ARTIFACT=https://" in message
    assert "\n" not in message
    assert "secret" not in message


def test_checking_a_url_at_import_fetches_nothing(web: Web) -> None:
    check_exists(f"{web.url}#sha256={'0' * 64}")
    assert web.asked == []


def test_the_hub_is_not_asked_while_it_is_switched_off() -> None:
    with pytest.raises(ArtifactUnavailable, match="HF_HUB_OFFLINE=0"):
        find_artifact(f"hf://datasets/you/covers/starter.tar#sha256={'0' * 64}")


def test_a_back_end_that_is_not_installed_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ArtifactUnavailable) as refusal:
        find_artifact(f"s3://covers/starter.tar#sha256={'0' * 64}")
    assert refusal.value.message == (
        "s3:// needs s3fs, which is not installed. Run: pip install -r requirements/serve.lock"
    )


# Buckets


@pytest.fixture(scope="module")
def s3(packed: tuple[bytes, str]) -> Iterator[Callable[[str, bytes], None]]:
    """moto's S3 with a bucket `covers`; gives a function that puts a file into it."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        import boto3

        client = boto3.client("s3")
        client.create_bucket(Bucket="covers")
        yield lambda name, data: client.put_object(Bucket="covers", Key=name, Body=data)
        server.stop()


def test_an_artifact_comes_from_s3(
    s3: Callable[[str, bytes], None], packed: tuple[bytes, str], cache: Path
) -> None:
    s3("deep/tiny.tar", packed[0])
    cache.mkdir(parents=True, mode=0o700)
    # The first part is here already: bytes are appended behind it.
    (cache / f"{packed[1]}.tar.partial").write_bytes(packed[0][:100_000])
    seen: list[int] = []

    class Told(Progress):
        def step(self, done: int, total: int, what: str) -> None:
            assert (total, what) == (len(packed[0]), "B")
            seen.append(done)

    folder = find_artifact(f"s3://covers/deep/tiny.tar#sha256={packed[1]}", Told())
    assert Artifact.open(folder).manifest.catalogue.albums == 30
    assert seen[0] > 100_000
    assert seen[-1] == len(packed[0])


def test_a_file_that_s3_has_not_or_that_is_another_is_refused_by_name(
    s3: Callable[[str, bytes], None],
) -> None:
    s3("other.tar", b"something else")
    with pytest.raises(ArtifactUnavailable, match="no such file"):
        find_artifact(f"s3://covers/absent.tar#sha256={'0' * 64}")
    with pytest.raises(DigestMismatch):
        find_artifact(f"s3://covers/other.tar#sha256={'0' * 64}")


def test_an_artifact_comes_from_google_cloud_storage(
    packed: tuple[bytes, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
            if not path.endswith("/o/tiny.tar"):
                self.send_error(404)
                return
            if "alt=media" in self.path:
                match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "bytes=0-0"))
                body = packed[0][int(match[1]) : int(match[2]) + 1]
                self.send_response(206)
            else:
                at = f"http://{self.headers['Host']}/download{path}?alt=media"
                about = {"name": "tiny.tar", "bucket": "covers", "size": str(len(packed[0]))}
                about |= {"kind": "storage#object", "mediaLink": at, "generation": "1"}
                body = json.dumps(about | {"updated": "2026-01-01T00:00:00Z"}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("FSSPEC_GCS_TOKEN", "anon")
    try:
        folder = find_artifact(f"gs://covers/tiny.tar#sha256={packed[1]}")
    finally:
        server.shutdown()
        server.server_close()
    assert Artifact.open(folder).manifest.catalogue.albums == 30


# Serving


def test_the_service_fetches_its_artifact_in_the_background(
    serve: Serve, web: Web, packed: tuple[bytes, str], tmp_path: Path
) -> None:
    offer(web, packed[0])
    web.pause_s = 0.1  # some three seconds in all: long enough for a line of progress
    made = serve(f"{web.url}#sha256={packed[1]}", XDG_CACHE_HOME=str(tmp_path / "server-cache"))
    with urllib.request.urlopen(f"{made.url}/health", timeout=10) as answer:
        assert json.loads(answer.read())["total_albums"] == 30
    serve.end(made)  # type: ignore[attr-defined]
    assert "fetching artifact http://127.0.0.1" in made.log.read_text()
    assert web.asked == [None]


def test_a_service_that_is_still_fetching_is_alive_not_ready_and_stops_at_once(
    serve: Serve, web: Web, packed: tuple[bytes, str], tmp_path: Path
) -> None:
    offer(web, packed[0])
    web.pause_s = 20
    made = serve(f"{web.url}#sha256={packed[1]}", wait=False, XDG_CACHE_HOME=str(tmp_path / "c"))
    deadline = time.monotonic() + 30
    while not web.asked and time.monotonic() < deadline:
        time.sleep(0.1)
    with urllib.request.urlopen(f"{made.url}/livez", timeout=10) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"{made.url}/readyz", timeout=10)
    assert refusal.value.code == 503
    refusal.value.close()
    web.pause_s = 0.2  # of the blocks that follow: the worker waits for one at most
    made.process.send_signal(signal.SIGTERM)
    assert made.process.wait(30) == 0
    serve.end(made)  # type: ignore[attr-defined]


# The model store


def elsewhere(home: Path, *command: str) -> str:
    """A command on another machine, that is, with another model store; its output."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT,
        env={**os.environ, "BENTOML_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_publish_roll_back_export_and_import(
    tmp_path: Path, tiny_artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.covers.making.revise import remove

    def latest() -> str:
        return read_manifest(find_artifact("shazam-visual:latest")).id

    old = Artifact.open(tiny_artifact).id
    new = remove(tiny_artifact, [3], tmp_path / "smaller").manifest.id
    assert main(["publish", str(tiny_artifact)]) == 0
    assert f"published shazam-visual:{old}" in capsys.readouterr().out
    assert main(["publish", str(tmp_path / "smaller")]) == 0
    assert latest() == new
    # Rolling back is publishing the older one again, out of the very store it is in.
    assert main(["publish", f"shazam-visual:{old}"]) == 0
    assert latest() == old
    assert Artifact.open(find_artifact(f"shazam-visual:{new}")).id == new

    archive, there = tmp_path / "old.bentomodel", tmp_path / "there"
    here = Path(os.environ["BENTOML_HOME"])
    elsewhere(here, "bentoml", "models", "export", f"shazam-visual:{old}", str(archive))
    elsewhere(there, "bentoml", "models", "import", str(archive))
    assert "30 albums" in elsewhere(there, "engine", "verify", "shazam-visual:latest")


def test_a_published_serving_copy_has_a_name_of_its_own(
    tiny_artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(tiny_artifact)]) == 0
    assert main(["publish", "--serving", "shazam-visual:latest"]) == 0
    tag = f"shazam-visual-serving:{read_manifest(tiny_artifact).id}"
    assert f"published {tag}" in capsys.readouterr().out
    assert Artifact.open(find_artifact(tag)).manifest.serving_copy
    assert not Artifact.open(find_artifact("shazam-visual:latest")).manifest.serving_copy
