"""
The one reader of `crossdock.yaml` and of the environment.

``load`` gives frozen models; every fault is a `ConfigError` that names ``file:line:column``, and all of a
file's faults come together. ``${NAME}`` and ``${NAME:-default}`` in a value read the environment.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from crossdock import document, environment
from crossdock.errors import ConfigError, ConfigErrors, Location
from crossdock.units import parse_duration, parse_size

DEFAULT_PATH = Path("crossdock.yaml")
_SQLITE = "sqlite:///"


def _written(parse: Callable[[object], Any], kept: type) -> BeforeValidator:
    def read(value: Any) -> Any:
        try:
            return value if isinstance(value, kept) else parse(value)
        except ConfigError as error:
            # A ValueError, so that pydantic tries a union's other members and gives the error its place.
            raise ValueError(error.message) from None

    return BeforeValidator(read)


Duration = Annotated[timedelta, _written(parse_duration, timedelta)]
Size = Annotated[int, _written(parse_size, int), Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServerSettings(_Section):
    """Where the gateway listens."""

    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` to be reached from other machines."""
    port: int = Field(default=8080, ge=0, le=65535)
    """The port; 0 takes a free one."""
    trusted_proxies: list[IPv4Network | IPv6Network] = []
    """Proxies whose ``X-Forwarded-For`` is believed."""
    shutdown_grace: Duration = timedelta(seconds=20)
    """How long a stop waits for requests in flight."""


class JournalSettings(_Section):
    """Where accepted events are kept. These do not reload."""

    url: str = "sqlite:///./data/crossdock.db"
    """``sqlite:///`` and a path: ``./`` starts at the settings file's folder, ``sqlite:////`` at the root."""
    retention: Duration = timedelta(days=7)
    """How long events are kept; what a destination still waits for is never deleted."""
    max_size: Annotated[Size, Field(ge=4 * 1024**2)] = 20 * 1024**3
    """How large the journal may grow; beyond it senders are answered 503 and try again."""
    shards: int = Field(default=8, ge=1, le=256)
    """Slices by visitor, each delivered in order; fixed once the journal is made."""

    @field_validator("url")
    @classmethod
    def _a_journal_there_is(cls, url: str) -> str:
        path = url.removeprefix(_SQLITE)
        if path == url or not path or path == ":memory:":
            raise ValueError(
                f"is no journal's; write {_SQLITE}./data/crossdock.db for a file beside this one"
            )
        return url


class DedupSettings(_Section):
    """The guard at the door."""

    window: Duration = timedelta(days=7)
    """How long a `messageId` is remembered: a second event with it is dropped."""


class VisitorSettings(_Section):
    """What is remembered of visitors, where a mapping reads it. This does not reload."""

    expiry: Duration = timedelta(days=30)
    """How long after a visitor was last seen everything remembered of them goes."""


