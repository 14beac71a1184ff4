"""Encoders of transformers → the towers that OpenVINO runs; the only place where sound needs torch.

Nothing here runs code of a checkpoint: CLAP is in transformers, MERT is its HuBERT.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.base.errors import BuildError
from engine.base.inference import import_converter, import_openvino
from engine.base.needs import need
from engine.sound.encoder import clap, mert

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"

# A front end other than these numbers would hear another sound than its weights were trained on.
_CLAP_FRONT_END = {
    "sampling_rate": clap.BANDS.rate,
    "fft_window_size": clap.BANDS.window,
    "hop_length": clap.BANDS.hop,
    "feature_size": clap.BANDS.bands,
    "frequency_min": clap.BANDS.lowest_hz,
    "frequency_max": clap.BANDS.highest_hz,
    "max_length_s": clap.SECONDS,
    "truncation": "rand_trunc",
    "padding": "repeatpad",
}
_MERT_FRONT_END = {"sampling_rate": mert.MERT_RATE}
# What MERT's code adds to HuBERT, and none of its published models uses.
_NOT_HUBERT = ("feature_extractor_cqt", "deepnorm", "conv_pos_batch_norm")


def export_clap(source: Path, target: Path) -> int:
    """Both towers of a CLAP folder into `target`; the id of its token of nothing.

    Raises `BuildError` for a folder that is no CLAP, or one with another front end.
    """
    config = _read(source, CONFIG)
    if config.get("model_type") != "clap" or config.get("audio_config", {}).get("enable_fusion"):
        raise BuildError(
            f"{source} is a {config.get('model_type')!r} model"
            + (" with fusion" if config.get("model_type") == "clap" else "")
            + "; CLAP without fusion is needed, as laion/clap-htsat-unfused is."
        )
    _expect(source, _CLAP_FRONT_END)
    torch = need("torch", "build.in", by="--encoder clap:…")
    model = _loaded("ClapModel", source)

    class Sound(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, patches: Any) -> Any:
            """(1, 1, 1001, 64) float32 dB → (1, D), a unit row."""
            return _vector(self.model.get_audio_features(input_features=patches))

    class Words(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any) -> Any:
            """(1, L) int64 each → (1, D), a unit row."""
            return _vector(self.model.get_text_features(input_ids=ids, attention_mask=mask))

    ones = torch.ones((1, clap.LENGTHS[1]), dtype=torch.int64)
    patches = torch.zeros((1, 1, clap.FRAMES, clap.BANDS.bands))
    _export(Sound(), (patches,), [patches.shape], target / clap.SOUND)
    _export(Words(), (ones, ones), [(1, -1), (1, -1)], target / clap.WORDS)
    return int(model.config.text_config.pad_token_id)


def export_mert(source: Path, target: Path) -> None:
    """A MERT folder into `target`: 5 s of samples → the mean over time and layers.

    Raises `BuildError` for a folder that is no MERT, or one that HuBERT does not compute.
    """
    config = _read(source, CONFIG)
    if config.get("model_type") != "mert_model":
        raise BuildError(
            f"{source} is a {config.get('model_type')!r} model; MERT (model_type 'mert_model') is "
            "needed, as m-a-p/MERT-v1-95M is."
        )
    for option in _NOT_HUBERT:
        if config.get(option):
            raise BuildError(f"{source} has {option}, which no published MERT-v1 has.")
    front_end = _expect(source, _MERT_FRONT_END)
    torch = need("torch", "build.in", by="--encoder mert:…")
    model = _loaded("HubertModel", source, config)
    scaled = bool(front_end.get("do_normalize", True))

    class Sound(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, samples: Any) -> Any:
            """(1, 120000) float32 → (1, D): mean over time and over all layers."""
            if scaled:
                samples = samples - samples.mean(dim=1, keepdim=True)
                samples = samples / (samples.pow(2).mean(dim=1, keepdim=True) + 1e-7).sqrt()
            layers = self.model(samples, output_hidden_states=True).hidden_states
            return torch.stack(list(layers)).mean(dim=(0, 2))

    samples = torch.zeros((1, mert.SECONDS * mert.MERT_RATE))
    _export(Sound(), (samples,), [samples.shape], target / mert.SOUND)


def _read(source: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads((source / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(f"{source / name} cannot be read ({error}).") from error
    if not isinstance(found, dict):
        raise BuildError(f"{source / name} holds no object.")
    return found


def _expect(source: Path, front_end: dict[str, Any]) -> dict[str, Any]:
    """`preprocessor_config.json`, which says what `front_end` says."""
    found = _read(source, PREPROCESSOR)
    for name, wanted in front_end.items():
        if found.get(name) != wanted:
            raise BuildError(
                f"{source / PREPROCESSOR} has {name} {found.get(name)!r}; {wanted!r} is needed, as "
                "its published models have."
            )
    return found


def _loaded(name: str, source: Path, hubert: dict[str, Any] | None = None) -> Any:
    """A model of transformers in float32, every weight of it from `source`; `hubert` is what the
    description of one that is HuBERT under another name says."""
    transformers = need("transformers", "build.in", by="--encoder")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options: dict[str, Any] = {}
    try:
        if hubert is not None:
            known = transformers.HubertConfig().to_dict().keys() - {"model_type", "architectures"}
            said = {name: value for name, value in hubert.items() if name in known}
            options["config"] = transformers.HubertConfig(**said)
        model, report = getattr(transformers, name).from_pretrained(
            source, local_files_only=True, output_loading_info=True, **options
        )
    except Exception as error:
        # transformers has its own word for every file that may be missing or damaged.
        raise BuildError(
            f"{source} cannot be loaded ({type(error).__name__}: {str(error)[:300]})."
        ) from error
    # What masks spans in training alone.
    missing = sorted(set(report["missing_keys"]) - {"masked_spec_embed"})
    if missing:
        raise BuildError(f"{source} holds no weights for {missing[0]} and {len(missing) - 1} more.")
    return model.float().eval()


def _vector(output: Any) -> Any:
    """transformers 5 gives the whole output, 4 the features alone."""
    return getattr(output, "pooler_output", output)


def _export(module: Any, example: Sequence[Any], shapes: Sequence[Any], path: Path) -> None:
    """Weights are stored as float16 and computed in float32."""
    openvino, convert_model = import_openvino(), import_converter()
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), warnings.catch_warnings():
        # The tracer warns of every branch on a shape; tests compare with torch.
        warnings.simplefilter("ignore")
        model = convert_model(
            module.eval(),
            example_input=tuple(example),
            input=[openvino.PartialShape(list(shape)) for shape in shapes],
        )
    openvino.save_model(model, path, compress_to_fp16=True)
