"""What the gateway runs: a mapping file compiled, its presets found by an event's type and name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

import orjson

from crossdock.errors import ConfigError, ConfigErrors, Location, MappingError, MappingFailed
from crossdock.mapping.choices import required
from crossdock.mapping.codegen import Keys
from crossdock.mapping.compiler import Compiler, Value, compile_value, emptiness
from crossdock.mapping.overrides import Overrides, Written, overlaid
from crossdock.mapping.preset import (
    MappingFile,
    Origin,
    Preset,
    once_within,
    raise_all,
)
from crossdock.mapping.subscription import Dispatch, compile_condition, dispatch, has_event_name
from crossdock.mapping.subscription_syntax import SubscriptionError
from crossdock.mapping.values import MISSING

_MAX_PAYLOADS: Final = 1_000
"""The most payloads one event may become under `for_each`; an event of 64 KiB holds fewer products."""


_tuple: Final = tuple.__new__
"""Makes a named tuple at a third of the price of its own constructor."""


class Mapped(NamedTuple):
    """One payload of an event: its place in the `for_each` list (0 otherwise) and the guard's key."""

    index: int  # type: ignore[assignment]  # the place in the list, not tuple.index
    payload: Any
    once_key: str | None


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPreset:
    """A preset ready to run."""

    name: str
    action: str
    for_each: bool
    once_within: timedelta | None
    matches: Callable[[Mapping[str, Any]], bool]
    _over: Callable[[Any], Any] | None
    _map: Callable[..., Any]
    _once: Callable[..., Any] | None
    fallback: bool = False
    """Takes only what no other preset takes."""
    visitor_fields: frozenset[str] = frozenset()
    """The visitor facts it reads, by name; ``*`` stands for all."""

    def payloads(self, event: Mapping[str, Any]) -> list[Mapped]:
        """
        Map one event; an empty list when there is nothing to send.

        Raises:
            MappingFailed: The event cannot be mapped; retrying cannot help.
        """
        try:
            if self._over is not None:
                return self._each(self._over(event), event)
            payload = self._map(event)
            if payload is MISSING:
                return []
            key = None if self._once is None else self._once(event)
            return [_tuple(Mapped, (0, payload, key))]
        except (RecursionError, OverflowError) as error:
            raise MappingFailed(f"the event holds a value too deep or too large: {error}") from None

    def _each(self, found: Any, event: Mapping[str, Any]) -> list[Mapped]:
        if found is MISSING or found is None:
            return []
        items = found if found.__class__ is list else [found]
        if len(items) > _MAX_PAYLOADS:
            raise MappingFailed(f"for_each found {len(items)} items; the most is {_MAX_PAYLOADS}")
        mapped = []
        for index, item in enumerate(items):
            payload = self._map(event, item, index)
            if payload is not MISSING:
                key = None if self._once is None else self._once(event, item, index)
                mapped.append(Mapped(index, payload, key))
        return mapped


def _once_key(compiler: Compiler, value: Value) -> Value:
    """Write the guard's key so that no two can be mistaken for each other; None when a part is empty."""
    writer = compiler.writer
    part = Value(writer.name(), missing=False)
    with writer.indented(f"for {part.name} in {value.name}:"):
        writer.line(f"if {emptiness(part)}: return None")
    return compiler.call(_key_text, value.name)


def _key_text(parts: list[Any]) -> str:
    try:
        return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError as error:
        raise MappingFailed(f"the once key cannot be written: {error}") from None


_Candidates = tuple[tuple[CompiledPreset, bool], ...]


class CompiledMapping:
    """The enabled presets of a destination."""

    def __init__(
        self, destination: str, version: str, presets: Sequence[tuple[CompiledPreset, Dispatch]]
    ) -> None:
        self.destination = destination
        self.version = version
        self.presets = tuple(preset for preset, _ in presets)
        self.visitor_fields: frozenset[str] = frozenset().union(*(one.visitor_fields for one in self.presets))
        """The visitor facts that any of the presets reads, by name; ``*`` stands for all."""
        pairs = {pair for _, found in presets for pair in found.pairs}
        names = {name for _, name in pairs if name is not None} | {None}
        kinds = {kind for kind, _ in pairs if kind is not None} | {None}
        self._table = {
            kind: {name: _Entry.of(_candidates(presets, kind, name)) for name in names} for kind in kinds
        }
        self._other = self._table[None]

    def matching(self, event: Mapping[str, Any]) -> Sequence[CompiledPreset]:
        """Give the presets whose subscription the event meets, in the file's order."""
        try:
            by_name = self._table.get(event.get("type"), self._other)
            entry = by_name.get(event.get("event")) or by_name[None]
        except TypeError:
            # A type or name that is a list or object cannot be looked up, and equals no text.
            return _chosen([preset for preset in self.presets if preset.matches(event)])
        if entry.settled is not None:
            return entry.settled
        return _chosen([preset for preset, sure in entry.candidates if sure or preset.matches(event)])

    def facts_read(self, event: Mapping[str, Any]) -> frozenset[str]:
        """Give the visitor facts that presets which may take the event read, going by its type and name."""
        if not self.visitor_fields:
            return self.visitor_fields
        try:
            by_name = self._table.get(event.get("type"), self._other)
            return (by_name.get(event.get("event")) or by_name[None]).reads
        except TypeError:
            return self.visitor_fields


class _Entry(NamedTuple):
    """Who can match a type and name; *settled* when the two decide alone."""

    candidates: _Candidates
    settled: tuple[CompiledPreset, ...] | None
    reads: frozenset[str]
    """The visitor facts they read."""

    @classmethod
    def of(cls, candidates: _Candidates) -> _Entry:
        reads: frozenset[str] = frozenset().union(*(preset.visitor_fields for preset, _ in candidates))
        if all(sure for _, sure in candidates):
            return cls(candidates, tuple(_chosen([preset for preset, _ in candidates])), reads)
        return cls(candidates, None, reads)


