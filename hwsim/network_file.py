"""Network files: one safetensors file, metadata as versioned JSON in its header.

The format is fixed in docs/network-file.md. Reading never executes anything: names of
operators are looked up in a fixed table and every value is checked.
"""

from pathlib import Path
from typing import Any

from hwsim import tensor_file
from hwsim.errors import HwsimError, NetworkError
from hwsim.operators import OPERATORS
from hwsim.tensor_file import VERSION, Tensors, digest

__all__ = ["VERSION", "digest", "load", "save", "to_tensors"]


def to_tensors(network: Any) -> tuple[dict[str, Any], Tensors]:
    """Metadata (plain JSON data) and tensors that hold a Network completely."""
    tensors: Tensors = {}
    nodes = []
    for index, node in enumerate(network.nodes):
        attributes = tensor_file.pack_fields(node.operator, f"{index}", tensors)
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


def save(network: Any, path: Path) -> None:
    """Writes ``network`` beside ``path``, then renames."""
    tensor_file.write(path, *to_tensors(network))


def load(cls: type, path: Path) -> Any:
    """A Network from ``path``; NetworkError naming the file and what is wrong with it."""
    with tensor_file.reading(path, "network", NetworkError):
        return _load(cls, path)


def _load(cls: type, path: Path) -> Any:
    from hwsim.network import Node

    metadata, tensors = tensor_file.read(path, "network", {"name", "output_scale", "nodes"})
    unused = set(tensors)
    nodes = []
    for index, data in enumerate(tensor_file.typed(list, metadata["nodes"], "nodes")):
        tensor_file.only(data, {"name", "operator", "inputs", "attributes"}, f"node {index}")
        name = tensor_file.typed(str, data["name"], f"name of node {index}")
        if data["operator"] not in OPERATORS:
            raise NetworkError(f"node {name!r} has unknown operator {data['operator']!r}")
        kind = OPERATORS[data["operator"]]
        try:
            operator = tensor_file.unpack_fields(kind, data["attributes"], f"{index}", tensors, unused)
        except HwsimError as error:
            raise NetworkError(f"node {name!r}: {error}") from None
        inputs = tensor_file.convert(tuple[str, ...], data["inputs"], f"inputs of node {name!r}")
        nodes.append(Node(name=name, operator=operator, inputs=inputs))
    if unused:
        raise NetworkError(f"tensor {min(unused)!r} belongs to no node")
    return cls(
        name=tensor_file.typed(str, metadata["name"], "name"), nodes=tuple(nodes),
        output_scale=tensor_file.convert(float, metadata["output_scale"], "output_scale"),
    )  # fmt: skip
