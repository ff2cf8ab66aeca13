"""Files: never half written, and YAML read with errors that name it."""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from hwsim.errors import DesignError


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a temporary file in the same folder and renames it: never a half-written file.

    A path that is no regular file (a pipe, a device) is written to, not replaced.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, reading 1e9 as a number as YAML 1.2 does."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def parse_yaml(text: str) -> Any:
    """Plain data of YAML ``text``; yaml.YAMLError if it is not valid."""
    return yaml.load(text, Loader=_Loader)


def read_yaml(path: Path, what: str) -> Any:
    """Plain data of a YAML file; DesignError saying that ``what`` cannot be read, and why."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DesignError(f"cannot read {what} {str(path)!r}: {error}") from None
    except yaml.YAMLError as error:
        raise DesignError(f"{path.name} is not valid YAML: {' '.join(str(error).split())}") from None
