"""Frozen dataclasses to and from plain data, with errors that name the key.

One dataclass field is one key. A field whose type is another dataclass is a nested
mapping; a field whose class has a ``from_plain`` method builds itself (datapaths choose
their class by ``name``).
"""

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Callable
from typing import Any

from hwsim.errors import DesignError, nearest


def to_plain(value: Any) -> Any:
    """Dicts, lists and scalars that hold ``value`` (a dataclass or plain data) completely."""
    if hasattr(value, "to_plain"):
        return value.to_plain()
    if dataclasses.is_dataclass(value):
        return fields_to_plain(value)
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def fields_to_plain(value: Any) -> dict[str, Any]:
    """The fields of one dataclass instance, in order, as plain data."""
    return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}


_hints: Callable[[Any], dict[str, Any]] = functools.cache(typing.get_type_hints)


def from_plain(cls: type, data: Any, where: str = "") -> Any:
    """An instance of dataclass ``cls`` from plain ``data``.

    Raises DesignError naming the key (prefixed by ``where``) for unknown keys, with the
    nearest accepted one, and for values of the wrong type.
    """
    if hasattr(cls, "from_plain"):
        return cls.from_plain(data, where)
    return fields_from_plain(cls, data, where)


def fields_from_plain(cls: type, data: Any, where: str = "") -> Any:
    """Like `from_plain`, ignoring a ``from_plain`` method of ``cls`` itself."""
    if not isinstance(data, dict):
        raise DesignError(f"{where or cls.__name__}: expected a mapping, got {data!r}")
    known = [f.name for f in dataclasses.fields(cls)]
    for key in data:
        if key not in known:
            raise DesignError(f"unknown key {_join(where, key)!r}; {nearest(str(key), known)}")
    hints = _hints(cls)
    values = {key: _convert(hints[key], item, _join(where, key)) for key, item in data.items()}
    try:
        return cls(**values)
    except TypeError as error:  # a field without default is missing
        raise DesignError(f"{where or cls.__name__}: {error}") from None


def field_from_plain(cls: type, name: str, data: Any) -> Any:
    """What `fields_from_plain` makes of ``data`` for the field ``name``."""
    return _convert(_hints(cls)[name], data, name)


def _join(where: str, key: Any) -> str:
    return f"{where}.{key}" if where else str(key)


def _convert(hint: Any, item: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        options = typing.get_args(hint)
        if item is None and type(None) in options:
            return None
        return _convert(next(o for o in options if o is not type(None)), item, where)
    if origin is typing.Literal:
        accepted = typing.get_args(hint)
        if item not in accepted:
            raise DesignError(f"{where}: {item!r} is not one of {', '.join(map(repr, accepted))}")
        return item
    if origin is tuple:
        if not isinstance(item, (list, tuple)):
            raise DesignError(f"{where}: expected a list, got {item!r}")
        inner = typing.get_args(hint)[0]
        return tuple(_convert(inner, each, f"{where}[{i}]") for i, each in enumerate(item))
    if dataclasses.is_dataclass(hint) or hasattr(hint, "from_plain"):
        return item if isinstance(item, hint) else from_plain(hint, item, where)
    return check_scalar(hint, item, where)


def check_scalar(hint: type, item: Any, where: str) -> Any:
    """``item`` as ``hint`` (int, float, str or bool) or a DesignError naming ``where``."""
    if hint is float and isinstance(item, int) and not isinstance(item, bool):
        return float(item)
    if type(item) is not hint:
        raise DesignError(f"{where}: expected {hint.__name__}, got {item!r}")
    return item


def check_types(value: Any) -> None:
    """Checks scalar, Literal and nested fields of a dataclass; for ``__post_init__``.

    Whole numbers given for float fields become floats, so that equal designs hash alike.
    """
    hints = _hints(type(value))
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        checked = _convert(hints[field.name], item, f"{type(value).__name__}.{field.name}")
        if checked is not item:
            object.__setattr__(value, field.name, checked)


def check_range(value: Any, low: float, high: float, *names: str) -> None:
    """Raises DesignError unless each named attribute of ``value`` is in [low, high]."""
    for name in names:
        item = getattr(value, name)
        if not low <= item <= high:
            raise DesignError(f"{type(value).__name__}.{name} = {item!r}: accepted are {low} to {high}")


def canonical_json(data: Any) -> str:
    """JSON with sorted keys and no spaces: the same text for the same content."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(data: Any) -> str:
    """16 hex digits of the SHA-256 of ``data``'s canonical JSON."""
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()[:16]
