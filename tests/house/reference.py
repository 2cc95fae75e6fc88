"""
The tables in `docs/` that are drawn from the code: settings, log events, metrics.

``make docs`` writes them; `test_docs` fails while a page is older than the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from crossdock import destinations, settings
from crossdock.telemetry import Log, Metrics
from tests.house import mapping_reference, schemas, vendor_pages
from tests.house.source import ROOT, fields
from tests.mapping import mistakes

SECTIONS: dict[str, type[BaseModel]] = {
    "server": settings.ServerSettings,
    "journal": settings.JournalSettings,
    "dedup": settings.DedupSettings,
    "visitors": settings.VisitorSettings,
    "sources.NAME": settings.SourceSettings,
    "destinations.NAME": settings.DestinationSettings,
    "destinations.NAME.delivery": settings.DeliverySettings,
    "console": settings.ConsoleSettings,
}


def settings_table() -> str:
    """Give the settings of every section, then those of every vendor."""
    return "\n\n".join([*_sections(), *_vendors()])


def log_table() -> str:
    """Give every log event, its level and what it means to the operator."""
    rows = [f"| `{what.event}` | {what.level} | {what.meaning} |" for what in Log]
    return "\n".join(["| Event | Level | Meaning |", "|---|---|---|", *rows])


def metrics_table() -> str:
    """Give every metric as Prometheus sees it."""
    rows = [f"| `{name}` | {kind} | {labels} | {text} |" for name, kind, labels, text in _metrics()]
    return "\n".join(["| Metric | Kind | Labels | Meaning |", "|---|---|---|---|", *rows])


PAGES: dict[str, dict[str, Any]] = {
    "settings.md": {"settings": settings_table},
    "operations.md": {"log": log_table, "metrics": metrics_table},
    "mapping.md": {
        "keys": mapping_reference.keys,
        "directives": mapping_reference.directives,
        "limits": mapping_reference.limits,
    },
    "mapping-mistakes.md": {"mistakes": mistakes.table},
    **{
        f"vendors/{vendor}.md": {"presets": partial(vendor_pages.presets, vendor)}
        for vendor in destinations.names()
    },
}
"""The pages with drawn tables: page → name of the marks → what stands between them."""


def drawn(page: str) -> str:
    """Give a page's text with its tables drawn anew."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    for mark, draw in PAGES[page].items():
        begin, end = f"<!-- {mark}: drawn by `make docs` -->", f"<!-- /{mark} -->"
        if begin not in text or end not in text:
            raise ValueError(f"docs/{page} lacks the marks {begin} … {end}")
        table = f"{begin}\n\n{draw()}\n\n{end}"
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _, t=table: t, text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def _sections() -> Iterator[str]:
    for section, model in SECTIONS.items():
        yield f"## `{section}`\n\n{_first_paragraph(model)}\n\n{_fields(model)}"


def _vendors() -> Iterator[str]:
    for name in destinations.names():
        vendor = destinations.load(name)
        heading = f"`destinations.NAME.settings` for `{name}`"
        yield f"## {heading}\n\n{_first_paragraph(vendor)}\n\n{_fields(vendor)}"


def _first_paragraph(model: type) -> str:
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


def _fields(model: type[BaseModel]) -> str:
    written = fields(model)
    rows = [
        f"| `{field.alias or name}` | {_kind(written[name].annotation, field)} | "
        f"{_default(field, written[name].annotation)} | {_code(written[name].docstring)} |"
        for name, field in model.model_fields.items()
    ]
    return "\n".join(["| Setting | Kind | Default | Meaning |", "|---|---|---|---|", *rows])


_KINDS = {
    "Duration": "duration",
    "Path": "path",
    "SecretStr": "text, secret",
    "Size": "size",
    "bool": "true or false",
    "float": "number",
    "int": "whole number",
    "str": "text",
}


def _kind(annotation: str, field: FieldInfo) -> str:
    if annotation.isidentifier() and get_origin(field.annotation) is Literal:  # a name for choices
        annotation = f"Literal{list(get_args(field.annotation))}"
    if annotation.startswith(("list[", "dict[")) or annotation.endswith("Settings"):
        return "list" if annotation.startswith("list[") else "mapping"
    parts = re.findall(r"Literal\[([^]]*)\]|(\w+)", annotation)
    words = [_choices(literal) if literal else _KINDS.get(name, name) for literal, name in parts]
    return " or ".join(word for word in words if word != "None")


def _choices(literal: str) -> str:
    return " or ".join(f"`{choice.strip()[1:-1]}`" for choice in literal.split(","))


def _default(field: FieldInfo, annotation: str) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, BaseModel):
        return ""
    return f"`{value // 1024**3}GiB`" if annotation == "Size" else f"`{_written(value)}`"


def _written(value: Any) -> str:
    """Write a default the way a person writes it in YAML."""
    if isinstance(value, timedelta):
        return _duration(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _duration(value: timedelta) -> str:
    milliseconds = round(value.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def _code(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _metrics() -> Iterator[tuple[str, str, str, str]]:
    for metric in vars(Metrics()).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        described = next(iter(metric.describe()))
        suffix = "_total" if described.type == "counter" else ""
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        yield described.name + suffix, described.type, labels, described.documentation


def main() -> None:
    """Draw the tables of every page, and the schemas."""
    for page in PAGES:
        path = Path(ROOT / "docs" / page)
        path.write_text(drawn(page), "utf-8")
    schemas.main()


if __name__ == "__main__":
    main()
