"""
Every exception Crossdock raises on purpose, split by who must act.

::

    CrossdockError
    ├── ConfigError             the operator or integrator: a file says something wrong
    │   └── MappingError        a preset, a mapping or an expression
    │       └── MappingFailed   a mapping that could not be applied to one event
    ├── EventError              the sender: carries the HTTP status and code to answer with
    │   ├── MalformedRequest    400: the body is not the JSON it should be
    │   ├── TooLarge            400: a size limit, named in the message
    │   ├── Unauthorized        401: unknown write key or bad signature
    │   ├── UnknownSource       404: no such webhook, or no such settings
    │   └── InvalidEvent        200: one event is refused and quarantined; its neighbours go on
    └── JournalError            ours: 503 with Retry-After
        ├── JournalFull         the disk or `journal.max_size` is reached
        ├── JournalUnavailable  the store cannot be reached just now
        ├── JournalLocked       another gateway holds the file
        └── JournalMismatch     the stored journal was made with other fixed settings

A vendor's refusal is not an exception: it is an outcome (`crossdock.destinations.base`).
Messages say what, where and the fix, and never hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file a person wrote; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class CrossdockError(Exception):
    """Any error Crossdock raises on purpose."""


class ConfigError(CrossdockError):
    """
    A settings or mapping file says something Crossdock cannot use.

    ``str()`` gives ``file:line:column: what; the fix``, or without the place where none is known.
    """

    def __init__(self, message: str, location: Location | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.key = key
        """The dotted path of the setting or field, where there is one."""

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        return f"{where}{self.message}"


class ConfigErrors(ConfigError):
    """Several of them, found in one pass; ``str()`` gives one per line."""

    def __init__(self, errors: list[ConfigError]) -> None:
        first = errors[0]
        super().__init__(first.message, first.location, first.key)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class MappingError(ConfigError):
    """A preset, mapping or expression cannot be compiled."""


class MappingFailed(MappingError):
    """A compiled mapping could not be applied to one event."""


class EventError(CrossdockError):
    """The sender's request or event is refused; `status` and `code` are what the sender is told."""

    status: ClassVar[int] = 400

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class MalformedRequest(EventError):
    """The body is not the JSON it should be."""


class TooLarge(EventError):
    """A size limit is exceeded; the message names the limit."""


class Unauthorized(EventError):
    """The write key is unknown or the signature is wrong."""

    status = 401


class UnknownSource(EventError):
    """Nothing answers under that name."""

    status = 404


class InvalidEvent(EventError):
    """One event is refused; it is answered 200 as Segment does and kept in the quarantine."""

    status = 200


class JournalError(CrossdockError):
    """The journal cannot take or give events now; answered 503."""


class JournalFull(JournalError):
    """The disk, or `journal.max_size`, is reached; nothing was accepted."""


class JournalUnavailable(JournalError):
    """The store cannot be reached just now; nothing was accepted."""


class JournalLocked(JournalError):
    """Another gateway holds the journal."""


class JournalMismatch(JournalError):
    """The stored journal was made with other fixed settings; the message says the remedy."""
