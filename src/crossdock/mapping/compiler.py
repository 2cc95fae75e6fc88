"""
Compiles a mapping into one plain Python function.

A mapping is literal values, paths (strings that start with ``$.``, ``$item`` or ``$index``) and directives: a
mapping with one key that starts with ``$``, or with ``@`` for one written in Segment's own language. What is
undefined is left out of the result at every depth; null stays; an undefined item of a list becomes null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from crossdock.errors import ConfigErrors, Location, MappingError, MappingFailed
from crossdock.mapping.codegen import Keys, Root, Writer
from crossdock.mapping.paths import parse_path
from crossdock.mapping.values import MISSING

At = tuple[str | int, ...]
Locate = Callable[[At, bool], Location | None]

_MAX_NESTING: Final = 32
_MAX_ITEMS: Final = 20_000
_ROOT_DIRECTIVE: Final = "__segment_internal_directive"


class MappingErrors(ConfigErrors, MappingError):
    """Everything wrong with one mapping, found in one pass."""


class Value(NamedTuple):
    """A value in the code being written: the name that holds it, and whether it can be MISSING."""

    name: str
    missing: bool = True


@dataclass(frozen=True)
class Scope:
    """What the names in a mapping mean at one place of it."""

    root: Root
    """What ``$.`` and ``@path`` start from."""
    item: Root | None = None
    index: str | None = None
    segment: bool = False
    """Within an ``@`` directive: strings are literal, and only what Segment validates fails at load."""
    validated: bool = True
    """Whether Segment looks here before it runs; it does not within raw lists."""
    raw: bool = False
    """Keep MISSING in objects and lists, for the directive around them to see."""
    loops: int = 0
    nesting: int = 0


@dataclass
class Compiler:
    """Writes the function of one mapping and gathers everything wrong with it."""

    locate: Locate
    writer: Writer = field(default_factory=Writer)
    errors: list[MappingError] = field(default_factory=list)
    _budget: str | None = None

    def value(  # noqa: PLR0911  (one per JSON type)
        self, node: Any, scope: Scope, at: At, absent: str = "M"
    ) -> Value:
        """
        Write the code that computes *node*.

        *absent* names what a path without a value gives: ``M``, or ``None`` where both mean the same.
        """
        scope = replace(scope, nesting=scope.nesting + 1)
        if scope.nesting > _MAX_NESTING:
            return self.problem(f"this mapping is nested more than {_MAX_NESTING} deep", at)
        if isinstance(node, str):
            return self.text(node, scope, at, absent)
        if isinstance(node, Mapping):
            return self.mapping(node, scope, at)
        if isinstance(node, list | tuple):
            return self.array(node, scope, at)
        if node is None or isinstance(node, bool | int | float):
            return Value("None" if node is None else self.writer.constant(node), missing=False)
        if node is MISSING:
            return Value("M")
        return self.problem(f"{type(node).__name__} is not a JSON value", at)

    def text(self, text: str, scope: Scope, at: At, absent: str) -> Value:
        """Write a string: a path, or itself."""
        if scope.segment or not is_path(text):
            return Value(self.writer.constant(text), missing=False)
        return self.path(text, scope, at, absent)

    def path(self, text: str, scope: Scope, at: At, absent: str = "M") -> Value:
        """Write the look-up of a JSONPath, or of a path under ``$item``."""
        root = scope.root
        if not text.startswith("$."):
            if scope.item is None or scope.index is None:
                return self.problem(
                    f"{text} is known only within for_each and $each; for the text itself write "
                    f"{{$literal: {text}}}",
                    at,
                )
            if text == "$index":
                return Value(scope.index, missing=False)
            root = scope.item
            text = "$" + text.removeprefix("$item")
        try:
            parsed = parse_path(text)
        except MappingError as error:
            return self.problem(error.message, at)
        if parsed.find is not None:
            return Value(self.writer.assign(f"{self.writer.bind(parsed.find)}({root.variable})"))
        keys = parsed.keys or ()
        return Value(self.writer.assign(root.get(keys, absent)), missing=bool(keys) and absent == "M")

    def mapping(self, node: Mapping[str, Any], scope: Scope, at: At) -> Value:
        """Write an object or a directive."""
        marked = [key for key in node if isinstance(key, str) and key[:1] in ("@", "$")]
        if not marked:
            return self.object(node, scope, at)
        key = marked[0]
        others = [other for other in node if other != key and not (key[0] == "@" and other == "_metadata")]
        if others:
            return self.invalid(
                f"{key} must be the only key here; move {', '.join(map(str, others[:3]))} out of it",
                scope,
                (*at, key),
            )
        return self.directive(key, node[key], scope, at)

    def directive(self, key: str, operand: Any, scope: Scope, at: At) -> Value:
        """Write one directive by its compile function."""
        from crossdock.mapping.directives import DIRECTIVES  # noqa: PLC0415  (the table needs this module)

        found = DIRECTIVES.get(key[1:])
        if found is None or (key[0] == "@" and not found.segment):
            return self.invalid(_unknown(key, DIRECTIVES), scope, (*at, key))
        scope = replace(scope, segment=key[0] == "@")
        try:
            return found.compile(self, operand, scope, (*at, key))
        except MappingError as error:
            return self.problem(error.message, (*at, key), name=key)

    def object(self, node: Mapping[str, Any], scope: Scope, at: At) -> Value:
        """Write an object; a key whose value is missing is left out."""
        writer = self.writer
        result = writer.assign("{}")
        for key, member in node.items():
            if not isinstance(key, str):
                self.problem(f"the key {key!r} must be text; put it in quotes", (*at, key))
                continue
            value = self.value(member, scope, (*at, key))
            store = f"{result}[{writer.constant(key)}] = {value.name}"
            writer.line(f"if {value.name} is not M: {store}" if value.missing and not scope.raw else store)
        return Value(result, missing=False)

    def array(self, node: list[Any] | tuple[Any, ...], scope: Scope, at: At) -> Value:
        """Write a list; a missing item becomes null, as in Segment."""
        inner = replace(scope, validated=False)
        items = []
        for index, member in enumerate(node):
            value = self.value(member, inner, (*at, index))
            hide = value.missing and not scope.raw
            items.append(f"(None if {value.name} is M else {value.name})" if hide else value.name)
        return Value(self.writer.assign(f"[{', '.join(items)}]"), missing=False)

    def call(self, function: Callable[..., Any], *arguments: str, missing: bool = True) -> Value:
        """Write a call of *function*, bound as a constant."""
        return Value(
            self.writer.assign(f"{self.writer.bind(function)}({', '.join(arguments)})"), missing=missing
        )

    def spend(self, items: str) -> None:
        """
        Write a check on the number of items visited within loops.

        Only lists within lists can multiply; one loop alone is bounded by the event's size.
        """
        if self._budget is None:
            self._budget = "budget"
            self.writer.top.parts.insert(0, f"budget = [{_MAX_ITEMS}]")
        self.writer.line(f"{self.writer.bind(_count_down)}(budget, len({items}))")

    def problem(self, message: str, at: At, *, key: bool = False, name: str = "") -> Value:
        """Note what is wrong at *at*, in the directive *name*; compilation goes on to find the rest."""
        where = ".".join(str(part) for part in at)
        location = self.locate(at, key)
        what = name if location else where
        text = f"{what}: {message}" if what else message
        self.errors.append(MappingError(text, location, where or None))
        return Value("M")

    def invalid(self, message: str, scope: Scope, at: At) -> Value:
        """Refuse what Segment's own validation refuses: at load, or where it does not look, at run time."""
        if scope.segment and not scope.validated:
            return self.fails(message, at)
        return self.problem(message, at, key=True)

    def faulty(self, message: str, scope: Scope, at: At) -> Value:
        """Refuse what Segment's engine finds only when it runs; our own language refuses it at load."""
        return self.fails(message, at) if scope.segment else self.problem(message, at)

    def fails(self, message: str, at: At) -> Value:
        """Write a failure that happens when an event reaches this place."""
        where = ".".join(str(part) for part in at)
        return self.call(_failure(f"{where}: {message}" if where else message))

    def finish(self, value: Value, parameters: str, what: str) -> Callable[..., Any]:
        """
        Compile the function, or raise everything found wrong.

        Raises:
            MappingError: One thing is wrong; `MappingErrors` when several are.
        """
        if self.errors:
            raise self.errors[0] if len(self.errors) == 1 else MappingErrors(list(self.errors))
        self.writer.line(f"return {value.name}")
        return self.writer.function(parameters, what)


