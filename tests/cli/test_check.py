"""`crossdock check`: every fault with its place and its fix, and warnings about what would surprise."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell

HEAD = "destination: topsort\npresets:\n"
ENOUGH = (
    "    mapping: {id: $.messageId, occurredAt: $.timestamp, opaqueUserId: $.anonymousId, "
    "resolvedBidId: $.properties.bid}\n"
)


def preset(name: str, subscribe: str, action: str = "click", mapping: str = ENOUGH, more: str = "") -> str:
    """Write one preset of a mapping file."""
    return f"  - name: {name}\n    subscribe: {subscribe}\n    action: {action}\n{mapping}{more}"


def on(event: str) -> str:
    """Write the subscription of a track event."""
    return f'type = "track" and event = "{event}"'


def settings(extra: str = "") -> str:
    """Write settings with one destination that runs my.yaml."""
    return (
        "sources: {web: {write_key: wk}}\n"
        "destinations:\n"
        "  topsort:\n"
        "    settings: {api_key: k}\n"
        f"    mapping: ./my.yaml\n{extra}"
    )


MISTAKES = {
    "unknown setting": (
        "sevrer: {port: 1}\n",
        "crossdock.yaml:1:1: unknown setting 'sevrer'; did you mean 'server'?",
    ),
    "unset variable": (
        "sources:\n  web: {write_key: '${NO_SUCH_VARIABLE}'}\n",
        "crossdock.yaml:2:20: environment variable NO_SUCH_VARIABLE is not set",
    ),
    "unknown vendor": (
        "destinations:\n  topsrot: {settings: {api_key: k}}\n",
        "; did you mean 'topsort'?",
    ),
    "unknown preset": (
        "destinations:\n  topsort:\n    settings: {api_key: k}\n    presets: {Product Clickd: true}\n",
        "topsort has no such preset; did you mean Product Clicked?",
    ),
    "vendor setting missing": (
        "destinations: {topsort: {}}\n",
        "destinations.topsort.settings.api_key is required",
    ),
    "unknown vendor setting": (
        "destinations:\n  topsort:\n    settings: {api_key: k, bas_url: x}\n",
        "unknown setting 'destinations.topsort.settings.bas_url'; did you mean 'base_url'?",
    ),
    "unknown source": (
        "sources: {web: {write_key: a}}\ndestinations:\n  topsort: {sources: [wbe], settings: {api_key: k}}",
        "crossdock.yaml:3:23: no source is named 'wbe'; did you mean 'web'?",
    ),
    "no YAML": ("server: [1\n", "crossdock.yaml:2:1"),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_settings(shell: Shell, text: str, expected: str) -> None:
    """Each mistake is named with its place and its fix; exit 1."""
    shell.write("crossdock.yaml", text)
    assert expected in shell("check", code=1).output


def test_all_mistakes_at_once(shell: Shell) -> None:
    """Two mistakes of one file come together, in the file's order."""
    shell.write("crossdock.yaml", "server: {prot: 1}\njournal: {retention: 7d, shads: 2}\n")
    lines = shell("check", code=1).output.splitlines()
    assert ["crossdock.yaml:1:10", "crossdock.yaml:2:26"] == [
        ":".join(line.split(":")[:3]) for line in lines[:2]
    ]
    assert "crossdock.yaml: 2 errors, no warnings" == lines[-1]


def test_one_destination_hides_nothing_of_another(shell: Shell) -> None:
    """Errors of two destinations, and a warning of a third, come in one run."""
    shell.write("my.yaml", HEAD + preset("Click", on("A"), action="clik"))
    one = "{vendor: topsort, settings: {api_key: k}"
    shell.write(
        "crossdock.yaml",
        f"destinations:\n  a: {one}, mapping: none.yaml}}\n  b: {one}, mapping: my.yaml}}\n"
        f"  c: {one}, presets: {{Product List Viewed: true}}}}\n",
    )
    text = shell("check", code=1).output
    assert "crossdock.yaml:2:57: no mapping file none.yaml" in text
    assert "my.yaml:5:13: Click: topsort has no action 'clik'" in text
    assert "crossdock.yaml:4:79: warning: Product List Viewed: counts twice" in text


def test_a_mapping_for_nobody(shell: Shell) -> None:
    """A mapping file's unknown vendor has its place."""
    shell.write("my.yaml", "presets: []\ndestination: topsrot\n")
    assert "my.yaml:2:14: unknown vendor 'topsrot'; choose one of" in shell("check", "my.yaml", code=1).output


