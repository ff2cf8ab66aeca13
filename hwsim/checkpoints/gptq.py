"""GPTQ (Frantar et al., arXiv 2210.17323) as AutoGPTQ and its successors store it.

``qweight`` int32[K*bits/32, N] packs each output channel along its inputs, lowest bits first;
``qzeros`` int32[G, N*bits/32] packs the zero points of a group along the outputs, each less 1 modulo
2^bits (format version 1) or as it is (``checkpoint_format`` "gptq_v2"); ``scales`` are [G, N].
"""

from functools import partial

import numpy as np

from hwsim.checkpoints._affine import affine, check_order, group_size, unpack_words
from hwsim.checkpoints._archive import Archive, Reader
from hwsim.checkpoints._config import Config
from hwsim.errors import CheckpointError
from hwsim.qtensor import QTensor


def read(archive: Archive, config: Config) -> dict[str, Reader]:
    """Every module that has a ``qweight``."""
    bits = config.whole("bits", accepted=(2, 3, 4, 8))
    stored_size = config.whole("group_size")
    version = config.option("checkpoint_format", default="gptq")
    if version not in ("gptq", "gptq_v2"):
        raise CheckpointError(f"{config.name}: checkpoint_format {version!r} is not supported; accepted: gptq, gptq_v2")
    paths = archive.modules("qweight")
    unordered = next((path for path in paths if not archive.has(f"{path}.g_idx")), None)
    if config.option("desc_act", default=False) and unordered is not None:
        raise CheckpointError(f"{config.name}: desc_act is set, but there is no tensor {f'{unordered}.g_idx'!r}")
    return {path: partial(_module, archive, path, bits, stored_size, less=int(version == "gptq")) for path in paths}


def _module(archive: Archive, path: str, bits: int, stored_size: int, less: int) -> QTensor:
    words = archive.read(f"{path}.qweight", "I32", axes=2)
    n, k = words.shape[1], words.shape[0] * 32 // bits
    if words.shape[0] * 32 % bits:
        raise CheckpointError(f"{path}.qweight of {words.shape[0]} rows does not hold whole values of {bits} bits")
    size = group_size(stored_size, k, path)
    scale = archive.read_scale(f"{path}.scales")
    packed = archive.read(f"{path}.qzeros", "I32", axes=2)
    groups = -(-k // size)
    expected = (groups, -(-n * bits // 32))
    if scale.shape != (groups, n) or packed.shape != expected:
        raise CheckpointError(
            f"{path}: scales of shape {scale.shape} and qzeros of shape {packed.shape}; weights [{n}, {k}] of {bits} "
            f"bits in groups of {size} have {(groups, n)} and {expected}"
        )
    if archive.has(f"{path}.g_idx"):
        check_order(archive.read(f"{path}.g_idx", "I32", "I64"), size, f"{path}.g_idx")
    zero = (unpack_words(packed, bits, n).astype(np.int64) + less) & ((1 << bits) - 1)
    return affine(bits, unpack_words(words.T, bits, k), zero.T, scale.T, size, path)
