"""compressed-tensors, as llm-compressor and vLLM use it: packed integers, int8 and fp8.

"pack-quantized": ``weight_packed`` int32[N, ceil(K*bits/32)], each value plus 2^(bits-1), lowest bits first;
``weight_shape``; ``weight_scale`` [N, G]; with ``symmetric: false`` also ``weight_zero_point``, packed along the
outputs the same way. "int-quantized", "float-quantized" and "naive-quantized": ``weight`` as int8 or fp8 e4m3.
A value is ``scale * (q - zero)``, q and zero signed.

Which of several ``config_groups`` a module belongs to is found from its tensors, not from patterns in the file.
"""

import dataclasses
from functools import partial
from typing import Any

import numpy as np

from hwsim.checkpoints._affine import affine, check_order, unpack_words
from hwsim.checkpoints._archive import Archive, Reader
from hwsim.checkpoints._config import Config
from hwsim.errors import CheckpointError
from hwsim.minifloat import E4M3
from hwsim.qtensor import QTensor

FORMATS = ("pack-quantized", "int-quantized", "float-quantized", "naive-quantized")
STRATEGIES = ("tensor", "channel", "group")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scheme:
    """How the weights of one group of modules are stored."""

    bits: int
    kind: str
    symmetric: bool
    strategy: str
    group_size: int | None


def read(archive: Archive, config: Config) -> dict[str, Reader]:
    """Every module that has a ``weight_scale``."""
    layout = config.option("format")
    if layout not in FORMATS:
        raise CheckpointError(f"{config.name}: format {layout!r} is not supported; accepted: {', '.join(FORMATS)}")
    schemes = _schemes(config)
    return {path: partial(_module, archive, path, schemes) for path in archive.modules("weight_scale")}


def _schemes(config: Config) -> list[Scheme]:
    groups = config.option("config_groups", default={})
    if not isinstance(groups, dict) or not groups:
        raise CheckpointError(f"{config.name}: config_groups names no group")
    found = []
    for name, group in groups.items():
        weights = group.get("weights") if isinstance(group, dict) else None
        if not isinstance(weights, dict):
            raise CheckpointError(f"{config.name}: {name} does not say how weights are quantized")
        scheme = _scheme(weights, f"{config.name}: {name}")
        if scheme not in found:
            found.append(scheme)
    return found


def _scheme(weights: dict[str, Any], where: str) -> Scheme:
    bits, kind = weights.get("num_bits"), weights.get("type", "int")
    size = weights.get("group_size")
    strategy = weights.get("strategy") or ("group" if size not in (None, -1) else "channel")
    symmetric = weights.get("symmetric", True)
    if (kind, bits) not in (("int", 2), ("int", 4), ("int", 8), ("float", 8)) or type(bits) is not int:
        raise CheckpointError(
            f"{where}: weights of type {kind!r} with num_bits {bits!r}; accepted: int 2, 4, 8, float 8"
        )
    if strategy not in STRATEGIES:
        raise CheckpointError(f"{where}: strategy {strategy!r} is not supported; accepted: {', '.join(STRATEGIES)}")
    if strategy == "group" and (type(size) is not int or size < 1):
        raise CheckpointError(f"{where}: group_size {size!r} is not a positive whole number")
    if type(symmetric) is not bool:
        raise CheckpointError(f"{where}: symmetric must be true or false, not {symmetric!r}")
    return Scheme(
        bits=bits, kind=kind, symmetric=symmetric, strategy=strategy, group_size=size if strategy == "group" else None
    )


def _module(archive: Archive, path: str, schemes: list[Scheme]) -> QTensor:
    scale = archive.read_scale(f"{path}.weight_scale")
    scale = scale.reshape(-1, 1) if scale.ndim < 2 else scale
    packed = archive.has(f"{path}.weight_packed")
    words = archive.read(f"{path}.weight_packed", "I32", axes=2) if packed else archive.read(
        f"{path}.weight", "I8", "F8_E4M3", axes=2)  # fmt: skip
    kind = "float" if not packed and archive.dtype(f"{path}.weight") == "F8_E4M3" else "int"
    shape = _shape(archive, path) if packed else words.shape
    fitting = [
        scheme for scheme in schemes
        if scheme.kind == kind and scale.shape == _scale_shape(scheme, shape)
        and words.shape == ((shape[0], -(-shape[1] // (32 // scheme.bits))) if packed else shape)
        and (scheme.symmetric or archive.has(f"{path}.weight_zero_point"))
    ]  # fmt: skip
    if len(fitting) != 1:
        raise CheckpointError(
            f"{path}: {kind} weights {tuple(shape)} stored as {words.shape} with scales of shape {scale.shape} fit "
            f"{len(fitting)} of the configured schemes {schemes}"
        )
    (scheme,) = fitting
    size = scheme.group_size or shape[1]
    if archive.has(f"{path}.weight_g_idx"):
        check_order(archive.read(f"{path}.weight_g_idx", "I32", "I64"), size, f"{path}.weight_g_idx")
    if kind == "float":
        return _fp8(words, scale, size)
    half = 1 << (scheme.bits - 1)
    if packed:
        codes = unpack_words(words, scheme.bits, shape[1])
    else:
        signed = words.astype(np.int16) + half
        if not ((signed >= 0) & (signed < 2 * half)).all():
            raise CheckpointError(f"{path}.weight holds values beyond {scheme.bits} bits")
        codes = signed.astype(np.uint8)
    zero = None if scheme.symmetric else _zero(archive, path, scheme.bits, scale.shape)
    return affine(scheme.bits, codes, zero, scale, size, path)


def _shape(archive: Archive, path: str) -> tuple[int, int]:
    shape = archive.read(f"{path}.weight_shape", "I32", "I64", axes=1)
    if shape.shape != (2,) or shape.min() < 1:
        raise CheckpointError(f"{path}.weight_shape holds {shape.tolist()}, expected two positive sizes")
    return int(shape[0]), int(shape[1])


def _scale_shape(scheme: Scheme, shape: tuple[int, ...]) -> tuple[int, int]:
    if scheme.strategy == "tensor":
        return 1, 1
    return shape[0], 1 if scheme.group_size is None else -(-shape[1] // scheme.group_size)


def _zero(archive: Archive, path: str, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """Zero points of unsigned codes, [1|N, G] like the scales."""
    name, half = f"{path}.weight_zero_point", 1 << (bits - 1)
    stored = archive.read(name, "I8", "I32")
    if stored.dtype == np.int32:
        packed = (-(-shape[0] // (32 // bits)), shape[1])
        if stored.shape != packed:
            raise CheckpointError(f"tensor {name!r} has shape {stored.shape}, expected {packed}")
        return unpack_words(stored.T, bits, shape[0]).T.astype(np.int64)
    stored = stored.reshape(-1, 1) if stored.ndim < 2 else stored
    zero = stored.astype(np.int64) + half
    if stored.shape != shape or not ((zero >= 0) & (zero < 2 * half)).all():
        raise CheckpointError(
            f"tensor {name!r} of shape {stored.shape} does not hold zero points of {bits} bits for {shape}"
        )
    return zero


def _fp8(codes: np.ndarray, scale: np.ndarray, size: int) -> QTensor:
    return QTensor(
        format="fp8_e4m3", shape=codes.shape, codes=codes, codebook=E4M3.codebook, group_size=size,
        scale=scale.astype(np.float32), channel_scale=np.ones(len(codes), np.float32),
    )  # fmt: skip
