"""Encoders of sound made on the spot: published configurations, small, with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CLAP_FRONT_END = {
    "feature_extractor_type": "ClapFeatureExtractor",
    "feature_size": 64,
    "fft_window_size": 1024,
    "frequency_max": 14000,
    "frequency_min": 50,
    "hop_length": 480,
    "max_length_s": 10,
    "padding": "repeatpad",
    "sampling_rate": 48000,
    "top_db": None,
    "truncation": "rand_trunc",
}
WORDS = ["a", "calm", "piano", "loud", "guitar", "song", "of", "the", "sea", "metal", "drums"]


def write_clap(folder: Path, *, seed: int = 0) -> Path:
    """A CLAP folder as transformers writes it: LAION's unfused front end, 16 numbers a vector."""
    import torch
    from transformers import ClapConfig, ClapModel

    folder.mkdir(parents=True, exist_ok=True)
    ids = _write_tokenizer(folder / "tokenizer.json")
    config = ClapConfig(
        text_config={
            "hidden_size": 32,
            "intermediate_size": 37,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "vocab_size": ids["vocab_size"],
            "pad_token_id": ids["pad"],
            "bos_token_id": ids["start"],
            "eos_token_id": ids["end"],
        },
        audio_config={
            "depths": [1, 1],
            "hidden_size": 16,
            "num_attention_heads": [2, 2],
            "patch_embeds_hidden_size": 8,
        },
        projection_dim=16,
    )
    torch.manual_seed(seed)
    model = ClapModel(config)
    for weight in model.parameters():
        # Small, as initialised, every input has almost the same vector.
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(CLAP_FRONT_END))
    return folder


def _write_tokenizer(path: Path) -> dict[str, int]:
    """RoBERTa's kind: bytes in pairs, `<s> … </s>`, `<pad>` with id 1."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from tokenizers.trainers import BpeTrainer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 10, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.save(str(path))
    return {"vocab_size": tokenizer.get_vocab_size(), "start": 0, "pad": 1, "end": 2}


def mert_config(**changed: Any) -> dict[str, Any]:
    """What `config.json` of m-a-p/MERT-v1-95M says, with fewer and narrower layers."""
    return {
        "_name_or_path": "m-a-p/MERT-v1-95M",
        "architectures": ["MERTModel"],
        "model_type": "mert_model",
        "auto_map": {
            "AutoConfig": "configuration_MERT.MERTConfig",
            "AutoModel": "modeling_MERT.MERTModel",
        },
        "attention_relax": -1.0,
        "conv_bias": False,
        "conv_dim": [16] * 7,
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "deepnorm": False,
        "do_stable_layer_norm": False,
        "feat_extract_activation": "gelu",
        "feat_extract_norm": "group",
        "feat_proj_layer_norm": True,
        "feature_extractor_cqt": False,
        "feature_extractor_cqt_bins": 336,
        "hidden_act": "gelu",
        "hidden_size": 32,
        "intermediate_size": 48,
        "layer_norm_eps": 1e-05,
        "layerdrop": 0.0,
        "mask_time_prob": 0.05,
        "num_attention_heads": 4,
        "num_conv_pos_embedding_groups": 4,
        "num_conv_pos_embeddings": 16,
        "num_hidden_layers": 3,
        "sample_rate": 24000,
        "vocab_size": 32,
        **changed,
    }


def write_mert(folder: Path, *, seed: int = 0, **changed: Any) -> Path:
    """A MERT folder as it is published: weights in pytorch_model.bin, under the names that weight
    normalisation had before torch 2.1, and a description that asks for code of its own."""
    import torch
    from transformers import HubertConfig, HubertModel

    folder.mkdir(parents=True, exist_ok=True)
    config = mert_config(**changed)
    known = {name: value for name, value in config.items() if name in HubertConfig().to_dict()}
    torch.manual_seed(seed)
    model = HubertModel(HubertConfig(**{**known, "model_type": "hubert"}))
    new, old = "conv.parametrizations.weight.original", ("conv.weight_g", "conv.weight_v")
    state = {
        name.replace(f"{new}0", old[0]).replace(f"{new}1", old[1]): value.clone()
        for name, value in model.state_dict().items()
    }
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"do_normalize": True, "sampling_rate": 24000, "feature_size": 1})
    )
    (folder / "modeling_MERT.py").write_text("raise RuntimeError('a stranger’s code ran')\n")
    (folder / "configuration_MERT.py").write_text("raise RuntimeError('a stranger’s code ran')\n")
    return folder
