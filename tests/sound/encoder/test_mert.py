"""`encoder/mert.py`, `making/export.py`: MERT as HuBERT computes it, and nobody's code beside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sound_encoders import write_mert

from engine.base.errors import BuildError
from engine.sound.encoder.folder import open_encoder
from engine.sound.encoder.mert import MertEncoder, windows_at_rate
from engine.sound.making.encoder import save_encoder


def tune(seconds: float, hz: float = 440) -> np.ndarray:
    """(N,) float32 at 16 kHz: a tone that trembles."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    return (0.3 * np.sin(2 * np.pi * hz * t + np.sin(9 * t))).astype(np.float32)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mert(tmp_path_factory.mktemp("mert") / "tiny-mert")


@pytest.fixture(scope="module")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact") / "encoder"
    save_encoder(f"mert:{source}", folder)
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> MertEncoder:
    opened = open_encoder(folder, threads=1)
    assert isinstance(opened, MertEncoder)
    return opened


def hidden_states(source: Path, samples: np.ndarray) -> Any:
    """(1, N) at 24 kHz → (layers, 1, T, D) of transformers' HuBERT."""
    import torch
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    config = json.loads((source / "config.json").read_text())
    known = {name: value for name, value in config.items() if name in HubertConfig().to_dict()}
    model = HubertModel(HubertConfig(**{**known, "model_type": "hubert"})).eval()
    state = torch.load(source / "pytorch_model.bin", weights_only=True)
    model.load_state_dict(
        {
            name.replace("conv.weight_g", "conv.parametrizations.weight.original0").replace(
                "conv.weight_v", "conv.parametrizations.weight.original1"
            ): value
            for name, value in state.items()
        }
    )
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=24_000, do_normalize=True)
    inputs = extractor(samples[0], sampling_rate=24_000, return_tensors="pt")
    with torch.inference_mode():
        found = model(inputs["input_values"], output_hidden_states=True).hidden_states
    return torch.stack(list(found))


@pytest.mark.parametrize("hz", [110, 3_000])
def test_music_has_the_vectors_of_transformers(hz: int, encoder: MertEncoder, source: Path) -> None:
    found = encoder.embed(tune(5, hz))
    wanted = hidden_states(source, windows_at_rate(tune(5, hz), 1)).mean(dim=(0, 1, 2)).numpy()
    assert (found.vector.shape, found.tags) == ((32,), None)
    assert np.abs(found.vector - wanted).max() < 5e-3


def test_the_model_with_stable_norms_has_them_too(tmp_path: Path) -> None:
    # As the 330M model is: its attention_relax is for numbers of half the bits alone.
    source = write_mert(tmp_path / "large", do_stable_layer_norm=True, attention_relax=32.0)
    save_encoder(f"mert:{source}", tmp_path / "encoder")
    found = open_encoder(tmp_path / "encoder", threads=1).embed(tune(5))
    wanted = hidden_states(source, windows_at_rate(tune(5), 1)).mean(dim=(0, 1, 2)).numpy()
    assert np.abs(found.vector - wanted).max() < 5e-3


@pytest.mark.parametrize("length", [0, 1, 16_000])
def test_what_is_short_has_a_vector(length: int, encoder: MertEncoder) -> None:
    assert np.isfinite(encoder.embed(tune(1)[:length]).vector).all()
    assert windows_at_rate(tune(1)[:length], 12).shape == (1, 120_000)


def test_its_licence_is_told(folder: Path) -> None:
    assert "not for commercial use" in (folder / "encoder.json").read_text()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model_type": "hubert"}, "'hubert' model"),
        ({"feature_extractor_cqt": True}, "feature_extractor_cqt"),
        ({"deepnorm": True}, "deepnorm"),
        ({"num_hidden_layers": 4}, r"no weights for encoder\.layers\.3"),
        ({"hidden_size": "wide"}, "cannot be loaded"),
    ],
)
def test_a_folder_that_is_no_mert_is_named(
    changed: dict[str, Any], said: str, source: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(source, tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, **changed}))
    with pytest.raises(BuildError, match=said):
        save_encoder(f"mert:{other}", tmp_path / "encoder")


def test_another_rate_is_named(source: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(source, tmp_path / "other"))
    (other / "preprocessor_config.json").write_text('{"sampling_rate": 16000}')
    with pytest.raises(BuildError, match="sampling_rate 16000; 24000"):
        save_encoder(f"mert:{other}", tmp_path / "encoder")
