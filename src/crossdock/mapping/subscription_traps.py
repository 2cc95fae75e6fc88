"""Where Segment's trigger engine decides differently from what an expression says."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from lark import Token, Tree

from crossdock.mapping.subscription_syntax import literal_value, offset_of, parse


class Warned(NamedTuple):
    """A place where Segment's trigger engine would decide differently; *column* counts from 1."""

    column: int
    message: str


_SINGLE_QUOTES: Final = "Segment never matches a text in single quotes; write double quotes"
_ESCAPES: Final = "Segment knows no escapes in a text; keep backslashes out of it"
_ROOTS: Final = frozenset({"type", "event", "name", "userId", "properties", "traits", "context"})


def warnings(text: str) -> list[Warned]:
    """
    List the places where Segment's trigger engine decides differently from what is written.

    Raises:
        MappingError: The expression is not FQL.
    """
    found: list[Warned] = []
    _warn(parse(text), found, level=0)
    if "\r" in text:
        found.append(
            Warned(text.index("\r") + 1, "Segment loses the rest of a condition after a CRLF line end")
        )
    cut = re.match(r"\s*(and|or)\b", text)
    if cut:
        found.append(Warned(cut.start(1) + 1, f"begins with {cut[1]}: was something in front of it cut off?"))
    outside = re.sub(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", lambda quoted: "_" * len(quoted[0]), text)
    found += [Warned(one.start() + 1, "write and in lower case") for one in re.finditer(r"\bAND\b", outside)]
    return sorted(set(found))


def _warn(node: Tree[Any], found: list[Warned], level: int) -> None:
    column = offset_of(node) + 1
    found.extend(Warned(column, trap) for trap in _traps(node, level))
    inner = level + (node.data == "group")
    for child in node.children:
        if isinstance(child, Tree):
            if child.data == "string" and str(child.children[0]).startswith("'"):
                found.append(Warned(offset_of(child) + 1, _SINGLE_QUOTES))
            if child.data == "string" and "\\" in str(child.children[0]):
                found.append(Warned(offset_of(child) + 1, _ESCAPES))
            if child.data == "bare":
                found.append(Warned(offset_of(child) + 1, f'put the text in quotes: "{child.children[0]}"'))
            _warn(child, found, inner)


def _traps(node: Tree[Any], level: int) -> list[str]:
    kind = str(node.data)
    traps: list[str] = []
    if kind == "any_of" and any(child.data == "all_of" for child in node.children):
        traps.append("Segment reads and/or on one level as the last of them alone; group with parentheses")
    if kind == "group" and level > 0:
        traps.append("Segment cannot read parentheses within parentheses; take one pair away")
    if kind == "negated" and node.children[0].data not in ("contains", "match"):
        traps.append("Segment ignores a ! before anything but contains and match; write != instead")
    if kind in ("among", "holds", "truth", "call"):
        traps.append(
            f"Segment's triggers know no {'in' if kind in ('among', 'holds') else 'function or bare path'}"
        )
    if kind == "compare":
        traps += _comparison_traps(*node.children)
    if kind == "match" and not _one_edge_star(node.children[1]):
        traps.append("Segment's match knows one star, first or last, and no ? or [ ]; use contains or =")
    if kind == "path" and str(node.children[0]).split(".", 1)[0] not in _ROOTS:
        traps.append(f"Segment's triggers skip a condition on {node.children[0]}")
    if kind in ("contains", "match") and _root(node.children[0]) == "type":
        traps.append(f"Segment's triggers skip {kind} on type")
    return traps


def _comparison_traps(left: Tree[Any], operator: Any, right: Tree[Any]) -> list[str]:
    if right.data in ("true", "false") and str(operator) == "!=":
        return ["Segment compares with the text here, which nearly always holds; write = with the other one"]
    if right.data == "null" and _root(left) in ("event", "type"):
        return ['Segment compares event and type with the text "null"']
    return []


def _one_edge_star(literal: Tree[Any]) -> bool:
    pattern = str(literal_value(literal))
    edges = pattern.startswith("*") + pattern.endswith("*")
    return pattern.count("*") == 1 and edges == 1 and not set(pattern) & set("?[\\")


def _root(node: Tree[Any] | Token) -> str:
    return str(node.children[0]) if isinstance(node, Tree) and node.data == "path" else ""
