"""
The command line: one module a command group, loaded only when the command is asked for.

Exit codes: 0 done; 1 something is wrong, and the message says what and where; 2 wrong use of a command.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

from crossdock.errors import CrossdockError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "See it work: gateway, simulators and shoppers in one go, no account needed."),
    "init": ("init", "Write a commented crossdock.yaml with fresh keys."),
    "check": ("check", "Find everything wrong with settings and mapping files."),
    "serve": ("serve", "Run the gateway."),
    "status": ("status", "What arrived, what was delivered, what waits."),
    "try": ("trial", "Show what one event would send where, and why not."),
    "why": ("why", "Tell one event's whole story."),
    "dead-letters": ("dead_letters", "Payloads a vendor refused: list, show, replay, discard."),
    "quarantine": ("quarantine", "Events refused at the door: list, show, replay."),
    "doctor": ("doctor", "Check keys, addresses, clock, disk and gateway; say what cannot be checked."),
    "forget": ("forget", "Erase everything about a user."),
    "simulate": ("simulate", "Run strict local doubles of the vendors."),
    "feed": ("feed", "Write a vendor's product feed from a catalogue."),
}
"""Every command: the module that holds it as ``command``, and its line in the help, in a newcomer's order."""


class Commands(click.Group):
    """A group that imports a command when it is named, and turns our errors into plain lines."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List the commands in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module and give the command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"crossdock.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the help's list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error we raise on purpose is printed, one line each, and exits 1."""
        try:
            return super().invoke(ctx)
        except CrossdockError as error:
            from crossdock.cli.terminal import printable  # noqa: PLC0415 - help needs no rich

            for line in str(error).splitlines():
                click.echo(printable(line), err=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crossdock", message="crossdock %(version)s")
def main() -> None:
    """
    Crossdock takes Segment events in and delivers them in each vendor's exact format.

    New here? `crossdock demo` shows it at work; `crossdock init` writes your settings.
    """
