"""Tensors of one or several safetensors files, read one at a time."""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors

from hwsim.checkpoints._config import read_json
from hwsim.errors import CheckpointError
from hwsim.qtensor import QTensor

Reader = Callable[[], QTensor]
"""Reads the weights of one module."""

INDEX = "model.safetensors.index.json"
NUMPY: dict[str, str] = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "F8_E4M3": "u1", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U8": "u1",
}  # fmt: skip
"""What the bytes of a stored tensor are read as."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """Where a tensor lies."""

    file: Path
    start: int
    dtype: str
    shape: tuple[int, ...]


class Archive:
    """The tensors of a safetensors file, or of all that belong to a folder."""

    def __init__(self, path: Path) -> None:
        self.entries: dict[str, Entry] = {}
        for file in _files(path):
            for name, entry in _entries(file).items():
                if name in self.entries:
                    raise CheckpointError(f"{file.name}: tensor {name!r} is also in {self.entries[name].file.name}")
                self.entries[name] = entry
        for name, part in _weight_map(path).items():
            if name not in self.entries or self.entries[name].file.name != part:
                raise CheckpointError(f"{INDEX} places tensor {name!r} in {part}, which does not hold it")

    def modules(self, tensor: str) -> list[str]:
        """Paths of the modules that have a tensor of that name."""
        return [name.removesuffix(f".{tensor}") for name in self.entries if name.endswith(f".{tensor}")]

    def has(self, name: str) -> bool:
        """Whether there is a tensor ``name``."""
        return name in self.entries

    def dtype(self, name: str) -> str:
        """The stored type of a tensor, as safetensors calls it."""
        return self._entry(name).dtype

    def read(self, name: str, *dtypes: str, axes: int | None = None) -> np.ndarray:
        """The tensor as stored (float types as float32 or float64, F8_E4M3 as bytes).

        CheckpointError unless it exists with one of ``dtypes`` and that many axes.
        """
        entry = self._entry(name)
        if entry.dtype not in dtypes or entry.dtype not in NUMPY:
            raise CheckpointError(f"tensor {name!r} is {entry.dtype}, expected {' or '.join(dtypes)}")
        if axes is not None and len(entry.shape) != axes:
            raise CheckpointError(f"tensor {name!r} has shape {entry.shape}, expected {axes} axes")
        if math.prod(entry.shape) == 0:
            raise CheckpointError(f"tensor {name!r} of shape {entry.shape} has no elements")
        array = np.memmap(entry.file, dtype=NUMPY[entry.dtype], mode="r", offset=entry.start, shape=entry.shape)
        if entry.dtype == "BF16":
            return (np.asarray(array, dtype=np.uint32) << 16).view(np.float32)
        return np.asarray(array, dtype=np.float32) if entry.dtype == "F16" else np.array(array)

    def read_scale(self, name: str) -> np.ndarray:
        """A finite floating point tensor."""
        scale = self.read(name, "F16", "BF16", "F32", "F64")
        if not np.isfinite(scale).all():
            raise CheckpointError(f"tensor {name!r} holds NaN or infinity")
        return scale

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise CheckpointError(f"there is no tensor {name!r}")
        return self.entries[name]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CheckpointError(f"no checkpoint {str(path)!r}")
    named = sorted(set(_weight_map(path).values()))
    files = [path / name for name in named] or sorted(path.glob("*.safetensors"))
    for file in files:
        if not file.is_file():
            raise CheckpointError(f"{INDEX} names {file.name!r}, which does not exist")
    if not files:
        raise CheckpointError(f"folder {str(path)!r} holds no safetensors file")
    return files


def _weight_map(path: Path) -> dict[str, str]:
    """File by tensor, as the index of folder ``path`` has it; empty without an index."""
    if not (path / INDEX).is_file():
        return {}
    parts = read_json(path / INDEX).get("weight_map")
    names = list(parts.values()) if isinstance(parts, dict) else []
    if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise CheckpointError(f"{INDEX}: weight_map does not name files of its folder")
    return dict(parts or {})


def _entries(file: Path) -> dict[str, Entry]:
    """Every tensor of a file whose header the safetensors library has checked against its size."""
    try:
        with safetensors.safe_open(file, framework="numpy"):
            pass
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{file.name} is not a readable safetensors file: {error}") from None
    return {
        name: Entry(file, 8 + length + data["data_offsets"][0], data["dtype"], tuple(data["shape"]))
        for name, data in header.items() if name != "__metadata__"
    }  # fmt: skip
