"""What a directive is: one compile function, one line that says what it does, and examples that are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple, Protocol

from crossdock.errors import MappingError
from crossdock.mapping.compiler import At, Compiler, Scope, Value
from crossdock.mapping.values import MISSING


class Compile(Protocol):
    """Writes the code of a directive and says which name holds its value."""

    def __call__(self, compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
        """Write the code that computes the directive with this *operand*."""


class Example(NamedTuple):
    """A mapping, an event, and what the one makes of the other; MISSING when the key is dropped."""

    mapping: Any
    event: dict[str, Any]
    result: Any = MISSING


@dataclass(frozen=True)
class Directive:
    """An entry of the language."""

    name: str
    compile: Compile
    examples: tuple[Example, ...] = field(default=())
    segment: bool = False
    """Whether Segment has it too, so that it may be written with ``@``."""

    @property
    def doc(self) -> str:
        """The line that says what it does."""
        return (getattr(self.compile, "__doc__", None) or "").strip()


def kind_of(node: Any) -> str:
    """Name the JSON type of *node*, with its article, for a message."""
    if node is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(node), "an object")


def is_directive(node: Any) -> bool:
    """Tell whether *node* is written as a directive."""
    return isinstance(node, Mapping) and any(isinstance(key, str) and key[:1] in ("@", "$") for key in node)


def options(operand: Any, known: tuple[str, ...], required: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """
    Check the named parts of a directive's operand.

    Raises:
        MappingError: It is no object, a part is unknown, or a required one is not there.
    """
    if not isinstance(operand, Mapping) or is_directive(operand):
        raise MappingError(f"takes an object with {', '.join(known)}, but this is {kind_of(operand)}")
    for name in operand:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
            raise MappingError(f"{name} is not known here; {hint}")
    for name in required:
        if name not in operand:
            raise MappingError(f"needs {name}")
    return operand


def value_and_options(operand: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """Check an operand that is either the value itself or an object with ``value`` and further parts."""
    if isinstance(operand, Mapping) and not is_directive(operand):
        return options(operand, ("value", *known), ("value",))
    return {"value": operand}


def value_at(operand: Any, at: At) -> At:
    """Say where the value stands in such an operand."""
    return (*at, "value") if isinstance(operand, Mapping) and not is_directive(operand) else at


def choice(parts: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """
    Read a part that is one of a few words.

    Raises:
        MappingError: It is another.
    """
    given = parts.get(name, default)
    if given not in allowed or not isinstance(given, str):
        raise MappingError(f"{name} must be one of {', '.join(allowed)}, but this is {given!r}")
    return given


def flag(parts: Mapping[str, Any], name: str, default: bool) -> bool:
    """
    Read a part that is true or false.

    Raises:
        MappingError: It is something else.
    """
    given = parts.get(name, default)
    if not isinstance(given, bool):
        raise MappingError(f"{name} must be a boolean, but this is {kind_of(given)}; write true or false")
    return given


def texts(node: Any, name: str) -> tuple[str, ...]:
    """
    Read a part that is a text or a list of texts.

    Raises:
        MappingError: It is something else.
    """
    listed = [node] if isinstance(node, str) else node
    if not isinstance(listed, list | tuple) or not all(isinstance(one, str) for one in listed):
        raise MappingError(f"{name} must be a list of texts, but this is {kind_of(node)}")
    return tuple(listed)
