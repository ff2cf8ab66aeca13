"""Quantized checkpoints that people already have, as QTensors; needs neither PyTorch nor a network.

`load` reads all of them, `stream` one at a time. Both read safetensors files beside their JSON configuration: GPTQ,
AWQ, BitNet b1.58 and compressed-tensors. Reading never executes anything: the quantization method chooses a
reader from a fixed table, and patterns in a configuration are not evaluated.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from hwsim.checkpoints import awq, bitnet, compressed, gptq
from hwsim.checkpoints._archive import Archive, Reader
from hwsim.checkpoints._config import Config
from hwsim.errors import CheckpointError, FormatError, nearest
from hwsim.lowering import lower
from hwsim.progress import track
from hwsim.qtensor import QTensor
from hwsim.weight_source import WeightSource

__all__ = ["load", "stream"]

READERS: dict[str, Callable[[Archive, Config], dict[str, Reader]]] = {
    "gptq": gptq.read, "awq": awq.read, "bitnet": bitnet.read, "compressed-tensors": compressed.read,
}  # fmt: skip


def load(path: str | Path) -> dict[str, QTensor]:
    """The quantized weights [out_features, in_features] of a checkpoint, by module path.

    ``path`` is a safetensors file, or the folder that holds one (or several, with or without an index).
    The configuration is read from the same folder: ``quantization_config`` in ``config.json``, or
    ``quantize_config.json`` or ``quant_config.json``. Weights decode to exactly ``scale * (code - zero)``
    in real arithmetic, rounded to float32 once. Tensors that are not quantized (embeddings, norms,
    biases) are left out.

    Raises CheckpointError, naming the file or tensor, if something is missing, damaged, not finite
    or does not fit the configuration, and for quantization methods that are not supported.
    """
    location = Path(path)
    return {name: _read(location, reader) for name, reader in _readers(location).items()}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Stored(WeightSource):
    """Weights of one module, read when they are needed."""

    n: int
    k: int
    content: str
    location: Path
    reader: Reader

    @property
    def hash(self) -> str:
        """See `WeightSource.hash`: that of the stored tensor."""
        return self.content

    def tensor(self) -> QTensor:
        """See `WeightSource.tensor`. CheckpointError if the file has changed."""
        q = _read(self.location, self.reader)
        if q.hash != self.content:
            raise CheckpointError(f"{self.location.name} has changed since it was opened")
        return lower(q)


def stream(path: str | Path, progress: bool = False) -> dict[str, WeightSource]:
    """What `load` gives, as sources that `hwsim.Workload.from_tensors` takes: one tensor in memory at a time.

    Reads everything once, so that damage is found here.
    """
    location = Path(path)
    sources: dict[str, WeightSource] = {}
    for name, reader in track(list(_readers(location).items()), f"reading {location.name}", progress):
        q = _read(location, reader)
        sources[name] = Stored(n=q.n, k=q.k, content=q.hash, location=location, reader=reader)
    return sources


def _readers(location: Path) -> dict[str, Reader]:
    """What reads each module."""
    config = Config.read(location if location.is_dir() else location.parent)
    if config.method not in READERS:
        raise CheckpointError(f"{config.name}: quant_method {config.method!r} is not supported; "
                              f"{nearest(config.method, READERS)}")  # fmt: skip
    readers = READERS[config.method](Archive(location), config)
    if not readers:
        raise CheckpointError(f"{location.name} holds no tensors of quant_method {config.method!r}")
    return readers


def _read(location: Path, reader: Reader) -> QTensor:
    try:
        return reader()
    except CheckpointError:
        raise
    except FormatError as error:
        raise CheckpointError(f"{location.name}: {error}") from None
