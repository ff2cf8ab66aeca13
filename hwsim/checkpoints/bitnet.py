"""BitNet b1.58 (Ma et al., arXiv 2402.17764) as the transformers library stores it.

``weight`` uint8[N/4, K] holds four rows of ternary weights, each plus 1, in two bits: the lowest bits of
packed row r are row r, the next ones row r + N/4, and so on. ``weight_scale`` is one number: a "bitlinear" module
divides its result by it (it is 1 / mean |w|), an "autobitlinear" one multiplies.
"""

from functools import partial

import numpy as np

from hwsim.checkpoints._archive import Archive, Reader
from hwsim.checkpoints._config import Config
from hwsim.codebook import Codebook
from hwsim.errors import CheckpointError
from hwsim.qtensor import QTensor

PER_BYTE = 4
TERNARY = Codebook.of(np.array([0.0, 1.0, -1.0]), 2)


def read(archive: Archive, config: Config) -> dict[str, Reader]:
    """Every module that has a ``weight_scale``."""
    kind = config.option("linear_class", default="bitlinear")
    if kind not in ("bitlinear", "autobitlinear"):
        raise CheckpointError(f"{config.name}: linear_class {kind!r}; accepted: bitlinear, autobitlinear")
    if config.option("quantization_mode", default="offline") != "offline":
        raise CheckpointError(f"{config.name}: quantization_mode must be 'offline': others store weights unquantized")
    return {path: partial(_module, archive, path, kind == "bitlinear") for path in archive.modules("weight_scale")}


def _module(archive: Archive, path: str, divides: bool) -> QTensor:
    packed = archive.read(f"{path}.weight", "U8", axes=2)
    scale = archive.read_scale(f"{path}.weight_scale").astype(np.float64)
    if scale.size != 1 or not scale.item() > 0:
        raise CheckpointError(f"{path}.weight_scale must be one positive number")
    value = np.float32(1 / scale.item() if divides else scale.item())
    stored = np.concatenate([(packed >> (2 * place)) & 3 for place in range(PER_BYTE)])
    if (stored == 3).any():
        raise CheckpointError(f"{path}.weight holds a value that is not ternary")
    return QTensor(
        format="bitnet158", shape=stored.shape, codes=(stored + 2) % 3, codebook=TERNARY, group_size=stored.shape[1],
        scale=np.full((1, 1), value), channel_scale=np.ones(len(stored), np.float32),
    )  # fmt: skip
