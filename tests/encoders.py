"""Encoders made on the spot: nothing is fetched, and speed does not depend on the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np

from engine.covers.image import Preprocessing
from engine.vectors.embeddings import unit_rows

WORDS = ["red", "blue", "green", "dark", "album", "cover", "guitar", "moon", "jazz", "metal"]
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def write_clip(folder: Path, *, vit_b_32: bool = False, layers: int = 12, seed: int = 0) -> Path:
    """A transformers CLIP folder of random weights: tiny, or of openai/clip-vit-base-patch32's
    configuration (151 M parameters) with as many `layers` a tower."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers.trainers import BpeTrainer
    from transformers import CLIPConfig, CLIPModel

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=600,
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 10, trainer)
    start, end = tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[("<|startoftext|>", start), ("<|endoftext|>", end)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    size = 224 if vit_b_32 else 32
    ids = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": end}
    if vit_b_32:
        depth = {"num_hidden_layers": layers}
        config = CLIPConfig(text_config={**ids, **depth}, vision_config=depth)
    else:
        tower = {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        }
        config = CLIPConfig(
            text_config={**tower, **ids, "vocab_size": tokenizer.get_vocab_size()},
            vision_config={**tower, "image_size": size, "patch_size": 8},
            projection_dim=32,
        )
    torch.manual_seed(seed)
    model = CLIPModel(config)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "CLIPImageProcessor",
                "size": {"shortest_edge": size},
                "crop_size": {"height": size, "width": size},
                "resample": 3,
                "do_resize": True,
                "do_center_crop": True,
                "do_rescale": True,
                "do_normalize": True,
                "do_convert_rgb": True,
                "rescale_factor": 1 / 255,
                "image_mean": MEAN,
                "image_std": STD,
            }
        )
    )
    return folder


class ColourEncoder:
    """An encoder whose answer can be seen: the mean colour. Red finds red."""

    name, dimension = "mean-colour", 4
    runtime, precision = "torch-cpu", "fp32"
    preprocessing = Preprocessing(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    colours: ClassVar = {
        "red": (1, 0, 0),
        "green": (0, 1, 0),
        "blue": (0, 0, 1),
        "white": (1, 1, 1),
    }

    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        """(N, S, S, 3) uint8 → (N, 4) float32 unit rows; the fourth keeps black off zero."""
        means = pixels.reshape(len(pixels), -1, 3).mean(axis=1) / 255
        return unit_rows(np.concatenate([means, np.full((len(pixels), 1), 0.1)], axis=1))

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        rows = [[*self.colours.get(text.split()[0], (1, 1, 1)), 0.1] for text in texts]
        return unit_rows(np.array(rows))
