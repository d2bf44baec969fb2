"""Dataclasses of the model to JSON values and back, by their type hints alone.

`Instant` becomes its ``tai_us``, an enumeration its value, a tuple a list, a member of the `Region` union an object with a
``kind``. Fields that hold bytes are left out (raw messages and maps have tables of their own) and come back as their default. A
number that is not finite becomes text (``"NaN"``) in a field and null inside a mapping, where nothing says that it should be a
number.
"""

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from collections.abc import Mapping as AbstractMapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from hub.model.instant import Instant
from hub.model.sky import Region

T = TypeVar("T")

_TAGS: dict[type, str] = {region: region.__name__.lower() for region in get_args(Region)}
_AS_THEY_ARE = frozenset((str, int, bool, type(None)))
_BY_TAG = {tag: region for region, tag in _TAGS.items()}


def dump(value: Any) -> Any:  # noqa: C901, PLR0912 - one line for each kind of value
    """Return the JSON value of a dataclass, an `Instant`, an enumeration, or a container of such.

    Raises
    ------
    TypeError
        There is no JSON for it (bytes inside a mapping, arrays).
    """
    kind: Any = type(value)
    # What most values are is asked first, by their exact type: the patterns below take several times as long.
    if kind in _AS_THEY_ARE or (kind is float and math.isfinite(value)):
        return value
    if kind is tuple or kind is list:
        return [dump(item) for item in value]
    if kind is dict:
        return _dump_mapping(value)
    if kind is Instant:
        return value.tai_us
    if _is_dataclass(kind):
        return _dump_dataclass(value)
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else _spell(value)
        case Instant():
            return value.tai_us
        case Mapping():
            return _dump_mapping(value)
        case list() | tuple():
            return [dump(item) for item in value]
        case set() | frozenset():
            return sorted(dump(item) for item in value)
        case np.generic():
            return dump(value.item())
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")


def _dump_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    dumped: dict[str, Any] = {}
    for key, item in value.items():
        if type(item) is float:
            dumped[str(key)] = item if math.isfinite(item) else None
        else:
            dumped[str(key)] = None if _is_not_finite(item) else dump(item)
    return dumped


def load(kind: type[T], data: Any) -> T:
    """Return the dataclass that `dump` made the data of."""
    hint: Any = kind
    loaded: T = _loader(hint)(data)
    return loaded


def _dump_dataclass(value: Any) -> dict[str, Any]:
    tag = _TAGS.get(type(value))
    dumped: dict[str, Any] = {} if tag is None else {"kind": tag}
    kind: Any = type(value)
    for name in _json_fields(kind):
        dumped[name] = dump(getattr(value, name))
    return dumped


@cache
def _is_dataclass(kind: Any) -> bool:
    return not issubclass(kind, Enum) and dataclasses.is_dataclass(kind)


@cache
def _json_fields(kind: type) -> tuple[str, ...]:
    hints = get_type_hints(kind)
    return tuple(f.name for f in dataclasses.fields(kind) if not _is_bytes(hints[f.name]))


def _is_bytes(hint: Any) -> bool:
    return hint is bytes or bytes in get_args(hint)


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _spell(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


@cache
def _loader(hint: Any) -> Callable[[Any], Any]:
    """Return the function that turns JSON values into values of a type hint."""
    if hint == Region:
        return lambda data: _loader(_BY_TAG[data["kind"]])({k: v for k, v in data.items() if k != "kind"})
    if hint is Instant:
        return Instant
    if hint is float:
        return float
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass_loader(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        rest = tuple(arg for arg in args if arg is not type(None))
        one = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - built at run time
        load_one = _loader(one) if one != hint else _same
        return lambda data: None if data is None else load_one(data)
    if origin is tuple:
        if args[-1] is Ellipsis:
            load_item = _loader(args[0])
            return lambda data: tuple(load_item(item) for item in data)
        loaders = [_loader(arg) for arg in args]
        return lambda data: tuple(load_part(item) for load_part, item in zip(loaders, data, strict=True))
    if origin in (AbstractMapping, dict):
        load_value = _loader(args[1])
        return lambda data: {key: load_value(item) for key, item in data.items()}
    return _same


def _dataclass_loader(kind: type) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    loaders: dict[str, Callable[[Any], Any]] = {}

    def load_dataclass(data: Mapping[str, Any]) -> Any:
        if not loaders:  # filled at first use: a type may contain itself
            loaders.update({name: _loader(hints[name]) for name in _json_fields(kind)})
        return kind(**{name: loaders[name](item) for name, item in data.items() if name in loaders})

    return load_dataclass


def _same(data: Any) -> Any:
    return data
