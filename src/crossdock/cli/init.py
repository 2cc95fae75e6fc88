"""``crossdock init``: a commented settings file, and beside it a `.env` with fresh keys."""

from __future__ import annotations

import os
import re
import secrets
from importlib import resources
from pathlib import Path

import click

from crossdock.cli.terminal import console
from crossdock.environment import FILE, parse
from crossdock.errors import ConfigError
from crossdock.mapping.preset import shipped_mapping_path
from crossdock.settings import DEFAULT_PATH

_KEYS = {
    "WEB_WRITE_KEY": "what your site's Segment library is given as its write key; not a secret to browsers",
    "SEGMENT_WEBHOOK_SECRET": "the shared secret of Segment's webhook destination",
    "CROSSDOCK_TOKEN": "kept for the operator's page, which this release does not have yet",
}


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=DEFAULT_PATH)
def command(path: Path) -> None:
    """
    Write a commented settings file with fresh keys to PATH (crossdock.yaml).

    PATH may be a folder; it is made where there is none. Keys and secrets go into a file .env beside it that
    only you can read, JSON Schemas for your editor into a folder schemas. Nothing of yours is overwritten.
    """
    path = path if path.suffix in {".yaml", ".yml"} else path / DEFAULT_PATH
    env = path.parent / FILE
    if path.exists():
        raise ConfigError(f"{path} exists already; move it away, or name another file: crossdock init PATH")
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = _write_keys(env)
    path.write_text(starter(), "utf-8")
    _write_schemas(path.parent / "schemas")
    _next_steps(path, env, keys)


def _write_schemas(folder: Path) -> None:
    """Put beside the settings what editors check them and mapping files by."""
    folder.mkdir(exist_ok=True)
    for schema in sorted(shipped_mapping_path("topsort").parent.glob("*.schema.json")):
        (folder / schema.name).write_text(schema.read_text("utf-8"), "utf-8")


def starter() -> str:
    """Give the text of the settings file that `init` writes."""
    return resources.files("crossdock.cli").joinpath("starter.yaml").read_text("utf-8")


def _vendor_keys() -> list[str]:
    """List the variables that only the vendors can give a value."""
    return re.findall(r"\$\{(\w+):-not-set-yet\}", starter())


def _write_keys(env: Path) -> dict[str, str]:
    """Add the keys that are missing to the `.env`; only its owner can read it. Gives the values in force."""
    text = env.read_text("utf-8") if env.exists() else ""
    there = dict(parse(text, str(env)))
    fresh = {name: secrets.token_urlsafe(24) for name in _KEYS if name not in there}
    lines = [f"# {_KEYS[name]}\n{name}={value}\n" for name, value in fresh.items()]
    lines += [
        f"# a vendor's key: uncomment and fill in\n# {name}=\n"
        for name in _vendor_keys()
        if name not in there
    ]
    apart = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    descriptor = os.open(env, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(apart + "\n".join(lines))
    return {**there, **fresh}


def _next_steps(path: Path, env: Path, keys: dict[str, str]) -> None:
    serve = "crossdock serve" if path == DEFAULT_PATH else f"crossdock serve --config {path}"
    out = console()
    out.print(f"Wrote {path} (settings, every one explained) and {env} (keys; keep it to yourself).\n")
    out.print("Next:", style="bold")
    out.print(f"  1. Put {', '.join(_vendor_keys())} into {env} and set `enabled: true` under destinations.")
    out.print(f"  2. {serve}\n")
    out.print("Then send events, either way or both:", style="bold")
    out.print("  A Segment library (JavaScript, Node, Python, …)")
    out.print("      host       http://127.0.0.1:8080", soft_wrap=True)
    out.print(f"      write key  {keys['WEB_WRITE_KEY']}", soft_wrap=True)
    out.print("  Segment itself: Connections > Destinations > Webhooks (Actions)")
    out.print("      URL            https://<your host>/webhook/segment", soft_wrap=True)
    out.print(f"      shared secret  SEGMENT_WEBHOOK_SECRET in {env}", soft_wrap=True)
