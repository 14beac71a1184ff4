"""Pictures and texts → embeddings, as the report and the training loop need them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from training import data

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def normalised(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    """(N, 128, 128, 3) uint8 → (N, 3, 128, 128) float32."""
    images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float().div_(255)
    return images.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(STD)[:, None, None])


def _through(layers: Any, states: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """(N, T, W) through CLIP's own layers, with one product for the three projections and no
    detour through float32: two thirds of the time of transformers' forward on a processor."""
    for layer in layers:
        attention, n, t, w = layer.self_attn, *states.shape
        heads = attention.num_heads
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts])
        mixed = functional.linear(layer.layer_norm1(states), weight, bias)
        q, k, v = mixed.view(n, t, 3, heads, w // heads).permute(2, 0, 3, 1, 4)
        scores = (q * (w // heads) ** -0.5) @ k.transpose(-1, -2)
        if mask is not None:
            scores = scores + mask
        seen = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, w)
        states = states + attention.out_proj(seen)
        inner = functional.gelu(layer.mlp.fc1(layer.layer_norm2(states)))
        states = states + layer.mlp.fc2(inner)
    return states


def some_patches(count: int, keep: float) -> torch.Tensor | None:
    """(count, kept) numbers of patches drawn at random for each picture; None: all of them."""
    if keep >= 1:
        return None
    patches = (data.SIDE // 16) ** 2
    return torch.rand(count, patches).argsort(1)[:, : int(patches * keep)]


def _patches(embeddings: Any, pixels: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
    """(N, 3, 128, 128) → (N, 1 + kept patches, W): CLIP's own first layer as one product of
    matrices over the patches that are kept. The gradient of the convolution that it stands for
    took a third of a step."""
    n, side = len(pixels), data.SIDE // 16
    cut = pixels.view(n, 3, side, 16, side, 16).permute(0, 2, 4, 1, 3, 5).reshape(n, side**2, -1)
    places = embeddings.position_embedding.weight
    where = places[1:]
    if kept is not None:
        cut = cut.gather(1, kept[..., None].expand(-1, -1, cut.shape[2]))
        where = where[kept]
    states = functional.linear(cut, embeddings.patch_embedding.weight.flatten(1)) + where
    first = (embeddings.class_embedding + places[0]).expand(n, 1, -1)
    return torch.cat([first, states], 1)


def embed_images(
    model: CLIPModel, pixels: torch.Tensor, kept: torch.Tensor | None = None
) -> torch.Tensor:
    """(N, 3, 128, 128) → (N, 256) float32 unit rows, from the patches numbered in `kept` alone."""
    vision = model.vision_model
    states = _patches(vision.embeddings, pixels, kept)
    states = vision.pre_layrnorm(states)
    states = _through(vision.encoder.layers, states)
    pooled = model.visual_projection(vision.post_layernorm(states[:, 0]))
    return functional.normalize(pooled.float(), dim=-1)


def embed_texts(model: CLIPModel, tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """T texts → (T, 256) float32 unit rows."""
    tokens = tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
    return embed_ids(model, tokens["input_ids"], tokenizer.eos_token_id)


def embed_ids(model: CLIPModel, ids: torch.Tensor, end: int) -> torch.Tensor:
    """(T, L) int64 tokens, padded after `end` → (T, 256) float32 unit rows."""
    text = model.text_model
    states = text.embeddings(input_ids=ids)
    # Causal, so what pads a text comes after all that its end token sees.
    mask = torch.full((ids.shape[1],) * 2, -1e4, dtype=states.dtype).triu(1)
    states = text.final_layer_norm(_through(text.encoder.layers, states, mask))
    ends = (ids == end).int().argmax(1)
    pooled = model.text_projection(states[torch.arange(len(ids)), ends])
    return functional.normalize(pooled.float(), dim=-1)
