"""What each directive takes, for the reference and for editors; a test holds it against the directives."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Takes = Literal["value", "list", "text", "pair", "parts", "value or parts"]


class Part(NamedTuple):
    """A named part of an operand."""

    doc: str
    required: bool = False
    choices: tuple[str, ...] = ()
    kind: Literal["value", "text", "boolean", "list", "table", "plain"] = "value"


class Operand(NamedTuple):
    """What a directive takes: a value, a list, a text, or named parts."""

    takes: Takes
    parts: Mapping[str, Part] = MappingProxyType({})


_VALUE: Final = Part("What it is done to.", required=True)
_KEYS: Final = Part("Names of keys.", required=True, kind="plain")
_COERCED: Final = Operand(
    "value or parts",
    {
        "value": _VALUE,
        "on_error": Part(
            "What stands for a value that does not fit: drop, null, error or {default: …}.", kind="plain"
        ),
        "min": Part("The least; of a text, its length.", kind="plain"),
        "max": Part("The most; of a text, its length.", kind="plain"),
    },
)

OPERANDS: Final[dict[str, Operand]] = {
    "path": Operand("text"),
    "if": Operand(
        "parts",
        {
            "exists": Part("Holds when the value is there and not null."),
            "blank": Part("Holds when the value is there, not null and not a blank text."),
            "when": Part("Holds when this FQL condition does; with $if only.", kind="text"),
            "then": Part("The value where it holds."),
            "else": Part("The value where it does not."),
        },
    ),
    "case": Operand(
        "parts", {"operator": Part("Which case.", required=True, choices=("lower", "upper")), "value": _VALUE}
    ),
    "arrayPath": Operand("pair"),
    "flatten": Operand(
        "parts",
        {
            "separator": Part("What joins the names.", required=True, kind="text"),
            "value": _VALUE,
            "omitArrays": Part("Keep lists whole.", kind="boolean"),
        },
    ),
    "merge": Operand(
        "parts",
        {
            "objects": Part("The objects.", required=True, kind="list"),
            "direction": Part("Which one wins.", required=True, choices=("left", "right")),
        },
    ),
    "transform": Operand(
        "parts",
        {
            "apply": Part("The object to build.", required=True),
            "mapping": Part("What is made of it.", required=True),
        },
    ),
    "json": Operand(
        "parts", {"mode": Part("Which way.", required=True, choices=("encode", "decode")), "value": _VALUE}
    ),
    "replace": Operand(
        "parts",
        {
            "value": _VALUE,
            "pattern": Part("The text to find, 1 to 10 characters.", required=True, kind="text"),
            "replacement": Part("What replaces it, at most 10 characters.", kind="text"),
            "pattern2": Part("A second text to find, in the result.", kind="text"),
            "replacement2": Part("What replaces that.", kind="text"),
            "global": Part("Every place, not the first one only; true by default.", kind="boolean"),
            "ignorecase": Part("Upper and lower case alike; false by default.", kind="boolean"),
        },
    ),
    "template": Operand("text"),
    "liquid": Operand("text"),
    "first": Operand("list"),
    "default": Operand("parts", {"value": _VALUE, "default": Part("What stands in.", required=True)}),
    "lookup": Operand(
        "parts",
        {
            "value": _VALUE,
            "table": Part("From text to value.", required=True, kind="table"),
            "default": Part("For what the table lacks."),
            "casefold": Part("Upper and lower case alike; true by default.", kind="boolean"),
        },
    ),
    "require": Operand("parts", {"value": _VALUE, "keys": _KEYS}),
    "number": _COERCED,
    "integer": _COERCED,
    "string": _COERCED,
    "boolean": Operand("value or parts", {name: _COERCED.parts[name] for name in ("value", "on_error")}),
    "join": Operand(
        "parts",
        {
            "values": Part("A list of values; or", kind="list"),
            "value": Part("one value that is a list."),
            "separator": Part("What stands between them.", required=True, kind="text"),
        },
    ),
    "split": Operand(
        "parts", {"value": _VALUE, "separator": Part("Where to cut.", required=True, kind="text")}
    ),
    "hash": Operand(
        "value or parts",
        {
            "value": _VALUE,
            "normalise": Part("Steps before: trim, lowercase, remove_spaces, digits.", kind="plain"),
        },
    ),
    "user_agent": Operand(
        "parts",
        {
            "value": _VALUE,
            "part": Part(
                "Which part.",
                required=True,
                choices=(
                    *("browser.family", "browser.version", "os.family", "os.version"),
                    *("device.family", "device.brand", "device.model"),
                ),
            ),
        },
    ),
    "date": Operand(
        "value or parts",
        {
            "value": _VALUE,
            "format": Part("A strftime pattern, epoch or epoch_ms; RFC 3339 by default.", kind="text"),
            "zone": Part("Such as Europe/Berlin; UTC by default.", kind="text"),
        },
    ),
    "each": Operand(
        "parts",
        {
            "over": Part("The list.", required=True),
            "value": Part("What is made of each item, by $item and $index.", required=True),
            "where": Part("An FQL condition on the item.", kind="text"),
            "require": Part("Keys without which an item is left out.", kind="plain"),
        },
    ),
    "list": Operand("list"),
    "sum": Operand(
        "parts",
        {
            "over": Part("The list.", required=True),
            "of": Part("The number of each item.", required=True),
            "times": Part("What it is multiplied by."),
        },
    ),
    "omit": Operand("parts", {"value": _VALUE, "keys": _KEYS}),
    "pick": Operand("parts", {"value": _VALUE, "keys": _KEYS}),
}
"""By the directive's name; those not named here take a value."""


def operand_of(directive: str) -> Operand:
    """Give what a directive takes."""
    return OPERANDS.get(directive, Operand("value"))
