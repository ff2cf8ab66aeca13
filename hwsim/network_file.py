"""Network files: one safetensors file, metadata as versioned JSON in its header.

The format is fixed in docs/network-file.md. Reading never executes anything: names of
operators are looked up in a fixed table and every value is checked.
"""

import dataclasses
import hashlib
import json
import math
import typing
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from hwsim.errors import HwsimError, NetworkError
from hwsim.files import write_atomically
from hwsim.operators import OPERATORS
from hwsim.packing import pack, unpack
from hwsim.qtensor import QTensor

VERSION = 2
Tensors = dict[str, np.ndarray]


def to_tensors(network: Any) -> tuple[dict[str, Any], Tensors]:
    """Metadata (plain JSON data) and tensors that hold a Network completely."""
    tensors: Tensors = {}
    nodes = []
    for index, node in enumerate(network.nodes):
        attributes = _pack_fields(node.operator, f"{index}", tensors)
        nodes.append(
            {
                "name": node.name,
                "operator": type(node.operator).__name__,
                "inputs": list(node.inputs),
                "attributes": attributes,
            }
        )
    metadata = {
        "version": VERSION, "name": network.name, "output_scale": network.output_scale, "nodes": nodes,
    }  # fmt: skip
    return metadata, tensors


def _pack_fields(value: Any, prefix: str, tensors: Tensors) -> dict[str, Any]:
    """The dataclass fields of ``value``: arrays go to ``tensors``, the rest is returned."""
    attributes: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        key = f"{prefix}.{field.name}"
        if isinstance(item, np.ndarray):
            packed = isinstance(value, QTensor) and field.name == "codes"
            tensors[key] = pack(np.atleast_2d(item), value.code_bits) if packed else item
        elif dataclasses.is_dataclass(item):
            attributes[field.name] = _pack_fields(item, key, tensors)
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


def save(network: Any, path: Path) -> None:
    """Writes ``network`` beside ``path``, then renames."""
    metadata, tensors = to_tensors(network)
    header = {"hwsim": json.dumps({**metadata, "sha256": digest(metadata, tensors)}, allow_nan=False)}
    data = safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in tensors.items()}, metadata=header)
    write_atomically(path, data)