def test_no_settings(shell: Shell) -> None:
    """Without a file the error names the command that writes one."""
    assert "no settings file crossdock.yaml; `crossdock init` writes one" in shell("check", code=1).output


def test_a_good_mapping_file(shell: Shell) -> None:
    """A mapping file alone may be checked; nothing to say exits 0."""
    shell.write("my.yaml", HEAD + preset("Click", on("Product Clicked")))
    assert "my.yaml: no errors, no warnings\n" == shell("check", "my.yaml").output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            preset("Click", on("A"), action="clik"),
            "my.yaml:5:13: Click: topsort has no action 'clik'; did you mean",
        ),
        (preset("Click", 'type == "track"'), "my.yaml:4:22: Click: write = once"),
        (preset("Click", on("A"), mapping="    mapping: {a: {$frist: [$.b]}}\n"), "my.yaml:6:19: Click: "),
        (
            preset("Click", on("A"), more="    enabld: true\n"),
            "enabld is not a key known here; did you mean enabled?",
        ),
        (
            preset(
                "Click",
                on("A"),
                more="    examples: [{event: {type: track, event: B}, sends: [{}]}]\n",
            ),
            "my.yaml:7:16: Click: example 1 does not hold: subscribe does not match its event",
        ),
    ],
)
def test_mistakes_in_a_mapping(shell: Shell, text: str, expected: str) -> None:
    """A mapping's mistake is placed in its own file, also when the settings lead there."""
    shell.write("my.yaml", HEAD + text)
    assert expected in shell("check", "my.yaml", code=1).output
    shell.write("crossdock.yaml", settings())
    assert expected in shell("check", code=1).output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            preset("Click", on("Product Clicked")) + preset("Add", on("Product Added")),
            "my.yaml:7:11: warning: Add: counts twice with Click: a click on an add-to-cart button",
        ),
        (
            preset("One", on("A")) + preset("Two", on("A")),
            "my.yaml:8:16: warning: Two: takes the very events that One takes",
        ),
        (
            preset("Click", 'type = "track" and type = "page"'),
            "my.yaml:4:16: warning: Click: no event can match this",
        ),
        (preset("Click", '((type = "track"))'), "warning: Click: Segment cannot read parentheses within"),
        (
            preset("Click", on("A"), mapping="    mapping: {id: $.messageId, occurredAt: $.timestamp}\n"),
            "warning: Click: of even an event with every field click cannot be sent: opaqueUserId: missing",
        ),
    ],
)
def test_warnings(shell: Shell, text: str, expected: str) -> None:
    """What would surprise is a warning with its place, and exits 0."""
    shell.write("my.yaml", HEAD + text)
    shell.write("crossdock.yaml", settings())
    assert expected in shell("check").output


def test_one_guard_for_both_is_no_double_count(shell: Shell) -> None:
    """Two presets of one action that share their `once` do not count twice."""
    once = "    once: {key: [$.visitor.key, $.properties.bid], within: 10s}\n"
    both = preset("Click", on("Product Clicked"), more=once) + preset("Add", on("Product Added"), more=once)
    shell.write("my.yaml", HEAD + both)
    assert "no warnings" in shell("check", "my.yaml").output


def test_a_warning_about_a_shipped_preset_points_at_the_settings(shell: Shell) -> None:
    """Where the shipped mapping is in force, the place is the switch in the settings."""
    text = "destinations:\n  topsort:\n    settings: {api_key: k}\n    presets: {Product List Viewed: true}\n"
    shell.write("crossdock.yaml", text)
    expected = "crossdock.yaml:4:36: warning: Product List Viewed: counts twice with Product Viewed"
    assert shell("check").output.startswith(expected)


def test_json(shell: Shell) -> None:
    """Programs get every finding with its place."""
    shell.write("crossdock.yaml", "server: {prot: 1}\n")
    result = shell("check", "--json", code=1)
    found = json.loads(result.stdout)
    assert 1 == found["errors"]
    assert {"file": "crossdock.yaml", "line": 1, "column": 10} == found["findings"][0]["location"]


def test_github(shell: Shell) -> None:
    """A GitHub workflow gets annotations."""
    shell.write("crossdock.yaml", "server: {prot: 1}\n")
    line = shell("check", "--format", "github", code=1).output
    assert line.startswith("::error file=crossdock.yaml,line=1,col=10::unknown setting 'server.prot'")
