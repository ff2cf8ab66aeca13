"""The JSON beside a checkpoint that says how it was quantized."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from hwsim.errors import CheckpointError

NAMES = ("config.json", "quantize_config.json", "quant_config.json")


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"cannot read {path.name}: {error}") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path.name} holds no JSON object")
    return data


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A quantization configuration: its file, method and keys."""

    name: str
    method: str
    data: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The first configuration in ``folder``; CheckpointError if there is none."""
        for name in NAMES:
            if not (folder / name).is_file():
                continue
            data: Any = read_json(folder / name)
            if name == "config.json":
                data = data.get("quantization_config", data.get("compression_config"))
                if data is None:
                    continue
                if not isinstance(data, dict):
                    raise CheckpointError(f"{name}: quantization_config is no JSON object")
            legacy = {"quantize_config.json": "gptq", "quant_config.json": "awq"}.get(name)
            method = data.get("quant_method", legacy)
            return cls(name=name, method=str(method), data=data)
        raise CheckpointError(
            f"folder {str(folder)!r} has no quantization configuration: quantization_config in {NAMES[0]}, "
            f"{NAMES[1]} or {NAMES[2]}"
        )

    def whole(self, *keys: str, accepted: tuple[int, ...] | None = None) -> int:
        """The whole number under the first of ``keys`` that is there."""
        value = self.option(*keys)
        if type(value) is not int or (accepted is not None and value not in accepted):
            expected = "a whole number" if accepted is None else " or ".join(map(str, accepted))
            raise CheckpointError(f"{self.name}: {keys[0]} must be {expected}, not {value!r}")
        return value

    def option(self, *keys: str, default: Any = None) -> Any:
        """The value under the first of ``keys`` that is there."""
        return next((self.data[key] for key in keys if key in self.data), default)
