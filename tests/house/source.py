"""The project's own source as these tests read it: files and syntax trees."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "crossdock"
TESTS = ROOT / "tests"


class Module(NamedTuple):
    """One Python file."""

    path: Path
    name: str
    """Its dotted name, such as ``crossdock.journal.base``."""
    tree: ast.Module

    def __str__(self) -> str:
        return self.name


def modules(folder: Path) -> list[Module]:
    """Parse every Python file under a folder, sorted by path."""
    return sorted(_modules(folder), key=lambda module: module.path)


def _modules(folder: Path) -> Iterator[Module]:
    base = folder.parent
    for path in folder.rglob("*.py"):
        if "node_modules" in path.parts:
            continue
        parts = path.relative_to(base).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        yield Module(path, name, ast.parse(path.read_text("utf-8"), str(path)))


def imported(module: Module) -> set[str]:
    """Give the names of the modules a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


class Field(NamedTuple):
    """A field of a model as its source has it."""

    annotation: str
    docstring: str


def fields(class_: type) -> dict[str, Field]:
    """Give the annotations and docstrings of a class's fields, base classes of ours included."""
    found: dict[str, Field] = {}
    for of in reversed(class_.__mro__):
        if not of.__module__.startswith("crossdock."):
            continue
        tree = ast.parse(Path(str(inspect.getsourcefile(of))).read_text("utf-8"))
        bodies = [n.body for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == of.__name__]
        found.update(_fields(bodies[0]))
    return found


def _fields(body: list[ast.stmt]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for field, below in pairwise([*body, ast.Pass()]):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        docstring = " ".join(ast.literal_eval(below.value).split()) if documented else ""  # type: ignore[attr-defined]
        found[field.target.id] = Field(ast.unparse(field.annotation), docstring)
    return found
