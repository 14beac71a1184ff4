"""The network of `engine.sound.fingerprint.network` in torch, before its norms are folded."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.sound.fingerprint.network import (
    DIMENSION,
    HEAD_FRAMES,
    LAYERS,
    LEVEL_FRAMES,
    SHAPES,
    WIDTHS,
)


class Network(nn.Module):
    """(B, T, 64) mel frames → (B, (T − 95) // 8 + 1, 64) unit rows; no padding in time.

    So an output depends on its 95 frames alone, whatever stands beside them.
    """

    def __init__(self) -> None:
        super().__init__()
        # Matrices, as Muon wants them; `forward` gives them their kernels' shapes.
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(shape[0], math.prod(shape[1:])) / math.prod(shape[1:]) ** 0.5)
            for shape in (SHAPES[f"layer{at}.weight"] for at in range(len(LAYERS)))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in WIDTHS)
        self.head = nn.Conv1d(WIDTHS[-1], DIMENSION, HEAD_FRAMES)

    def forward(self, frames: Tensor) -> Tensor:
        x = levelled(frames).contiguous(memory_format=torch.channels_last)
        for at, (_, strides, edge) in enumerate(LAYERS):
            kernel = self.weights[at].view(SHAPES[f"layer{at}.weight"])
            kernel = kernel.contiguous(memory_format=torch.channels_last)
            x = F.relu(self.norms[at](F.conv2d(x, kernel, None, strides, (edge, 0))))
        return F.normalize(self.head(x.squeeze(2)), dim=1).transpose(1, 2)


def levelled(frames: Tensor) -> Tensor:
    """(B, T, 64) → (B, 2, 64, T − 24): over the level of all bands, and of each band."""
    x = frames.transpose(1, 2)
    band = F.avg_pool1d(x, LEVEL_FRAMES, 1)
    level = band.mean(1, keepdim=True) + 0.01
    x = x[:, :, LEVEL_FRAMES // 2 : -(LEVEL_FRAMES // 2)]
    return torch.stack([x / level - 1, x / (band + 0.1 * level) - 1], 1)
