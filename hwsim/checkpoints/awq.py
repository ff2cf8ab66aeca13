"""AWQ (Lin et al., arXiv 2306.00978) in AutoAWQ's "gemm" layout.

``qweight`` int32[K, N/8] and ``qzeros`` int32[G, N/8] pack eight outputs per word; the i-th four bits, from
the lowest, belong to output ``ORDER[i]`` of the eight. ``scales`` are [G, N].
"""

from functools import partial

import numpy as np

from hwsim.checkpoints._affine import affine, group_size
from hwsim.checkpoints._archive import Archive, Reader
from hwsim.checkpoints._config import Config
from hwsim.errors import CheckpointError
from hwsim.qtensor import QTensor

BITS = 4
ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def read(archive: Archive, config: Config) -> dict[str, Reader]:
    """Every module that has a ``qweight``."""
    config.whole("bits", "w_bit", accepted=(BITS,))
    version = str(config.option("version", default="gemm")).lower()
    if version != "gemm":
        raise CheckpointError(f"{config.name}: AWQ version {version!r} is not supported; accepted: gemm")
    stored_size = config.whole("group_size", "q_group_size")
    return {path: partial(_module, archive, path, stored_size) for path in archive.modules("qweight")}


def _module(archive: Archive, path: str, stored_size: int) -> QTensor:
    words = archive.read(f"{path}.qweight", "I32", axes=2)
    k, n = words.shape[0], words.shape[1] * len(ORDER)
    size = group_size(stored_size, k, path)
    scale = archive.read_scale(f"{path}.scales")
    packed = archive.read(f"{path}.qzeros", "I32", axes=2)
    groups = -(-k // size)
    if scale.shape != (groups, n) or packed.shape != (groups, words.shape[1]):
        raise CheckpointError(
            f"{path}: scales of shape {scale.shape} and qzeros of shape {packed.shape}; weights [{n}, {k}] in groups "
            f"of {size} have {(groups, n)} and {(groups, words.shape[1])}"
        )
    return affine(BITS, _unpack(words).T, _unpack(packed).T, scale.T, size, path)


def _unpack(words: np.ndarray) -> np.ndarray:
    """uint8[R, 8 W] from int32[R, W], outputs in their own order."""
    values = np.empty((*words.shape, len(ORDER)), dtype=np.uint8)
    for place, output in enumerate(ORDER):
        values[:, :, output] = (words >> (BITS * place)) & 0xF
    return values.reshape(len(words), -1)
