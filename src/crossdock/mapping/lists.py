"""Directives on lists and objects: $each, $list, $sum, $count, $distinct, $omit, $pick."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from crossdock.errors import MappingError
from crossdock.mapping.choices import required
from crossdock.mapping.codegen import Root
from crossdock.mapping.coercion import to_number
from crossdock.mapping.compiler import At, Compiler, Scope, Value, emptiness
from crossdock.mapping.directive import Directive, Example, kind_of, options, texts
from crossdock.mapping.subscription import condition
from crossdock.mapping.values import MISSING

_MAX_LOOPS: Final = 3


@contextmanager
def each_item(compiler: Compiler, over: Any, scope: Scope, at: At) -> Iterator[Scope]:
    """Write a loop over a list, or over a single object as a list of one; nothing when it is missing."""
    if scope.loops >= _MAX_LOOPS:
        raise MappingError(f"loops stand within loops more than {_MAX_LOOPS} deep")
    writer = compiler.writer
    source = compiler.value(over, scope, (*at, "over"), "None").name
    items, item, index = writer.name(), writer.name(), writer.name()
    writer.line(f"{items} = {source} if {source}.__class__ is list else ({source},)")
    writer.line(f"if {source} is None or {source} is M: {items} = ()")
    writer.line(f"{index} = -1")
    if scope.loops > 0:
        compiler.spend(items)
    with writer.indented(f"for {item} in {items}:"):
        writer.line(f"{index} += 1")
        yield replace(scope, item=Root(writer, item), index=index, loops=scope.loops + 1)


def compile_each(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Build a list from a list by $item and $index; items lacking require or failing where are left out."""
    parts = options(operand, ("over", "value", "where", "require"), ("over", "value"))
    writer = compiler.writer
    result = writer.assign("[]")
    with each_item(compiler, parts["over"], scope, at) as inner:
        if "where" in parts and inner.item is not None:
            writer.line(f"if not {condition(compiler, parts['where'], inner.item)}: continue")
        value = compiler.value(parts["value"], inner, (*at, "value"))
        if "require" in parts:
            names = parts["require"] if isinstance(parts["require"], list) else [parts["require"]]
            value = required(compiler, value, [texts(name, "require") for name in names])
        keep = f"{result}.append({value.name})"
        writer.line(f"if {value.name} is not M: {keep}" if value.missing else keep)
    writer.line(f"if not {result}: {result} = M")
    return Value(result)


