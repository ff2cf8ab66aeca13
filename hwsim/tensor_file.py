"""Dataclasses of arrays in one safetensors file, metadata as versioned JSON in its header.

Network files and tensor files are made of this (docs/network-file.md). Reading never executes
anything: dataclasses are given by the caller, every value is checked, the digest protects from damage.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import math
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from hwsim.errors import FormatError, HwsimError
from hwsim.files import write_atomically
from hwsim.packing import pack, unpack
from hwsim.qtensor import QTensor

VERSION = 3
Tensors = dict[str, np.ndarray]


def pack_fields(value: Any, prefix: str, tensors: Tensors) -> dict[str, Any]:
    """The dataclass fields of ``value``: arrays go to ``tensors``, the rest is returned as JSON data."""
    attributes: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        key = _key(prefix, field.name)
        if isinstance(item, np.ndarray):
            packed = isinstance(value, QTensor) and field.name == "codes"
            tensors[key] = pack(np.atleast_2d(item), value.code_bits) if packed else item
        elif dataclasses.is_dataclass(item):
            attributes[field.name] = pack_fields(item, key, tensors)
        elif isinstance(item, tuple):
            attributes[field.name] = list(item)
        else:
            attributes[field.name] = item
    return attributes


def digest(metadata: dict[str, Any], tensors: Tensors) -> str:
    """SHA-256 over the JSON and every tensor's name, dtype, shape and bytes."""
    sha = hashlib.sha256(json.dumps(metadata, sort_keys=True, allow_nan=False).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        sha.update(f"{name} {tensor.dtype.str} {tensor.shape} ".encode())
        sha.update(tensor.tobytes())
    return sha.hexdigest()


def write(path: Path, metadata: dict[str, Any], tensors: Tensors) -> None:
    """Writes beside ``path``, then renames."""
    header = {"hwsim": json.dumps({**metadata, "sha256": digest(metadata, tensors)}, allow_nan=False)}
    data = safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in tensors.items()}, metadata=header)
    write_atomically(path, data)


@contextlib.contextmanager
def reading(path: Path, what: str, error: type[HwsimError]) -> Iterator[None]:
    """Whatever is wrong with the file while it is read becomes an ``error`` that names it."""
    if not path.is_file():
        raise error(f"no {what} file {str(path)!r}")
    try:
        yield
    except HwsimError as problem:
        raise error(f"{path.name}: {problem}") from None
    except (safetensors.SafetensorError, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:  # of what reading compiles and keeps
            raise
        raise error(f"{path.name} is not a readable safetensors file: {problem}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as problem:
        raise error(f"{path.name} has malformed metadata: {problem!r}") from None


def read(path: Path, what: str, keys: set[str]) -> tuple[dict[str, Any], Tensors]:
    """Metadata with at most ``keys`` beside the version, and tensors; FormatError unless they fit the digest."""
    with safetensors.safe_open(path, framework="numpy") as file:
        header = (file.metadata() or {}).get("hwsim")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if header is None:
        raise FormatError(f"it holds no hwsim {what} (no 'hwsim' header)")
    metadata = json.loads(header, object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    if metadata.get("version") != VERSION or isinstance(metadata["version"], bool):
        raise FormatError(f"format version {metadata.get('version')!r}, this hwsim reads {VERSION}")
    stored = metadata.pop("sha256", None)
    if stored != digest(metadata, tensors):
        raise FormatError("its SHA-256 digest does not match its content")
    only(metadata, {"version"} | keys, what)
    return metadata, tensors


def _key(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; FormatError if it names a key twice."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise FormatError("its metadata names a key twice")
    return data


def _refuse_constant(constant: str) -> Any:
    raise FormatError(f"its metadata holds {constant}")


def only(data: Any, known: set[str], where: str) -> None:
    """FormatError unless ``data`` is an object with no keys but ``known``."""
    extra = set(typed(dict, data, where)) - known
    if extra:
        raise FormatError(f"{where} has unknown attribute {min(extra)!r}")


def typed(kind: type, item: Any, where: str) -> Any:
    """``item``; FormatError unless it is exactly of type ``kind``."""
    if type(item) is not kind:
        raise FormatError(f"{where}: expected {kind.__name__}, got {item!r:.80}")
    return item


def convert(hint: Any, item: Any, where: str) -> Any:
    """``item`` of JSON as a field of type ``hint``."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if type(item) is not str or item not in inner:
            raise FormatError(f"{where}: expected one of {', '.join(map(repr, inner))}, got {item!r:.80}")
        return item
    if origin is tuple:
        return tuple(convert(inner[0], each, where) for each in typed(list, item, where))
    if origin is dict:
        return {key: convert(inner[1], each, where) for key, each in typed(dict, item, where).items()}
    if hint is float and type(item) is int:
        item = float(item)
    if hint is float and not math.isfinite(typed(float, item, where)):
        raise FormatError(f"{where}: {item} is not finite")
    return typed(hint, item, where)


def unpack_fields(cls: type, attributes: Any, prefix: str, tensors: Tensors, unused: set[str]) -> Any:
    """The dataclass that `pack_fields` took apart; names of the tensors it takes leave ``unused``."""
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    only(attributes, set(fields), cls.__name__)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        key, where = _key(prefix, name), f"{cls.__name__}.{name}"
        if np.ndarray in (hints[name], *typing.get_args(hints[name])):
            if key in unused:
                values[name] = tensors[key]
                unused.discard(key)
            elif hints[name] is np.ndarray or attributes.get(name) is not None:
                raise FormatError(f"{where}: the file has no tensor {key!r}")
        elif (nested := _dataclass(hints[name])) is not None:
            if attributes.get(name) is not None or hints[name] is nested:
                values[name] = unpack_fields(nested, attributes.get(name), key, tensors, unused)
        elif name in attributes:
            values[name] = convert(hints[name], attributes[name], where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise FormatError(f"{where} is missing")
    if cls is QTensor:
        values["codes"] = _unpack_codes(
            values["codes"], values["shape"], values.get("tile", 1), values["codebook"].bits
        )
    return cls(**values)


def _dataclass(hint: Any) -> type | None:
    """The dataclass that a field of type ``hint`` holds, if any."""
    return next((each for each in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(each)), None)  # type: ignore[return-value]


def _unpack_codes(packed: np.ndarray, shape: tuple[int, ...], tile: int, bits: int) -> np.ndarray:
    if not shape or min(shape) < 1 or not 1 <= bits <= 16 or tile < 1 or math.prod(shape) % tile:
        raise FormatError(f"weights of shape {shape}, repeated {tile} times, with codes of {bits} bits")
    if tile > 1:
        codes = _unpack_rows(packed.reshape(1, -1), math.prod(shape) // tile, bits, (1,), packed.dtype)
        return codes.reshape(-1)
    return _unpack_rows(packed, math.prod(shape[1:]), bits, shape[:1], packed.dtype)


def _unpack_rows(packed: np.ndarray, k: int, bits: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if dtype != np.uint8 or packed.shape != (*shape, -(-k * bits // 8)):
        raise FormatError(f"codes are {packed.dtype}{packed.shape}, which does not fit shape {shape} and {bits} bits")
    codes = unpack(packed, bits, k)
    if (pack(codes, bits) != packed).any():
        raise FormatError("the bits that pad a row of codes are not 0")
    return codes
