"""Values in Liquid as Segment's engine has them: JavaScript's arithmetic, and its way to print."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from crossdock.mapping.coercion import to_number
from crossdock.mapping.values import MISSING, json_text, number_text

_EXACT: Final = 2**53
"""Beyond it JavaScript's whole numbers are rounded."""


class _Number(float):
    """A number that prints as JavaScript prints it."""

    def __str__(self) -> str:
        return number_text(self)


class _Object(dict[str, Any]):
    """An object that prints as JavaScript prints it."""

    def __str__(self) -> str:
        return "[object Object]"


def seen(value: Any) -> Any:
    """Give a value of the event as templates see it."""
    if value.__class__ is dict:
        return _Object({key: seen(member) for key, member in value.items() if member is not MISSING})
    if value.__class__ is list:
        return [seen(member) for member in value]
    return _number(value) if value.__class__ in (int, float) else value


def _number(number: float) -> float:
    if isinstance(number, int) and abs(number) <= _EXACT:
        return number
    try:
        number = float(number)
    except OverflowError:
        number = math.inf if number > 0 else -math.inf
    return (
        int(number)
        if math.isfinite(number) and number == int(number) and abs(number) <= _EXACT
        else _Number(number)
    )


def _operand(value: Any) -> float:
    """Read a number as Segment's engine does: what is none counts as 0."""
    if value is True:
        return 1
    number = value if isinstance(value, float) and not math.isfinite(value) else to_number(_plain(value))
    return 0 if number is None else number


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value)
    return str(value) if isinstance(value, str) else value


def _divided(number: float, by: float, whole: Any = 0) -> float:
    if not by:
        return math.nan if not number else math.copysign(math.inf, number)
    return math.floor(number / by) if whole else number / by


def _rounded(number: float, digits: float = 0) -> float:
    scale = 10.0 ** max(-300, min(300, int(digits)))
    # JavaScript rounds a half up, Python to the even neighbour.
    return math.floor(number * scale + 0.5) / scale if math.isfinite(number * scale) else number


def _modulo(number: float, by: float) -> float:
    return math.fmod(number, by) if by and math.isfinite(number) else math.nan


_ARITHMETIC: Final[dict[str, Callable[..., float]]] = {
    "abs": abs,
    "at_least": max,
    "at_most": min,
    "ceil": lambda number: math.ceil(number) if math.isfinite(number) else number,
    "divided_by": _divided,
    "floor": lambda number: math.floor(number) if math.isfinite(number) else number,
    "minus": lambda number, other: number - other,
    "modulo": _modulo,
    "plus": lambda number, other: number + other,
    "round": _rounded,
    "times": lambda number, other: number * other,
}


def _arithmetic(function: Callable[..., float]) -> Callable[..., Any]:
    def calculated(value: Any, *arguments: Any) -> Any:
        try:
            return _number(function(_operand(value), *map(_operand, arguments)))
        except OverflowError:
            return _Number(math.inf)

    return calculated


def _json(value: Any, *_indent: Any) -> str:
    return json_text(_as_json(value))


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(member) for member in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    **{name: _arithmetic(function) for name, function in _ARITHMETIC.items()},
    "json": _json,
}
"""The filters that differ from the library's."""
