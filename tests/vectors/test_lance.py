"""`engine/vectors/lance.py`: an index in LanceDB, on a disk and on an S3.

What any index must do is tried in test_index.py.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import Serve, draw_cover

lancedb = pytest.importorskip("lancedb", reason="LanceDB is not installed: make test-engine")

from engine.base.errors import (  # noqa: E402
    BuildError,
    CountMismatch,
    FileMissing,
    IndexNotPublished,
    IndexUnavailable,
)
from engine.base.progress import Progress  # noqa: E402
from engine.cli.main import main  # noqa: E402
from engine.covers.artifact import Artifact  # noqa: E402
from engine.covers.making.publish import publish_index  # noqa: E402
from engine.covers.making.revise import remove  # noqa: E402
from engine.covers.opening import open_index  # noqa: E402
from engine.covers.question import Wanted  # noqa: E402
from engine.covers.search import CoverSearch  # noqa: E402
from engine.vectors.embeddings import unit_rows  # noqa: E402
from engine.vectors.lance import table_name  # noqa: E402
from engine.vectors.publishing import publish_rows  # noqa: E402
from engine.vectors.sources import InMemory  # noqa: E402


@pytest.fixture
def where(tmp_path: Path) -> str:
    return f"lancedb:{tmp_path / 'engine'}"


def table(artifact: Artifact, where: str) -> Any:
    return lancedb.connect(where.removeprefix("lancedb:")).open_table(table_name(artifact.id))


def test_an_artifact_answers_the_same_from_the_engine(tiny_artifact: Path, where: str) -> None:
    artifact = Artifact.open(tiny_artifact)
    assert publish_index(artifact, where).added == 30
    own = CoverSearch.open(tiny_artifact, runtime="torch-cpu")
    other = CoverSearch.open(tiny_artifact, runtime="torch-cpu", index_at=where)
    assert len(other.index) == 30
    assert np.array_equal(np.sort(other.index.ids()), np.arange(30))
    for wanted in (Wanted(5), Wanted(30), Wanted(5, genre_id=1), Wanted(100, genre_id=2)):
        for text in ("a red cover", "blue stripes"):
            here, there = own.by_text(text, wanted), other.by_text(text, wanted)
            assert [hit.album for hit in here] == [hit.album for hit in there]
            scores = [[hit.similarity for hit in hits] for hits in (here, there)]
            assert np.allclose(*scores, atol=1e-6)
    assert [hit.album for hit in own.similar(7)] == [hit.album for hit in other.similar(7)]


def test_a_replica_needs_no_index_of_its_own(
    tiny_artifact: Path, where: str, tmp_path: Path
) -> None:
    publish_index(Artifact.open(tiny_artifact), where)
    copy = tmp_path / "copy"
    arguments = ["pack", str(tiny_artifact), "--without-index", "--out", str(copy)]
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert main([*arguments, "--serving"]) == 0
    assert not (copy / "index.faiss").exists()
    own, other = CoverSearch.open(tiny_artifact), CoverSearch.open(copy, index_at=where)
    assert other.artifact.id == own.artifact.id
    here, there = own.by_text("a red cover"), other.by_text("a red cover")
    assert [hit.album for hit in here] == [hit.album for hit in there]
    with pytest.raises(FileMissing, match="SHAZAM_INDEX"):
        CoverSearch.open(copy)


def test_a_publication_that_is_stopped_goes_on_and_one_that_is_done_does_nothing(
    tiny_artifact: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.vectors.sources.BLOCK", 8)
    artifact = Artifact.open(tiny_artifact)

    class Stopped(Progress):
        def step(self, done: int, total: int, what: str) -> None:
            assert (total, what) == (30, "rows")
            if done == 16:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_index(artifact, where, Stopped())
    assert table(artifact, where).count_rows() == 16
    with pytest.raises(IndexNotPublished, match=r"a part of its rows.*engine publish"):
        open_index(artifact, where)
    told = publish_index(artifact, where)
    assert (told.rows, told.added) == (30, 14)
    version = table(artifact, where).version
    assert publish_index(artifact, where).added == 0
    assert table(artifact, where).version == version
    index = open_index(artifact, where)
    assert sorted(index.ids().tolist()) == list(range(30))


def test_rows_that_are_there_twice_cost_no_recall(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.vectors.publishing.EXACT_UP_TO", 50)
    monkeypatch.setattr("engine.vectors.publishing._ROWS_A_LIST", 100)
    once = unit_rows(np.random.default_rng(3).normal(size=(1_000, 16)))
    vectors, ids = np.repeat(once, 2, axis=0), np.arange(2_000)
    told = publish_rows(where, "0123456789abcdef", InMemory(vectors), ids, ids % 2, recall=0.97)
    # Told by the place alone: never more than 0.95, however many lists are visited.
    assert told.recall >= 0.97


def test_the_rows_of_another_artifact_are_refused_by_name(
    tiny_artifact: Path, where: str, tmp_path: Path
) -> None:
    artifact = Artifact.open(tiny_artifact)
    other = Artifact.open(remove(tiny_artifact, [1], tmp_path / "other").path)
    with pytest.raises(IndexNotPublished, match=rf"no rows of it: .* {artifact.id}"):
        open_index(artifact, where)
    publish_index(other, where)
    with pytest.raises(IndexNotPublished, match=artifact.id):
        CoverSearch.open(tiny_artifact, index_at=where)
    folder = Path(where.removeprefix("lancedb:"))
    shutil.copytree(
        folder / f"{table_name(other.id)}.lance", folder / f"{table_name(artifact.id)}.lance"
    )
    with pytest.raises(IndexNotPublished, match=f"rows of {other.id} in its place"):
        open_index(artifact, where)
    # Two versions lie beside each other: an old replica is served while a new one starts.
    shutil.rmtree(folder / f"{table_name(artifact.id)}.lance")
    publish_index(artifact, where)
    assert [len(open_index(it, where)) for it in (artifact, other)] == [30, 29]


def test_rows_that_were_lost_or_are_not_ours_are_noticed(tiny_artifact: Path, where: str) -> None:
    artifact = Artifact.open(tiny_artifact)
    publish_index(artifact, where)
    made = table(artifact, where)
    made.delete("album_id = 3")
    made.tags.update("complete", made.version)
    with pytest.raises(CountMismatch, match="29 rows"):
        open_index(artifact, where)
    with pytest.raises(BuildError, match="Drop it"):
        publish_index(artifact, where)


def test_the_command_line_publishes(
    tiny_artifact: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(tiny_artifact), "--index", where]) == 0
    said = capsys.readouterr().out
    assert "published 30 rows" in said
    assert f"SHAZAM_INDEX={where}" in said
    with pytest.raises(SystemExit, match="2"):
        main(["publish", str(tiny_artifact), "--index", "s3://no-engine/named"])


def test_on_an_object_store_and_without_it(
    tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # A process, because it shall be gone with all its connections.
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    store = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        for _ in range(100):
            with contextlib.suppress(httpx.TransportError):
                httpx.put(f"http://127.0.0.1:{port}/covers")
                break
            time.sleep(0.1)
        artifact, where = Artifact.open(tiny_artifact), "lancedb:s3://covers/index"
        assert publish_index(artifact, where).added == 30
        index = open_index(artifact, where, timeout_s=2)
        rows = artifact.open_index().vectors(range(30))
        assert [found[0].id for found in index.search(rows[:9], 3)] == list(range(9))
    finally:
        store.kill()
        store.wait()
    start = time.monotonic()
    with pytest.raises(IndexUnavailable, match="does not answer"):
        index.search(rows[:1], 3)
    with pytest.raises(IndexUnavailable, match="s3://covers/index does not answer"):
        open_index(artifact, where, timeout_s=2)
    assert time.monotonic() - start < 8


def test_a_service_waits_for_its_rows_and_survives_the_loss_of_its_store(
    serve: Serve, tiny_artifact: Path, where: str, tmp_path: Path
) -> None:
    import io

    buffer = io.BytesIO()
    draw_cover(3).save(buffer, "PNG")
    made = serve(tiny_artifact, wait=False, SHAZAM_INDEX=where)
    client = httpx.Client(base_url=made.url, timeout=20)

    def until(status: int) -> httpx.Response:
        end = time.monotonic() + 40
        while True:
            try:
                answer = client.get("/readyz")
                if answer.status_code == status:
                    return answer
            except httpx.TransportError:
                pass
            assert time.monotonic() < end, made.log.read_text()
            time.sleep(0.1)

    def search(number: int, **values: int) -> httpx.Response:
        body = buffer.getvalue() + str(number).encode()  # no two uploads alike
        return client.post("/api/search-by-image", params=values, files={"file": body})

    try:
        while "publish ARTIFACT --index" not in until(503).text:
            time.sleep(0.1)
        assert client.get("/health").json()["status"] == "degraded"
        publish_index(Artifact.open(tiny_artifact), where)
        until(200)
        assert search(1).json()["results"][0]["album_id"] == 3
        assert {row["genre_id"] for row in search(2, genre_id=1).json()["results"]} == {1}
        folder = tmp_path / "engine"
        folder.rename(tmp_path / "gone")
        refused = search(3)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "index_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        until(503)
        assert client.get("/health").json()["status"] == "degraded"
        assert client.get("/livez").status_code == 200
        (tmp_path / "gone").rename(folder)
        until(200)
        assert search(4).json()["results"][0]["album_id"] == 3
    finally:
        client.close()
        serve.end(made)  # type: ignore[attr-defined]