def load(cls: type, path: Path) -> Any:
    """A Network from ``path``; NetworkError naming the file and what is wrong with it."""
    if not path.is_file():
        raise NetworkError(f"no network file {str(path)!r}")
    try:
        return _load(cls, path)
    except HwsimError as error:
        raise NetworkError(f"{path.name}: {error}") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise NetworkError(f"{path.name} is not a readable safetensors file: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise NetworkError(f"{path.name} has malformed metadata: {error!r}") from None


def _load(cls: type, path: Path) -> Any:
    from hwsim.network import Node

    with safetensors.safe_open(path, framework="numpy") as file:
        header = (file.metadata() or {}).get("hwsim")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if header is None:
        raise NetworkError("it holds no hwsim network (no 'hwsim' header)")
    metadata = json.loads(header, object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    if metadata.get("version") != VERSION or isinstance(metadata["version"], bool):
        raise NetworkError(f"format version {metadata.get('version')!r}, this hwsim reads {VERSION}")
    stored = metadata.pop("sha256", None)
    if stored != digest(metadata, tensors):
        raise NetworkError("its SHA-256 digest does not match its content")
    _only(metadata, {"version", "name", "output_scale", "nodes"}, "network")
    unused = set(tensors)
    nodes = []
    for index, data in enumerate(_typed(list, metadata["nodes"], "nodes")):
        _only(data, {"name", "operator", "inputs", "attributes"}, f"node {index}")
        name = _typed(str, data["name"], f"name of node {index}")
        if data["operator"] not in OPERATORS:
            raise NetworkError(f"node {name!r} has unknown operator {data['operator']!r}")
        try:
            operator = _unpack_fields(OPERATORS[data["operator"]], data["attributes"], f"{index}", tensors, unused)
        except HwsimError as error:
            raise NetworkError(f"node {name!r}: {error}") from None
        inputs = _convert(tuple[str, ...], data["inputs"], f"inputs of node {name!r}")
        nodes.append(Node(name=name, operator=operator, inputs=inputs))
    if unused:
        raise NetworkError(f"tensor {min(unused)!r} belongs to no node")
    return cls(
        name=_typed(str, metadata["name"], "name"), nodes=tuple(nodes),
        output_scale=_convert(float, metadata["output_scale"], "output_scale"),
    )  # fmt: skip


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; NetworkError if it names a key twice."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise NetworkError("its metadata names a key twice")
    return data


def _refuse_constant(constant: str) -> Any:
    raise NetworkError(f"its metadata holds {constant}")


def _only(data: Any, known: set[str], where: str) -> None:
    extra = set(_typed(dict, data, where)) - known
    if extra:
        raise NetworkError(f"{where} has unknown attribute {min(extra)!r}")


def _typed(kind: type, item: Any, where: str) -> Any:
    if type(item) is not kind:
        raise NetworkError(f"{where}: expected {kind.__name__}, got {item!r:.80}")
    return item


def _convert(hint: Any, item: Any, where: str) -> Any:
    """``item`` of JSON as a field of type ``hint``."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return tuple(_convert(inner[0], each, where) for each in _typed(list, item, where))
    if origin is dict:
        return {key: _convert(inner[1], each, where) for key, each in _typed(dict, item, where).items()}
    if hint is float and type(item) is int:
        item = float(item)
    if hint is float and not math.isfinite(_typed(float, item, where)):
        raise NetworkError(f"{where}: {item} is not finite")
    return _typed(hint, item, where)


def _unpack_fields(cls: type, attributes: Any, prefix: str, tensors: Tensors, unused: set[str]) -> Any:
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    _only(attributes, set(fields), cls.__name__)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        key, where = f"{prefix}.{name}", f"{cls.__name__}.{name}"
        if np.ndarray in (hints[name], *typing.get_args(hints[name])):
            if key in unused:
                values[name] = tensors[key]
                unused.discard(key)
            elif hints[name] is np.ndarray or attributes.get(name) is not None:
                raise NetworkError(f"{where}: the file has no tensor {key!r}")
        elif (nested := _dataclass(hints[name])) is not None:
            if attributes.get(name) is not None or hints[name] is nested:
                values[name] = _unpack_fields(nested, attributes.get(name), key, tensors, unused)
        elif name in attributes:
            values[name] = _convert(hints[name], attributes[name], where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise NetworkError(f"{where} is missing")
    if cls is QTensor:
        values["codes"] = _unpack_codes(
            values["codes"], values["shape"], values.get("tile", 1), values["codebook"].bits
        )
    return cls(**values)


def _dataclass(hint: Any) -> type | None:
    """The dataclass that a field of type ``hint`` holds, if any."""
    return next((each for each in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(each)), None)  # type: ignore[misc]


def _unpack_codes(packed: np.ndarray, shape: tuple[int, ...], tile: int, bits: int) -> np.ndarray:
    if not shape or min(shape) < 1 or not 1 <= bits <= 16 or tile < 1 or math.prod(shape) % tile:
        raise NetworkError(f"weights of shape {shape}, repeated {tile} times, with codes of {bits} bits")
    if tile > 1:
        codes = _unpack_rows(packed.reshape(1, -1), math.prod(shape) // tile, bits, (1,), packed.dtype)
        return codes.reshape(-1)
    return _unpack_rows(packed, math.prod(shape[1:]), bits, shape[:1], packed.dtype)


def _unpack_rows(packed: np.ndarray, k: int, bits: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if dtype != np.uint8 or packed.shape != (*shape, -(-k * bits // 8)):
        raise NetworkError(f"codes are {packed.dtype}{packed.shape}, which does not fit shape {shape} and {bits} bits")
    codes = unpack(packed, bits, k)
    if (pack(codes, bits) != packed).any():
        raise NetworkError("the bits that pad a row of codes are not 0")
    return codes
