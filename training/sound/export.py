"""A checkpoint's averaged weights → `engine/sound/fingerprint/network.safetensors`, float16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.sound.fingerprint.network import BUILT_IN, SHAPES, WEIGHTS
from engine.sound.tensors import write_tensors
from training.sound.model import Network


def folded(network: Network) -> dict[str, NDArray[np.float32]]:
    """Each layer's norm in its convolution: what is left are weights and summands."""
    tensors: dict[str, torch.Tensor] = {}
    for at, norm in enumerate(network.norms):
        assert isinstance(norm, torch.nn.BatchNorm2d)
        assert norm.running_var is not None
        assert norm.running_mean is not None
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        kernel = (network.weights[at] * factor[:, None]).view(SHAPES[f"layer{at}.weight"])
        tensors |= {
            f"layer{at}.weight": kernel,
            f"layer{at}.bias": norm.bias - norm.running_mean * factor,
        }
    tensors |= {"head.weight": network.head.weight, "head.bias": _bias(network)}
    found = {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}
    assert {name: values.shape for name, values in found.items()} == SHAPES
    return found


def _bias(network: Network) -> torch.Tensor:
    assert network.head.bias is not None
    return network.head.bias


def averaged(checkpoint: Path) -> tuple[Network, int]:
    """The running mean of a checkpoint's weights, ready to embed, and its step."""
    state = torch.load(checkpoint, weights_only=True)
    mine = {
        name.removeprefix("module."): values
        for name, values in state["average"].items()
        if name.startswith("module.")
    }
    network = Network()
    network.load_state_dict(mine)
    return network.eval(), int(state["step"])


def export(checkpoint: Path, path: Path = BUILT_IN / WEIGHTS) -> None:
    network, step = averaged(checkpoint)
    about = {"made by": "python -m training.sound", "steps": str(step), "licence": "Apache-2.0"}
    write_tensors(path, folded(network), about, kind="F16")
