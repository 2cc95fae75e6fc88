"""Globs of the ``match`` function, matched in linear time whatever the pattern."""

from __future__ import annotations

import re
from collections.abc import Callable

from crossdock.errors import MappingError

_PART = re.compile(
    r"\\(?P<escaped>.)|(?P<star>\*)|(?P<one>\?)|\[(?P<set>[!^]?\]?[^\]]*)\]|(?P<plain>.)", re.DOTALL
)


def compile_glob(pattern: str) -> Callable[[str], bool]:
    r"""
    Compile a glob over the whole text: ``*``, ``?``, ``[abc]``, ``[a-z]`` and ``\x`` for x itself.

    Between the stars stand pieces of fixed length, so the leftmost match of each is right and nothing
    is ever tried twice: no pattern can take more than linear time.

    Raises:
        MappingError: A set such as ``[z-a]`` is wrong.
    """
    pieces = [""]
    for part in _PART.finditer(pattern):
        if part["star"]:
            pieces.append("")
        else:
            pieces[-1] += _regex(part)
    try:
        compiled = [re.compile(piece, re.DOTALL) for piece in pieces]
    except re.error as error:
        hint = "write the lower end of a range first, and \\[ for a bracket itself"
        raise MappingError(f"the pattern {pattern!r} is wrong: {error.msg}; {hint}") from None
    if len(compiled) == 1:
        return lambda text: compiled[0].fullmatch(text) is not None
    first, *middle, last = compiled
    tail = re.compile(f"(?:{last.pattern})\\Z", re.DOTALL)
    tail_length = _length(last.pattern)

    def matches(text: str) -> bool:
        found = first.match(text)
        for piece in middle:
            found = piece.search(text, found.end()) if found else None
        return found is not None and (
            len(text) - tail_length >= found.end() and tail.match(text, len(text) - tail_length) is not None
        )

    return matches


def _regex(part: re.Match[str]) -> str:
    if part["one"]:
        return "."
    if part["set"] is None:
        return re.escape(part["escaped"] or part["plain"])
    negated = part["set"][:1] in ("!", "^")
    members = part["set"][1:] if negated else part["set"]
    if not members:
        return re.escape(part[0])
    safe = re.sub(r"([\[\]\\&~|^])", r"\\\1", members)
    return f"[{'^' if negated else ''}{safe}]"


def _length(regex: str) -> int:
    """Count the characters a piece matches: each of its parts matches exactly one."""
    return len(re.findall(r"\\.|\[(?:\\.|[^\]\\])*\]|.", regex, re.DOTALL))
