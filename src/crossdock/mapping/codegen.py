"""
Writing one plain Python function per mapping.

A tree of closures costs five times what straight code does, so mappings and subscriptions are written out as
Python source and compiled once. No text a user wrote ever enters that source: every name, string and number
is a constant bound in the function's namespace under a generated name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from crossdock.errors import MappingError
from crossdock.mapping.values import MISSING

Keys = tuple[str | int, ...]
"""The names and indexes of a path."""

_MAX_DEPTH: Final = 80
"""Python itself stops at a hundred levels of indentation."""

_TYPES: Final = {kind.__name__: kind for kind in (str, int, float, bool, dict, list)}


class Block:
    """Lines at one indentation, and blocks among them."""

    def __init__(self, indent: int) -> None:
        self.indent = indent
        self.parts: list[str | Block] = []

    def render(self, depth: int = 0) -> Iterator[str]:
        """Give the lines with their indentation."""
        depth += self.indent
        for part in self.parts:
            if isinstance(part, Block):
                yield from part.render(depth)
            else:
                yield " " * depth + part


class Writer:
    """The source of one function while it is being written."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"M": MISSING, "E": {}, "__builtins__": {"len": len}, **_TYPES}
        self._constants: dict[tuple[type, Any], str] = {}
        self._count = 0
        self._depth = 0
        self.top = Block(1)
        self.block = self.top

    def name(self) -> str:
        """Make a name no other value has."""
        self._count += 1
        return f"v{self._count}"

    def bind(self, value: Any) -> str:
        """Bind *value* under a new constant name."""
        name = f"k{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def constant(self, value: Any) -> str:
        """Bind a scalar; the same one is bound once."""
        key = (type(value), repr(value))
        if key not in self._constants:
            self._constants[key] = self.bind(value)
        return self._constants[key]

    def line(self, text: str) -> None:
        """Write one line."""
        self.block.parts.append(text)

    def assign(self, expression: str) -> str:
        """Write an assignment to a new name and give the name."""
        name = self.name()
        self.line(f"{name} = {expression}")
        return name

    def slot(self) -> Block:
        """Open a place at this point into which lines can be written later."""
        block = Block(0)
        self.block.parts.append(block)
        return block

    @contextmanager
    def within(self, block: Block) -> Iterator[None]:
        """Write into *block* for a while."""
        outer, self.block = self.block, block
        try:
            yield
        finally:
            self.block = outer

    @contextmanager
    def indented(self, header: str) -> Iterator[None]:
        """Write a compound statement's header, then its body."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise MappingError("this is nested too deeply")
        self.line(header)
        body = Block(1)
        self.block.parts.append(body)
        try:
            with self.within(body):
                yield
        finally:
            self._depth -= 1
            if not any(True for _ in body.render()):
                body.parts.append("pass")

    def function(self, parameters: str, what: str) -> Callable[..., Any]:
        """Compile what was written into a function with these *parameters*."""
        source = f"def made({parameters}):\n" + "\n".join(self.top.render()) + "\n"
        # The source holds generated names only; see the module's docstring and test_codegen.
        exec(compile(source, f"<{what}>", "exec"), self.namespace)  # noqa: S102
        made: Callable[..., Any] = self.namespace["made"]
        made.__doc__ = source
        return made


class Root:
    """A variable paths start from; the dicts and lists under it are fetched once, right after it is set."""

    def __init__(
        self, writer: Writer, variable: str, *, is_dict: bool = False, reads: set[Keys] | None = None
    ) -> None:
        self._variable = variable
        self._reads = set() if reads is None else reads
        self._writer = writer
        self._slot = writer.slot()
        self._containers: dict[tuple[Keys, type], str] = {}
        if is_dict:
            self._containers[(), dict] = variable

    @property
    def variable(self) -> str:
        """The variable itself, for who may read all of it."""
        return self.start(())

    def start(self, keys: Keys) -> str:
        """Give the variable, for who goes on to read what stands at *keys*."""
        self._reads.add(keys)
        return self._variable

    def get(self, keys: Keys, absent: str) -> str:
        """Give an expression for the value at *keys*, *absent* where there is none."""
        self._reads.add(keys)
        return self._get(keys, absent)

    def _get(self, keys: Keys, absent: str) -> str:
        if not keys:
            return self._variable
        *parents, last = keys
        if isinstance(last, str):
            return f"{self._container(tuple(parents), dict)}.get({self._writer.constant(last)}, {absent})"
        items = self._container(tuple(parents), list)
        enough = f"len({items}) > {last}" if last >= 0 else f"len({items}) >= {-last}"
        return f"{items}[{last}] if {enough} else {absent}"

    def _container(self, keys: Keys, kind: type) -> str:
        known = self._containers.get((keys, kind))
        if known:
            return known
        expression = self._get(keys, "None")
        writer = self._writer
        with writer.within(self._slot):
            name = writer.assign(expression)
            writer.line(
                f"if {name}.__class__ is not {kind.__name__}: {name} = {'E' if kind is dict else '()'}"
            )
        self._containers[keys, kind] = name
        return name
