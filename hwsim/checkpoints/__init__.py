"""Quantized checkpoints that people already have, as QTensors; needs neither PyTorch nor a network.

`load` reads safetensors files beside their JSON configuration: GPTQ, AWQ, BitNet b1.58 and
compressed-tensors. Reading never executes anything: the quantization method chooses a reader from a
fixed table, and patterns in a configuration are not evaluated.
"""

from collections.abc import Callable
from pathlib import Path

from hwsim.checkpoints import awq, bitnet, compressed, gptq
from hwsim.checkpoints._archive import Archive
from hwsim.checkpoints._config import Config
from hwsim.errors import CheckpointError, FormatError, nearest
from hwsim.qtensor import QTensor

__all__ = ["load"]

READERS: dict[str, Callable[[Archive, Config], dict[str, QTensor]]] = {
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
    config = Config.read(location if location.is_dir() else location.parent)
    if config.method not in READERS:
        raise CheckpointError(f"{config.name}: quant_method {config.method!r} is not supported; "
                              f"{nearest(config.method, READERS)}")  # fmt: skip
    archive = Archive(location)
    try:
        tensors = READERS[config.method](archive, config)
    except CheckpointError:
        raise
    except FormatError as error:
        raise CheckpointError(f"{location.name}: {error}") from None
    if not tensors:
        raise CheckpointError(f"{location.name} holds no tensors of quant_method {config.method!r}")
    return tensors
