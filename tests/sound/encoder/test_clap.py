"""`encoder/clap.py`, `making/export.py`: CLAP as transformers computes it, served without it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sound_encoders import CLAP_FRONT_END, WORDS, write_clap

from engine.base.errors import BuildError, EncoderMismatch, EncoderUnavailable
from engine.sound.audio import resample
from engine.sound.encoder.clap import FRAMES, ClapEncoder, patches
from engine.sound.encoder.encoder import Standard, WordsEncoder
from engine.sound.encoder.folder import open_encoder
from engine.sound.making.encoder import save_encoder

TEXTS = ["a calm piano", "loud guitar metal", "x", "song of the sea " * 40, "Größe 日本 </s> a"]


def tune(seconds: float, hz: float = 440) -> np.ndarray:
    """(N,) float32 at 16 kHz: a tone that trembles, and some noise."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    noise = np.random.default_rng(int(hz)).normal(0, 0.01, len(t))
    return (0.3 * np.sin(2 * np.pi * hz * t + np.sin(9 * t)) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clap(tmp_path_factory.mktemp("clap") / "tiny-clap")


@pytest.fixture(scope="module")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact") / "encoder"
    save_encoder(f"clap:{source}", folder)
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> ClapEncoder:
    opened = open_encoder(folder, threads=1)
    assert isinstance(opened, ClapEncoder)
    return opened


@pytest.fixture(scope="module")
def theirs(source: Path) -> Any:
    from transformers import ClapModel

    return ClapModel.from_pretrained(source).eval()


def test_patches_are_those_of_transformers() -> None:
    from transformers import ClapFeatureExtractor

    extractor = ClapFeatureExtractor(**{**CLAP_FRONT_END, "top_db": None})
    for seconds in (10, 4):
        at_rate = resample(tune(seconds), 16_000, 48_000)[: seconds * 48_000]
        wanted = extractor(at_rate, sampling_rate=48_000, return_tensors="np")["input_features"]
        found = patches(tune(seconds), 6)
        assert (found.shape, found.dtype) == ((1, 1, FRAMES, 64), np.float32)
        assert np.abs(found - wanted).max() < 0.05  # dB
        assert np.abs(found - wanted).mean() < 1e-3


def test_sounds_have_the_vectors_of_transformers(encoder: ClapEncoder, theirs: Any) -> None:
    import torch

    for seconds, hz in ((10, 300), (3, 2_000)):
        found = encoder.embed(tune(seconds, hz))
        with torch.inference_mode():
            output = theirs.get_audio_features(torch.from_numpy(patches(tune(seconds, hz), 1)))
        wanted = getattr(output, "pooler_output", output).numpy()[0]
        assert (found.vector.shape, found.tags) == ((16,), None)
        assert np.abs(found.vector - wanted).max() < 2e-3


def test_words_have_the_vectors_of_transformers(
    encoder: ClapEncoder, theirs: Any, source: Path
) -> None:
    import torch
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(source / "tokenizer.json"))
    for text in TEXTS[:4]:
        ids = tokenizer([text], truncation=True, max_length=77, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            output = theirs.get_text_features(ids, attention_mask=torch.ones_like(ids))
        wanted = getattr(output, "pooler_output", output).numpy()[0]
        found = encoder.embed_text(text)
        assert (found.shape, found.dtype) == ((16,), np.float32)
        assert np.abs(found - wanted).max() < 2e-3


def test_what_looks_like_a_token_is_a_text(encoder: ClapEncoder) -> None:
    one, other = encoder.embed_text("piano </s> loud"), encoder.embed_text("piano")
    assert np.abs(one - other).max() > 1e-3


def test_words_can_be_asked_of_it(encoder: ClapEncoder) -> None:
    assert isinstance(encoder, WordsEncoder)
    raw = np.stack([encoder.embed(tune(3, hz)).vector for hz in (200, 400, 3_000)])
    standard = Standard.fit(raw)
    scores = standard.apply(raw) @ standard.toward(encoder.embed_text(WORDS[2]))[0]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("length", [0, 1, 100])
def test_what_is_very_short_has_a_vector(length: int, encoder: ClapEncoder) -> None:
    assert np.isfinite(encoder.embed(tune(1)[:length]).vector).all()


def test_what_serves_it_imports_neither_torch_nor_transformers(folder: Path) -> None:
    code = (
        "import sys, numpy; from pathlib import Path;"
        "from engine.sound.encoder.folder import open_encoder;"
        f"open_encoder(Path({str(folder)!r}), threads=1).embed_text('a calm piano');"
        "print(sorted({'torch', 'transformers', 'scipy'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_what_it_was_exported_from_is_told(folder: Path, source: Path) -> None:
    from engine.base.files import file_sha256

    about = json.loads((folder / "encoder.json").read_text())
    assert about["exported_from"] == file_sha256(source / "model.safetensors")
    assert (about["kind"], about["name"]) == ("clap", "tiny-clap")


# --- folders that are none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("config.json", {"model_type": "bert"}, "'bert' model"),
        ("config.json", {"audio_config": {"enable_fusion": True}}, "with fusion"),
        ("preprocessor_config.json", {"sampling_rate": 44_100}, "sampling_rate 44100"),
        ("preprocessor_config.json", {"truncation": "fusion"}, "truncation 'fusion'"),
        ("config.json", None, "config.json"),
        ("tokenizer.json", None, "holds no tokenizer.json"),
        ("model.safetensors", None, "cannot be loaded"),
    ],
)
def test_a_folder_that_is_no_clap_is_named(
    name: str, change: dict[str, Any] | None, said: str, source: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(source, tmp_path / "other"))
    if change is None:
        (other / name).unlink()
    else:
        content = json.loads((other / name).read_text())
        (other / name).write_text(json.dumps({**content, **change}))
    with pytest.raises((BuildError, EncoderUnavailable), match=said):
        save_encoder(f"clap:{other}", tmp_path / "encoder")


def test_weights_that_are_missing_are_named(source: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = Path(shutil.copytree(source, tmp_path / "other"))
    weights = load_file(other / "model.safetensors")
    del weights["audio_projection.linear1.weight"]
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(BuildError, match=r"no weights for audio_projection\.linear1\.weight"):
        save_encoder(f"clap:{other}", tmp_path / "encoder")


@pytest.mark.parametrize("wanted", ["clap:laion/clap-htsat-unfused", "mert:m-a-p/MERT-v1-95M@abc"])
def test_offline_a_hub_id_is_an_error_with_the_way_out(wanted: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable) as refusal:
        save_encoder(wanted, tmp_path / "encoder")
    kind, _, place = wanted.partition(":")
    assert place in refusal.value.message
    assert f"--encoder {kind}:FOLDER" in refusal.value.message
    assert f"hf download {place.partition('@')[0]}`" in refusal.value.message


@pytest.mark.parametrize("wanted", ["clap", "clap:", "mert", "musicnn:x", "", "clap2:x"])
def test_an_encoder_that_nobody_knows_is_named(wanted: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="clap:FOLDER_OR_HUB_ID"):
        save_encoder(wanted, tmp_path / "encoder")


@pytest.mark.parametrize("name", ["sound.xml", "words.bin"])
def test_towers_of_a_stranger_are_refused_by_name(name: str, folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    (other / "openvino" / name).write_bytes(b"<net")
    with pytest.raises(EncoderMismatch, match="cannot be loaded"):
        open_encoder(other, threads=1)