def compile_list(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give a list without its missing, null and blank items; with none left it is dropped."""
    if not isinstance(operand, list):
        raise MappingError(f"takes a list of values, but this is {kind_of(operand)}; put it in [ ]")
    result = compiler.writer.assign("[]")
    for index, member in enumerate(operand):
        value = compiler.value(member, scope, (*at, index), "None")
        compiler.writer.line(f"if not ({emptiness(value)}): {result}.append({value.name})")
    compiler.writer.line(f"if not {result}: {result} = M")
    return Value(result)


def compile_sum(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Add up a number per item, times another where one is given; items without the number do not count."""
    parts = options(operand, ("over", "of", "times"), ("over", "of"))
    writer = compiler.writer
    terms = writer.assign("[]")
    with each_item(compiler, parts["over"], scope, at) as inner:
        amount = compiler.value(parts["of"], inner, (*at, "of"))
        times = compiler.value(parts.get("times", 1), inner, (*at, "times"))
        writer.line(f"{terms}.append(({amount.name}, {times.name}))")
    return compiler.call(_total, terms)


def _total(terms: list[tuple[Any, Any]]) -> Any:
    # Decimal, since 0.1 + 0.2 in an order's total is a wrong amount at the vendor.
    total, found = Decimal(0), False
    for amount, times in terms:
        number, factor = to_number(amount), to_number(times)
        if number is None:
            continue
        found = True
        total += Decimal(str(number)) * Decimal(str(1 if factor is None else factor))
    if not found:
        return MISSING
    return to_number(int(total) if total == total.to_integral_value() else float(total)) or 0


def compile_count(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Count the items of a list; dropped when there is no list."""
    value = compiler.value(operand, scope, at).name
    return Value(compiler.writer.assign(f"len({value}) if {value}.__class__ is list else M"))


def compile_distinct(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give a list without its repeats, the first of each kept; dropped when none is there."""
    return compiler.call(_distinct, compiler.value(operand, scope, at).name)


def _distinct(value: Any) -> Any:
    if value.__class__ is not list or not value:
        return MISSING
    kept: dict[Any, Any] = {}
    for member in value:
        kept.setdefault(_identity(member), member)
    return list(kept.values())


def _identity(member: Any) -> Any:
    # With its type, since 1, 1.0 and true are equal and yet not the same value; an object by its text, so
    # that a long list costs no comparison of each with each.
    if member.__class__ in (dict, list):
        return json.dumps(member, sort_keys=True, default=repr)
    return member.__class__, member


def compile_omit(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give an object without the keys named."""
    return _filtered(compiler, operand, scope, at, keep=False)


def compile_pick(compiler: Compiler, operand: Any, scope: Scope, at: At) -> Value:
    """Give an object with only the keys named."""
    return _filtered(compiler, operand, scope, at, keep=True)


def _filtered(compiler: Compiler, operand: Any, scope: Scope, at: At, *, keep: bool) -> Value:
    parts = options(operand, ("value", "keys"), ("value", "keys"))
    names = frozenset(texts(parts["keys"], "keys"))
    value = compiler.value(parts["value"], scope, (*at, "value"))

    def filtered(given: Any) -> Any:
        if given.__class__ is not dict:
            return MISSING
        return {key: member for key, member in given.items() if (key in names) is keep}

    return compiler.call(filtered, value.name)


_ORDER: Final = {
    "currency": "EUR",
    "products": [{"id": "p1", "price": 19.99, "quantity": 3}, {"price": 1}, {"id": "p3", "price": 0.03}],
}

DIRECTIVES = (
    Directive(
        "each",
        compile_each,
        (
            Example(
                {
                    "$each": {
                        "over": "$.products",
                        "value": {"id": "$item.id", "n": "$index", "in": "$.currency"},
                        "require": ["id"],
                    }
                },
                _ORDER,
                [{"id": "p1", "n": 0, "in": "EUR"}, {"id": "p3", "n": 2, "in": "EUR"}],
            ),
            Example(
                {"$each": {"over": "$.products", "value": "$item.id", "where": "price > 1"}}, _ORDER, ["p1"]
            ),
            Example({"$each": {"over": "$.nothing", "value": "$item"}}, _ORDER),
        ),
    ),
    Directive("list", compile_list, (Example({"$list": ["$.a", "$.b", "c"]}, {"a": " ", "b": 1}, [1, "c"]),)),
    Directive(
        "sum",
        compile_sum,
        (
            Example(
                {"$sum": {"over": "$.products", "of": "$item.price", "times": "$item.quantity"}}, _ORDER, 61
            ),
            Example({"$sum": {"over": "$.nothing", "of": "$item.price"}}, _ORDER),
        ),
    ),
    Directive("count", compile_count, (Example({"$count": "$.products"}, _ORDER, 3),)),
    Directive(
        "distinct",
        compile_distinct,
        (
            Example({"$distinct": "$.l"}, {"l": ["b", "a", "b", 1, True, 1]}, ["b", "a", 1, True]),
            Example({"$distinct": "$.l"}, {"l": [{"a": 1}, {"a": 1}, None]}, [{"a": 1}, None]),
            Example({"$distinct": "$.l"}, {"l": []}),
        ),
    ),
    Directive(
        "omit",
        compile_omit,
        (Example({"$omit": {"value": "$.o", "keys": ["a"]}}, {"o": {"a": 1, "b": 2}}, {"b": 2}),),
    ),
    Directive(
        "pick",
        compile_pick,
        (Example({"$pick": {"value": "$.o", "keys": ["a"]}}, {"o": {"a": 1, "b": 2}}, {"a": 1}),),
    ),
)