class SourceSettings(_Section):
    """Who sends, and its credential."""

    write_key: SecretStr | None = None
    """The write key that Segment libraries are given."""
    allowed_origins: list[str] | None = None
    """Browser origins that may send; no list: any."""
    webhook_secret: SecretStr | None = None
    """The secret shared with Segment's Webhook destination; opens ``POST /webhook/<source>``."""
    allow_unsigned: bool = False
    """Open the webhook without a secret."""

    @field_validator("write_key", "webhook_secret")
    @classmethod
    def _not_empty(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value().strip():
            raise ValueError("is empty: give a value, or set the environment variable it reads")
        return secret

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Self:
        if self.write_key is None and self.webhook_secret is None and not self.allow_unsigned:
            raise ValueError("a source needs a write_key, a webhook_secret, or allow_unsigned: true")
        return self


class DeliverySettings(_Section):
    """How requests to one destination are made; what is not given is the vendor's own."""

    batch_events: int | None = Field(default=None, ge=1)
    """Payloads in one request, at most; never above the vendor's own limit."""
    batch_wait: Duration = timedelta(milliseconds=200)
    """How long a batch may wait to become fuller."""
    requests_per_second: float | None = Field(default=None, gt=0)
    """How many requests may be made, spread evenly over the second."""
    timeout: Duration = timedelta(seconds=10)
    """How long an answer may take; after that the request is made again."""


class DestinationSettings(_Section):
    """One vendor account."""

    vendor: str
    """Which vendor it is; may be left out where the name is the vendor's."""
    enabled: bool = True
    """False: nothing is sent, and events do not outlive `retention` for its sake."""
    sources: list[str] | None = None
    """The sources that feed it; no list: all."""
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The vendor's own settings; may hold secrets."""
    mapping: Path | None = None
    """A mapping file; none: the shipped one."""
    presets: dict[str, bool | dict[str, Any]] = {}
    """Presets switched on or off, or changed, by name."""
    start: Duration | Literal["now"] = Field(default="now", alias="from")
    """Where a new destination starts: ``now``, or so long ago."""
    consent: list[str] = []
    """Consent categories an event must grant before it is sent here."""
    delivery: DeliverySettings = DeliverySettings()
    """How requests are made."""


class ConsoleSettings(_Section):
    """Kept for the operator's page, which this release does not have yet."""

    token: SecretStr | None = None
    """What will open it."""


class Settings(_Section):
    """A whole `crossdock.yaml`."""

    server: ServerSettings = ServerSettings()
    journal: JournalSettings = JournalSettings()
    dedup: DedupSettings = DedupSettings()
    visitors: VisitorSettings = VisitorSettings()
    sources: dict[Name, SourceSettings] = {}
    """Sources by name; a webhook's URL holds the name."""
    destinations: dict[Name, DestinationSettings] = {}
    """Destinations by a name of your choice; there may be none."""
    console: ConsoleSettings = ConsoleSettings()

    _document: document.Document | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _vendor_defaults_to_the_name(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("destinations"), dict):
            return data
        named = {
            name: {"vendor": name, **(body or {})} if body is None or isinstance(body, dict) else body
            for name, body in data["destinations"].items()
        }
        return {**data, "destinations": named}

    def locate(self, *path: str | int, key: bool = False) -> Location | None:
        """Give the place of what stands under a key path, or of its last key."""
        return self._document.location(path, key) if self._document else None

    def written(self, *path: str | int) -> tuple[document.Document, tuple[str | int, ...]] | None:
        """Give the file and the key path in it, for who places faults within that part."""
        return (self._document, path) if self._document else None

    def feeds(self, destination: str) -> frozenset[str]:
        """Give the sources that feed a destination."""
        listed = self.destinations[destination].sources
        return frozenset(self.sources if listed is None else listed)

    def scope(self, source: str) -> str:
        """Name the set of destinations a source feeds: sources of one scope share their dedup marks."""
        return ",".join(sorted(name for name in self.destinations if source in self.feeds(name)))


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """
    Read a settings file; variables come from the environment and the `.env` beside the file.

    A relative path in `journal.url` starts at the file's folder, as the paths of mapping files do, so that
    every command finds the same journal wherever it is called from.

    Raises:
        ConfigErrors: Everything that is wrong with it, each with its place.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no settings file {path}; `crossdock init` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    settings = parse(text, str(path), environment.beside(path) if environ is None else environ)
    url = _beside(settings.journal.url, path.parent)
    return settings.model_copy(update={"journal": settings.journal.model_copy(update={"url": url})})


def _beside(url: str, folder: Path) -> str:
    if not url.startswith(_SQLITE):
        return url
    return f"{_SQLITE}{(folder / url.removeprefix(_SQLITE)).absolute()}"


def parse(text: str, file: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read settings from text; `file` is what errors name. See `load`."""
    source = document.load(text, file)
    errors: list[ConfigError] = []
    data = _interpolate(source.data if source.data is not None else {}, environ, source, (), errors)
    if errors:
        raise ConfigErrors(errors)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as invalid:
        details = invalid.errors(include_url=False, include_input=False)
        raise ConfigErrors([_located(detail, source) for detail in details]) from None
    settings._document = source  # noqa: SLF001 - a private attribute of our own model
    if errors := list(_contradictions(settings)):
        raise ConfigErrors(errors)
    return settings


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _interpolate(
    value: Any,
    environ: Mapping[str, str],
    source: document.Document,
    path: tuple[str | int, ...],
    errors: list[ConfigError],
) -> Any:
    if isinstance(value, dict):
        return {k: _interpolate(v, environ, source, (*path, k), errors) for k, v in value.items()}
    if isinstance(value, list):
        return [_interpolate(v, environ, source, (*path, i), errors) for i, v in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def read(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name in environ and (environ[name] or default is None):
            return environ[name]
        if default is not None:
            return default
        message = f"environment variable {name} is not set; set it, or write ${{{name}:-default}}"
        errors.append(ConfigError(message, source.location(path), ".".join(map(str, path))))
        return ""

    return _VARIABLE.sub(read, value)


def _located(detail: ErrorDetails, source: document.Document) -> ConfigError:
    path = _file_path(detail["loc"], source.data)
    key = ".".join(map(str, path)) or "the settings"
    unknown = detail["type"] == "extra_forbidden"
    if unknown:
        message = f"unknown setting {key!r}{_suggestion(str(path[-1]), path[:-1])}"
    else:
        message = f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    return ConfigError(message, source.location(path, key=unknown), key)


def _file_path(loc: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
    """Keep of pydantic's location what stands in the file: union branches name types, not keys."""
    path: list[str | int] = []
    for part in loc:
        if isinstance(data, dict) and part in data:  # noqa: SIM114 - mypy cannot narrow the two at once
            data = data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif path and not isinstance(data, dict):
            break
        else:
            data = None
        path.append(part)
    return tuple(path)


_SECTIONS: dict[str, type[BaseModel]] = {
    "server": ServerSettings,
    "journal": JournalSettings,
    "dedup": DedupSettings,
    "visitors": VisitorSettings,
    "console": ConsoleSettings,
    "sources": SourceSettings,
    "destinations": DestinationSettings,
}


def _suggestion(key: str, parents: tuple[str | int, ...]) -> str:
    model: type[BaseModel] = Settings
    if parents:
        model = _SECTIONS.get(str(parents[0]), Settings)
        if parents[-1] == "delivery":
            model = DeliverySettings
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    near = difflib.get_close_matches(key, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(known)}"


def _contradictions(settings: Settings) -> Iterator[ConfigError]:
    for name, destination in settings.destinations.items():
        for i, source in enumerate(destination.sources or []):
            if source not in settings.sources:
                near = difflib.get_close_matches(source, list(settings.sources), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                place = settings.locate("destinations", name, "sources", i)
                yield ConfigError(f"no source is named {source!r}{hint}", place)
    seen: dict[str, str] = {}
    for name, settings_of in settings.sources.items():
        if settings_of.write_key is None:
            continue
        key = settings_of.write_key.get_secret_value()
        if key in seen:
            place = settings.locate("sources", name, "write_key")
            yield ConfigError(f"same write_key as source {seen[key]!r}; each needs its own", place)
        seen[key] = name
