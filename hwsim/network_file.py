"""Network files: one safetensors file, metadata as versioned JSON in its header.

The format is fixed in docs/network-file.md. Reading never executes anything: names of
operators are looked up in a fixed table and every value is checked.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from hwsim.errors import HwsimError, NetworkError
from hwsim.files import write_atomically
from hwsim.operators import OPERATORS, Operator
from hwsim.packing import pack, unpack
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer

VERSION = 1
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
            tensors[key] = pack(item, value.code_bits) if packed else item
        elif isinstance(item, (QTensor, Quantizer)):
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
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise NetworkError(f"{path.name} has malformed metadata: {error!r}") from None


def _load(cls: type, path: Path) -> Any:
    from hwsim.network import Node

    with safetensors.safe_open(path, framework="numpy") as file:
        header = (file.metadata() or {}).get("hwsim")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if header is None:
        raise NetworkError("it holds no hwsim network (no 'hwsim' header)")
    metadata = json.loads(header)
    if metadata.get("version") != VERSION:
        raise NetworkError(f"format version {metadata.get('version')!r}, this hwsim reads {VERSION}")
    stored = metadata.pop("sha256", None)
    if stored != digest(metadata, tensors):
        raise NetworkError("its SHA-256 digest does not match its content")
    _only(metadata, {"version", "name", "output_scale", "nodes"}, "network")
    unused = set(tensors)
    nodes = []
    for index, data in enumerate(metadata["nodes"]):
        _only(data, {"name", "operator", "inputs", "attributes"}, f"node {index}")
        if data["operator"] not in OPERATORS:
            raise NetworkError(f"node {data['name']!r} has unknown operator {data['operator']!r}")
        operator = _unpack_fields(OPERATORS[data["operator"]], data["attributes"], f"{index}", tensors, unused)
        assert isinstance(operator, Operator)
        nodes.append(Node(name=data["name"], operator=operator, inputs=tuple(data["inputs"])))
    if unused:
        raise NetworkError(f"tensor {min(unused)!r} belongs to no node")
    return cls(name=metadata["name"], nodes=tuple(nodes), output_scale=metadata["output_scale"])


def _only(data: dict[str, Any], known: set[str], where: str) -> None:
    extra = set(data) - known
    if extra:
        raise NetworkError(f"{where} has unknown attribute {min(extra)!r}")


def _unpack_fields(cls: type, attributes: dict[str, Any], prefix: str, tensors: Tensors, unused: set[str]) -> Any:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    _only(attributes, set(fields), f"{cls.__name__} {prefix}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        key = f"{prefix}.{name}"
        nested = {"QTensor": QTensor, "Quantizer": Quantizer}.get(getattr(field.type, "__name__", ""))
        if key in tensors:
            values[name] = tensors[key]
            unused.discard(key)
        elif nested is not None:
            values[name] = _unpack_fields(nested, attributes[name], key, tensors, unused)
        elif name in attributes:
            item = attributes[name]
            values[name] = tuple(item) if isinstance(item, list) else item
    if cls is QTensor:
        shape = values["shape"]
        k = int(np.prod(shape[1:], dtype=np.int64))
        packed = values["codes"]
        if packed.dtype != np.uint8 or packed.shape != (shape[0], -(-k * values["code_bits"] // 8)):
            raise NetworkError(f"codes of {prefix} do not fit shape {shape}")
        values["codes"] = unpack(packed, values["code_bits"], k)
    return cls(**values)