def emptiness(value: Value) -> str:
    """Give the condition under which a value counts as empty: missing, null or a blank text."""
    name = value.name
    nothing = f"{name} is M or {name} is None" if value.missing else f"{name} is None"
    # What sorts below "!" is empty or begins with a blank; the two calls are for those only.
    return f'{nothing} or {name}.__class__ is str and {name} < "!" and (not {name} or {name}.isspace())'


def is_path(text: str) -> bool:
    """Tell whether a string of a mapping is a path rather than itself."""
    return text.startswith(("$.", "$item.", "$item[")) or text in ("$item", "$index")


def _unknown(key: str, known: Mapping[str, Any]) -> str:
    names = [f"{key[0]}{name}" for name, found in known.items() if key[0] == "$" or found.segment]
    near = get_close_matches(key, names, 1, 0.5) or get_close_matches(key.lower(), names, 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else "; for a plain key write {$literal: …}"
    return f"{key} is not a directive{hint}"


def _failure(message: str) -> Callable[[], Any]:
    def fail() -> Any:
        raise MappingFailed(message)

    return fail


def _count_down(budget: list[int], count: int) -> None:
    budget[0] -= count
    if budget[0] < 0:
        raise MappingFailed(f"lists within lists would visit more than {_MAX_ITEMS} items")


def nowhere(_at: At, _key: bool) -> Location | None:
    """Locate nothing: the mapping did not come from a file."""
    return None


def compile_value(
    mapping: Any,
    locate: Locate = nowhere,
    *,
    items: bool = False,
    wrap: Callable[[Compiler, Value], Value] | None = None,
    reads: set[Keys] | None = None,
) -> Callable[..., Any]:
    """
    Compile *mapping* to a function of the event, which gives MISSING for a mapping that yields nothing.

    With *items* the function takes (event, item, index) and the mapping may use ``$item`` and ``$index``.
    *wrap* may write more code around the mapping's value. *reads* gathers where in the event it looks; () is
    the whole of it.

    Raises:
        MappingError: The mapping is wrong; all of it is reported at once.
    """
    compiler = Compiler(locate)
    writer = compiler.writer
    writer.line("if event.__class__ is not dict: event = dict(event)")
    scope = Scope(Root(writer, "event", is_dict=True, reads=reads))
    if items:
        scope = replace(scope, item=Root(writer, "item"), index="index", loops=1)
    try:
        value = compiler.value(_with_root_directive(mapping), scope, ())
        value = wrap(compiler, value) if wrap else value
    except MappingError as error:
        compiler.errors.append(error)
        value = Value("M")
    return compiler.finish(value, "event, item, index" if items else "event", "mapping")


def compile_mapping(mapping: Any) -> Callable[[Mapping[str, Any]], Any]:
    """
    Compile *mapping* (JSON or YAML data) into a pure function: event → payload.

    A mapping that yields nothing gives None. The function raises `MappingFailed` where an event cannot be
    mapped, and nothing else.

    Raises:
        MappingError: The mapping is wrong; `MappingErrors` holds them all when there are several.
    """
    made = compile_value(mapping)

    def mapped(event: Mapping[str, Any]) -> Any:
        try:
            result = made(event)
        except (RecursionError, OverflowError) as error:
            raise MappingFailed(f"the event holds a value too deep or too large: {error}") from None
        return None if result is MISSING else result

    mapped.__doc__ = made.__doc__
    return mapped


def _with_root_directive(mapping: Any) -> Any:
    """Put the other fields into Segment's directive for a whole payload, as its engine does."""
    if not isinstance(mapping, Mapping) or _ROOT_DIRECTIVE not in mapping:
        return mapping
    directive = mapping[_ROOT_DIRECTIVE]
    if not isinstance(directive, Mapping) or len(directive) != 1:
        raise MappingError(f"{_ROOT_DIRECTIVE} must hold exactly one directive")
    ((name, operand),) = directive.items()
    if not isinstance(operand, Mapping):
        raise MappingError(f"{name} in {_ROOT_DIRECTIVE} must be an object")
    rest = {key: member for key, member in mapping.items() if key != _ROOT_DIRECTIVE}
    return {name: {**operand, "mapping": rest}}
