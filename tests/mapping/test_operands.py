"""What is said of each directive's operand is what its compile function takes."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.errors import MappingError
from crossdock.mapping import compile_mapping
from crossdock.mapping.directives import DIRECTIVES
from crossdock.mapping.operands import OPERANDS

NAMED = {name: operand.parts for name, operand in OPERANDS.items() if operand.parts}


def refusal(mapping: Any) -> str:
    """Give what is said against a mapping."""
    with pytest.raises(MappingError) as refused:
        compile_mapping(mapping)
    return str(refused.value)


def test_what_is_described_exists() -> None:
    """No directive is made up."""
    assert set() == set(OPERANDS) - set(DIRECTIVES)


@pytest.mark.parametrize("name", sorted(set(DIRECTIVES) - set(OPERANDS)))
def test_every_other_directive_takes_a_value(name: str) -> None:
    """What is not described takes any value."""
    assert True is callable(
        compile_mapping({"a": {f"${name}": "$.x"}, "b": {f"${name}": {"$first": ["$.x"]}}})
    )


@pytest.mark.parametrize("name", NAMED)
def test_a_directive_takes_these_parts_and_no_others(name: str) -> None:
    """A part that is not listed is refused, with those that are."""
    told = refusal({"a": {f"${name}": {"nosuchpart": 1}}})
    assert True is told.endswith(f"nosuchpart is not known here; it takes {', '.join(NAMED[name])}")


@pytest.mark.parametrize("name", [name for name, operand in OPERANDS.items() if operand.takes == "list"])
def test_a_directive_takes_a_list(name: str) -> None:
    """Anything else is refused."""
    assert True is ("takes a list" in refusal({"a": {f"${name}": 1}}))


@pytest.mark.parametrize(
    ("name", "part"),
    [(name, part) for name, parts in NAMED.items() for part, said in parts.items() if said.choices],
)
def test_choices_are_those_there_are(name: str, part: str) -> None:
    """Each choice is taken, and none other."""
    others: dict[str, Any] = {
        other: "$.x" if said.kind == "value" else ["$.x"] if said.kind == "list" else "x"
        for other, said in NAMED[name].items()
        if said.required
    }
    if name == "merge":
        others["objects"] = [{"a": 1}]
    for choice in NAMED[name][part].choices:
        assert True is callable(compile_mapping({"a": {f"${name}": {**others, part: choice}}}))
    assert True is (part in refusal({"a": {f"${name}": {**others, part: "nosuchchoice"}}}))
