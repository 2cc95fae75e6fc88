"""The grammar of FQL, and what is said about a text that does not follow it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from lark import Lark, Token, Tree
from lark.exceptions import LarkError, UnexpectedInput

from crossdock.errors import MappingError

MAX_LENGTH: Final = 5_120
MAX_NESTING: Final = 40

_GRAMMAR: Final = r"""
?start: (_AND | "or")? any_of
?any_of: all_of ("or" all_of)*
?all_of: denied (_AND denied)*
?denied: ("!" | "not") denied                        -> negated
       | "(" any_of ")"                              -> group
       | term OP literal                             -> compare
       | term "in" "[" literal ("," literal)* "]"    -> among
       | term "in" "(" literal ("," literal)* ")"    -> among
       | constant "in" path                          -> holds
       | "contains" "(" term "," literal ")"         -> contains
       | "match" "(" term "," literal ")"            -> match
       | term                                        -> truth
?term: path | FUNCTION "(" term ")"                  -> call
path: PATH
?literal: constant
        | PATH -> bare
?constant: STRING -> string
         | NUMBER -> number
         | "true" -> true
         | "false" -> false
         | "null" -> null

OP: "!=" | "<=" | ">=" | "=" | "<" | ">"
FUNCTION.2: /(length|(lower|upper|snake|kebab|title)case|typeof|bool|string|number)(?=\s*\()/
STRING: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s
NUMBER.1: /[+-]?\d{1,40}(?:\.\d{1,40})?(?![\w.])/
_AND: "and" | "AND"
PATH: /(?!(and|or|in|not|true|false|null)(?![\w$.\\-]))([^\W\d]|\\.|\$)([\w$-]|\\.)*(\.([\w$-]|\\.)+)*/s
%ignore /\s+/
"""


class SubscriptionError(MappingError):
    """An expression is wrong at *offset*, which counts characters from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"column {offset + 1}: {message}")
        self.offset = offset
        self.plain_message = message


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def parse(text: str) -> Tree[Any]:
    """
    Parse an expression into a tree with positions.

    Raises:
        SubscriptionError: It is not FQL; the message names the column and the fix.
    """
    if not isinstance(text, str):
        raise SubscriptionError('a subscription is a text such as: type = "track"', 0)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        raise SubscriptionError(f"a subscription may be {MAX_LENGTH} bytes long", MAX_LENGTH)
    if not text.strip():
        raise SubscriptionError('the subscription is empty; write for example: type = "track"', 0)
    return _parsed(text)


@lru_cache(maxsize=512)
def _parsed(text: str) -> Tree[Any]:
    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        offset = getattr(error, "pos_in_stream", None)
        if offset is None or offset < 0 or getattr(getattr(error, "token", None), "type", "") == "$END":
            offset = len(text)
        raise SubscriptionError(_reason(text, offset), offset) from None
    except (LarkError, RecursionError):
        raise SubscriptionError("this cannot be read", 0) from None


_HINTS: Final = (
    (re.compile(r"==|(?<==)="), "write = once: a comparison is one = sign"),
    (re.compile(r"&&?"), "write and instead of &&"),
    (re.compile(r"\|\|?"), "write or instead of ||"),
    (re.compile(r"And\b"), "write and in lower case"),
    (re.compile(r"OR\b|Or\b"), "write or in lower case"),
    (re.compile(r"NOT\b|IN\b"), "write it in lower case"),
    (re.compile(r"[\u201c\u201d\u2018\u2019\u201e\xab\xbb]"), "write straight quotes, \" or '"),
    (re.compile(r"\["), "an index is not possible in a condition"),
    (re.compile(r"and\b|or\b"), "a condition is missing here"),
    (re.compile(r"[+-]?\d+(?:\.\d+)?[eE]"), "write the number without an exponent"),
)


def _reason(text: str, offset: int) -> str:
    quote = _open_quote(text, offset)
    if quote is not None:
        opened = f"the quote {text[quote]} opened at column {quote + 1}"
        return f"{opened} is never closed (in YAML, a # after a space starts a comment)"
    if offset >= len(text.rstrip()):
        if text.count("(") > text.count(")"):
            return "a closing parenthesis is missing"
        return 'the expression ends too early; a condition reads: path = "value"'
    for pattern, hint in _HINTS:
        if pattern.match(text, offset):
            return hint
    found = re.compile(r"\w+|\S").match(text, offset)
    word = found[0] if found else text[offset]
    return f'{word} is not expected here; a condition reads: path = "value", joined by and, or'


def _open_quote(text: str, offset: int) -> int | None:
    """Give the place of a quote that opens a string and is never closed, at or before *offset*."""
    place, length = 0, len(text)
    while place < length:
        if text[place] in "\"'":
            closed = re.compile(r"(['\"])(?:\\.|(?!\1)[^\\])*\1", re.DOTALL).match(text, place)
            if closed is None:
                return place if place <= offset else None
            place = closed.end()
        else:
            place += 2 if text[place] == "\\" else 1
    return None


def keys_of(path: str) -> tuple[str, ...]:
    r"""Split a path at its dots and take the backslashes out: ``a.odd\ key`` is a, then 'odd key'."""
    keys = [""]
    for escaped, dot, plain in re.findall(r"\\(.)|(\.)|(.)", path, re.DOTALL):
        # To Segment an escaped dot still separates: a name with a dot in it cannot be reached.
        if dot or escaped == ".":
            keys.append("")
        else:
            keys[-1] += escaped or plain
    return tuple(keys)


def literal_value(node: Tree[Any]) -> Any:
    """Give the value of a literal: a text, a number, true, false or null."""
    if node.data in ("true", "false"):
        return node.data == "true"
    if node.data == "null":
        return None
    token = node.children[0]
    text = str(token)
    if node.data == "number":
        return float(text) if set(text) & set(".eE") else int(text)
    if node.data == "bare":
        return text
    quote = text[0]
    # A backslash stays for match, whose patterns use it; only the text's own quote is escaped here.
    return text[1:-1].replace(f"\\{quote}", quote)


def offset_of(node: Tree[Any] | Token) -> int:
    """Give the place of a node in the text, from 0."""
    if isinstance(node, Token):
        return node.start_pos or 0
    return getattr(node.meta, "start_pos", 0)
