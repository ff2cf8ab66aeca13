"""The shipped networks, trained on handwritten digits, and the images held out from training.

Data: scikit-learn's copy of the UCI "Optical Recognition of Handwritten Digits" test set
(E. Alpaydin and C. Kaynak, 1998; 8 x 8 pixels of 0..16, CC BY 4.0). Needs neither PyTorch nor
scikit-learn.
"""

import json
from importlib import resources
from typing import Any

import numpy as np
import safetensors.numpy

from hwsim.errors import NetworkError, nearest
from hwsim.network import Network

BASIC = ("mlp_int8", "mlp_int4", "mlp_binary", "cnn_int8", "cnn_int4", "cnn_binary")
"""What ``make explore`` sweeps."""
WIDE = ("mlp_wide", "mlp_split128", "mlp_split64")
"""Binary with 1024 hidden units: whole, and split for crossbars of 128 and of 64 inputs."""
NAMES = (*BASIC, "mlp_tbn", "cnn_ternary", "cnn_plum", "cnn_bitmod", "cnn_denseshift", "cnn_fp8", *WIDE)
PIXEL_SCALE = 1 / 16
"""Networks see pixels as ``value * PIXEL_SCALE``, in 0..1."""

_DATA = resources.files("hwsim") / "data"


def networks() -> tuple[str, ...]:
    """Names of the shipped networks."""
    return NAMES


def load(name: str) -> Network:
    """The shipped network ``name``; NetworkError with the nearest name if there is none."""
    if name not in NAMES:
        raise NetworkError(f"no shipped network {name!r}; {nearest(name, NAMES)}")
    with resources.as_file(_DATA / "networks" / f"{name}.safetensors") as path:
        return Network.load(path)


def held_out(network: Network | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images float32[n, 1, 8, 8] in 0..1 and labels int64[n] that no training saw.

    With ``network``, images have the shape of its input.
    """
    data = safetensors.numpy.load((_DATA / "digits.safetensors").read_bytes())
    images = data["images"].astype(np.float32)[:, None] * np.float32(PIXEL_SCALE)
    if network is not None:
        images = images.reshape(len(images), *network.input.shape)
    return images, data["labels"].astype(np.int64)


def recorded() -> dict[str, dict[str, Any]]:
    """What training measured, by network (``hwsim/data/networks/accuracy.json``)."""
    text = (_DATA / "networks" / "accuracy.json").read_text(encoding="utf-8")
    return json.loads(text)
