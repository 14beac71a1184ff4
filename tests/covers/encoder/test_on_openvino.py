"""`engine/covers/encoder/on_openvino.py`: the CPU runtime. The reference is torch in float32."""

from __future__ import annotations

import locale
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.base.inference import import_converter, import_openvino
from engine.covers.encoder import on_openvino
from engine.covers.encoder.on_openvino import (
    BATCHES,
    FOLDER,
    TEXT,
    TOKENS,
    OpenVINOEncoder,
    parts,
)
from engine.covers.encoder.on_torch import TorchEncoder
from engine.covers.making.export import export

TEXTS = [
    "a red album cover",
    "",
    "guitar <|endoftext|> moon",
    "jazz metal on the stage " * 40,
    "ÄÖ 日本 🎸",
    *(f"red guitar {'moon ' * words}" for words in range(20)),
]


@pytest.fixture(scope="module")
def reference(tiny_clip: Path) -> TorchEncoder:
    return TorchEncoder(tiny_clip, "tiny", precision="fp32")


@pytest.fixture(scope="module")
def folder(
    tiny_clip: Path, reference: TorchEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = shutil.copytree(tiny_clip, tmp_path_factory.mktemp("exported") / "encoder")
    export(reference, Path(folder), half=False)
    return Path(folder)


@pytest.fixture(scope="module")
def exported(folder: Path) -> OpenVINOEncoder:
    return OpenVINOEncoder(folder, "tiny", precision="fp32", threads=2)


def test_opening_leaves_the_locale_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    compile_model = openvino.Core.compile_model

    def compiled(core: Any, *values: Any) -> Any:
        locale.setlocale(locale.LC_CTYPE, "C")  # what of two at a time the second finds
        return compile_model(core, *values)

    monkeypatch.setattr(openvino.Core, "compile_model", compiled)
    before = locale.setlocale(locale.LC_CTYPE)
    OpenVINOEncoder(folder, "tiny", precision="fp32")
    assert locale.setlocale(locale.LC_CTYPE) == before


def test_any_number_of_items_is_embedded_as_torch_does(
    exported: OpenVINOEncoder, reference: TorchEncoder
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (23, 32, 32, 3), dtype=np.uint8)
    for count in (0, 1, 3, 8, 23):
        found = exported.embed_images(pixels[:count])
        assert found.shape == (count, 32)
        assert np.abs(found - reference.embed_images(pixels[:count])).max(initial=0) < 1e-4
        found = exported.embed_texts(TEXTS[:count])
        assert np.abs(found - reference.embed_texts(TEXTS[:count])).max(initial=0) < 1e-4


def test_only_a_few_shapes_reach_the_runtime(
    exported: OpenVINOEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()

    class Watched:
        def start_async(
            self, inputs: dict[int, np.ndarray], rows: np.ndarray, **options: Any
        ) -> None:
            seen.add(inputs[0].shape[:2])
            rows[:] = 1

        def wait_all(self) -> None:
            pass

    monkeypatch.setattr(exported._text, "requests", Watched())
    for count in range(1, 40):
        exported.embed_texts((TEXTS * 2)[:count])
        exported.embed_texts([TEXTS[count % len(TEXTS)]])
    assert {batch for batch, _ in seen} == set(BATCHES)
    assert {length for _, length in seen} == {8, 16, 32, 77}


def test_every_stream_of_a_tower_computes_once_before_two_do_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = OpenVINOEncoder(folder, "tiny", precision="fp32", threads=2)
    released: list[Path] = []
    monkeypatch.setattr(on_openvino, "release_mapped", released.append)
    told: list[str] = []

    class Watched:
        def start_async(self, _: Any, rows: np.ndarray, **options: Any) -> None:
            told.append("start")
            rows[:] = 1

        def wait_all(self) -> None:
            told.append("wait")

    monkeypatch.setattr(fresh._text, "requests", Watched())
    fresh._in_batches(fresh._text, [np.zeros((4, 8), np.int64)])
    assert told == [*("start", "wait") * 2, "start", "start", "wait"]
    assert released == [(folder / FOLDER / TEXT).with_suffix(".bin")] * 2


def test_streams_share_a_batch_evenly() -> None:
    for streams in (1, 2, 4):
        for count in range(40):
            cut = list(parts(count, streams))
            assert [i for part in cut for i in range(part.start, part.stop)] == list(range(count))
            busy = [0] * streams
            for part in cut:  # the next part goes to the stream that is free first
                busy[busy.index(min(busy))] += part.stop - part.start
            assert max(busy) <= -(-count // streams) + 1, (count, streams, busy)


def test_the_table_of_tokens_is_mapped_and_not_in_the_graph(
    exported: OpenVINOEncoder, folder: Path
) -> None:
    assert isinstance(exported._tokens, np.memmap)
    table = np.load(folder / FOLDER / TOKENS)
    weights = (folder / FOLDER / TEXT).with_suffix(".bin").read_bytes()
    assert table[5].tobytes() not in weights


def test_an_artifact_with_the_table_in_its_graph_is_still_read(
    folder: Path, reference: TorchEncoder, tmp_path: Path
) -> None:
    openvino, convert_model = import_openvino(), import_converter()
    import torch

    class Text(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.clip = reference.model

        def forward(self, ids: torch.Tensor) -> Any:
            return self.clip.text_projection(self.clip.text_model(input_ids=ids).pooler_output)

    old = Path(shutil.copytree(folder, tmp_path / "old"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's tracer is deprecated
        model = convert_model(
            Text().eval(),
            example_input=torch.ones((2, 16), dtype=torch.int64),
            input=[openvino.PartialShape([-1, -1])],
        )
    openvino.save_model(model, old / FOLDER / TEXT, compress_to_fp16=False)
    (old / FOLDER / TOKENS).unlink()
    found = OpenVINOEncoder(old, "old", precision="fp32", threads=1).embed_texts(TEXTS)
    assert np.abs(found - reference.embed_texts(TEXTS)).max() < 1e-4
