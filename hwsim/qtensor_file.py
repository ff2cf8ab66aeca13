"""Tensor files: one QTensor of any format in one safetensors file (docs/network-file.md)."""

from pathlib import Path
from typing import Any

from hwsim import tensor_file
from hwsim.errors import FormatError
from hwsim.qtensor import QTensor
from hwsim.tensor_file import VERSION, Tensors


def to_tensors(q: QTensor) -> tuple[dict[str, Any], Tensors]:
    """Metadata (plain JSON data) and arrays that hold ``q`` completely."""
    tensors: Tensors = {}
    return {"version": VERSION, "qtensor": tensor_file.pack_fields(q, "", tensors)}, tensors


def save(q: QTensor, path: Path) -> None:
    """Writes ``q`` beside ``path``, then renames."""
    tensor_file.write(path, *to_tensors(q))


def load(path: Path) -> QTensor:
    """A QTensor from ``path``; FormatError naming the file and what is wrong with it."""
    with tensor_file.reading(path, "tensor", FormatError):
        metadata, tensors = tensor_file.read(path, "tensor", {"qtensor"})
        unused = set(tensors)
        q = tensor_file.unpack_fields(QTensor, metadata["qtensor"], "", tensors, unused)
        if unused:
            raise FormatError(f"array {min(unused)!r} belongs to no field")
        return q