def _chosen(matching: list[CompiledPreset]) -> list[CompiledPreset]:
    """Leave out the fallbacks where another preset matches."""
    if len(matching) < 2:
        return matching
    return [preset for preset in matching if not preset.fallback] or matching


def _candidates(
    presets: Sequence[tuple[CompiledPreset, Dispatch]], kind: str | None, name: str | None
) -> _Candidates:
    found = []
    for preset, needs in presets:
        if any(pair[0] in (None, kind) and pair[1] in (None, name) for pair in needs.pairs):
            found.append((preset, needs.exact))
    return tuple(found)


def compile_file(
    file: MappingFile,
    overrides: Overrides | None = None,
    written: Written | None = None,
    actions: Sequence[str] = (),
) -> CompiledMapping:
    """
    Compile a mapping file; *overrides* are the `presets` of a destination's settings, *written* their place.

    An override is true or false for a preset's `enabled`, or an object of fields laid over the preset. Where
    the vendor's *actions* are given, a preset may name no other.

    Raises:
        ConfigError: Something is wrong, also in a disabled preset; `ConfigErrors` when several things are.
    """
    faults: list[ConfigError] = []
    presets = overlaid(file, overrides or {}, written, faults)
    compiled: list[tuple[CompiledPreset, Dispatch]] = []
    for preset, origin in presets:
        if actions and preset.action not in actions:
            faults.append(_unknown_action(file, preset, origin, actions))
        made = _compile(preset, origin, faults)
        if made is not None and preset.enabled:
            compiled.append(made)
    raise_all(faults)
    effective = [
        preset.model_dump(exclude={"examples", "description"}) for preset, _ in presets if preset.enabled
    ]
    content = orjson.dumps([file.destination, effective], option=orjson.OPT_SORT_KEYS)
    return CompiledMapping(file.destination, hashlib.sha256(content).hexdigest()[:12], compiled)


def _unknown_action(file: MappingFile, preset: Preset, origin: Origin, actions: Sequence[str]) -> ConfigError:
    near = get_close_matches(preset.action, actions, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(actions)}"
    message = f"{file.destination} has no action {preset.action!r}; {hint}"
    return _named(ConfigError(message, origin.locate(("action",)), "action"), preset.name)


def compile_faults(file: MappingFile) -> list[ConfigError]:
    """List what `compile_file` would refuse."""
    faults: list[ConfigError] = []
    for preset, origin in overlaid(file, {}, None, faults):
        _compile(preset, origin, faults)
    return faults


def _compile(
    preset: Preset, origin: Origin, faults: list[ConfigError]
) -> tuple[CompiledPreset, Dispatch] | None:
    before = len(faults)
    reads: set[Keys] = set()
    aliases = tuple(preset.aliases)
    matches, needs = _subscription(preset, aliases, origin, faults)

    def value(node: Any, *at: str) -> Callable[..., Any]:
        def locate(inner: tuple[str | int, ...], key: bool) -> Location | None:
            return origin.locate((*at, *inner), key)

        try:
            return compile_value(
                node, locate, items=items and at != ("for_each",), wrap=wraps.get(at[0]), reads=reads
            )
        except MappingError as error:
            faults.extend(_named(one, preset.name) for one in _all(error))
            return _nothing

    items = preset.for_each is not None
    wraps = {"mapping": _requires(preset.requires), "once": _once_key}
    over = value(preset.for_each, "for_each") if items else None
    make = value(preset.mapping, "mapping")
    once = value(preset.once.key, "once", "key") if preset.once else None
    if len(faults) > before:
        return None
    compiled = CompiledPreset(
        preset.name,
        preset.action,
        items,
        once_within(preset),
        matches,
        over,
        make,
        once,
        preset.fallback,
        _visitor_fields(reads),
    )
    return compiled, needs


def _visitor_fields(reads: set[Keys]) -> frozenset[str]:
    whole = {(), ("visitor",)}
    names = (str(keys[1]) for keys in reads if len(keys) > 1 and keys[0] == "visitor")
    return frozenset({"*"} if reads & whole else names)


def _requires(fields: list[str | list[str]]) -> Callable[[Compiler, Value], Value] | None:
    alternatives = [(names,) if isinstance(names, str) else tuple(names) for names in fields]
    return (lambda compiler, value: required(compiler, value, alternatives)) if alternatives else None


def _subscription(
    preset: Preset, aliases: tuple[str, ...], origin: Origin, faults: list[ConfigError]
) -> tuple[Callable[[Mapping[str, Any]], bool], Dispatch]:
    try:
        if aliases and not has_event_name(preset.subscribe):
            place = origin.locate(("aliases",))
            faults.append(MappingError('aliases stand for event = "…", which subscribe does not have', place))
        return compile_condition(preset.subscribe, aliases), dispatch(preset.subscribe, aliases)
    except SubscriptionError as error:
        place = origin.locate_in(("subscribe",), error.offset)
        message = error.plain_message if place else f"subscribe: {error.message}"
        faults.append(_named(MappingError(message, place, "subscribe"), preset.name))
        return _nothing, Dispatch(frozenset(), exact=False)


def _nothing(*_arguments: Any) -> Any:
    return False


def _all(error: ConfigError) -> list[ConfigError]:
    return error.errors if isinstance(error, ConfigErrors) else [error]


def _named(error: ConfigError, preset: str) -> ConfigError:
    return MappingError(f"{preset}: {error.message}", error.location, error.key)
