"""`crossdock demo`: delivers what the story owes, and notices when it does not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from crossdock.cli import terminal
from crossdock.cli.demo import perform
from crossdock.cli.demo.owed import owed, settle
from crossdock.cli.demo.screen import faults, show
from crossdock.cli.demo.stage import Stage
from crossdock.cli.demo.story import Message, Story, compose, vendors
from crossdock.simulators import names

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "crossdock", "demo", *arguments], capture_output=True, text=True, check=False
    )


def test_everything_owed_is_delivered() -> None:
    """The demo exits 0, prints its table, and nothing on standard error."""
    done = demo("--once")
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert "wrong" not in done.stdout
    assert "Everything owed was delivered exactly once, and no vendor saw a violation." in done.stdout


def test_json() -> None:
    """Programs get the verdict with every count."""
    done = demo("--json")
    told = json.loads(done.stdout)
    assert told["right"]
    assert {"actual": 2, "due": 2} == told["door"]["duplicates dropped"]


async def test_a_refusing_vendor_is_noticed() -> None:
    """Where a simulator refuses, what is missing is named and the demo is not right."""

    async def refuse(stage: Stage) -> None:
        stage.simulators["topsort"].switches.refuse = ["bid-ana", "espresso-machine"]

    verdict = await perform(quiet=True, prepare=refuse)
    assert not verdict.right
    assert "topsort: missing purchases: ana: buy" in faults(verdict)
    assert verdict.vendors["topsort"].dead_letters > 0


async def test_a_short_outage_does_not_matter() -> None:
    """Answers of 503 and a lost answer are made good by retries."""

    async def stumble(stage: Stage) -> None:
        for name, simulator in stage.simulators.items():
            if "transport" not in vendors()[name]:
                simulator.switches.next_statuses = [503, 429]

    verdict = await perform(quiet=True, prepare=stumble)
    assert [] == faults(verdict)
    assert verdict.right


def messages() -> list[Message]:
    """Write every message of the story."""
    story = Story.read()
    return [
        compose(step, shopper, "run", NOW)
        for shopper in story.shoppers
        for step in story.of(shopper)
        if step.resend is None
    ]


def test_the_story_holds_what_it_should() -> None:
    """There are a duplicate, a late message, an invalid one, and a signed webhook call."""
    steps = Story.read().steps
    assert any(step.resend for step in steps)
    assert any(step.seconds_ago and step.clock_ahead_seconds for step in steps)
    assert any(step.nobody for step in steps)
    assert {"library", "batch", "webhook"} == {step.via for step in steps}


def test_steps_owed_exist() -> None:
    """Every step a vendor's file names is one of the story."""
    known = {step.name for step in Story.read().steps}
    owes = [entry for told in vendors().values() for entry in told["owes"]]
    named = {name for entry in owes for name in entry.get("any_of", entry.get("each_of"))}
    assert set() == named - known


def test_every_step_is_owed_to_somebody() -> None:
    """No step is told for nothing, but the one that is invalid and the copy of another."""
    owes = [entry for told in vendors().values() for entry in told["owes"]]
    named = {name for entry in owes for name in entry.get("any_of", entry.get("each_of"))}
    assert {"broken", "click-resent"} == {step.name for step in Story.read().steps} - named


def test_every_vendor_that_has_a_simulator_is_in_the_demo() -> None:
    """A vendor's simulator and what the story owes it come together."""
    assert names() == sorted(vendors())


def test_who_is_signed_in_is_named() -> None:
    """A library adds the customer's id until sign-out; a server knows only the customer."""
    steps = {step.name: step for step in Story.read().steps}

    def ids(name: str, *, signed_in: bool) -> set[str]:
        document = compose(steps[name], "ana", "run", NOW, signed_in=signed_in).document
        return {key for key in ("anonymousId", "userId") if key in document}

    assert {"anonymousId"} == ids("home", signed_in=False)
    assert {"anonymousId", "userId"} == ids("cart", signed_in=True)
    assert {"userId"} == ids("buy-server", signed_in=True)
    assert set() == ids("broken", signed_in=True)


def test_what_is_owed_twice_alike_must_come_twice() -> None:
    """Two visits of one page, to a vendor that takes no time, are two events and no more."""
    entry = {"kind": "pages", "each_of": ["home", "hooray"], "holds": {"user": "{anonymous_id}"}}
    due = owed([entry], [one for one in messages() if one.shopper == "ana"])
    page = {"user": "anonymous-ana"}
    assert settle(due, {"pages": [page, page]})["pages"].right
    assert ["ana: home", "ana: hooray"] == settle(due, {"pages": [page]})["pages"].missing
    assert settle(due, {"pages": [page] * 3})["pages"].doubled


def test_the_witness_sees_missing_doubled_and_surplus() -> None:
    """What is owed is one event: none, two, or a stranger are told apart."""
    entry = {"kind": "clicks", "any_of": ["click"], "holds": {"id": "{message_id}", "at": "{time}"}}
    due = owed([entry], [one for one in messages() if one.shopper == "ana"])
    one = {"id": "run-ana-click", "at": "2026-11-20T10:00:01+00:00"}
    assert settle(due, {"clicks": [one]})["clicks"].right
    assert ["ana: click"] == settle(due, {"clicks": []})["clicks"].missing
    assert ["ana: click"] == settle(due, {"clicks": [one, one]})["clicks"].doubled
    late = one | {"at": "2026-11-20T11:00:00Z"}
    account = settle(due, {"clicks": [late]})["clicks"]
    assert (["ana: click"], 1) == (account.missing, account.surplus)


def test_a_guard_may_choose_either_of_two() -> None:
    """Of two messages that tell of one action exactly one is owed, whichever came first."""
    entry = {"kind": "clicks", "any_of": ["click", "click-twice"], "holds": {"id": "{message_id}"}}
    due = owed([entry], [one for one in messages() if one.shopper == "ana"])
    for chosen in ("click", "click-twice"):
        assert settle(due, {"clicks": [{"id": f"run-ana-{chosen}"}]})["clicks"].right
    both = [{"id": "run-ana-click"}, {"id": "run-ana-click-twice"}]
    assert not settle(due, {"clicks": both})["clicks"].right


async def test_the_table_names_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Unanswered requests and leftovers are lines of their own."""
    verdict = await perform(quiet=True)
    show(replace(verdict, settled=False, unanswered={503: 2}), terminal.console())
    text = capsys.readouterr().out
    assert "2 requests were answered 503" in text
    assert "not everything was delivered in time" in text
    assert "Something is wrong; see the lines above." in text
