"""What the lanes promise: everything once, in order per visitor, whatever the vendor does."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from crossdock.delivery.gate import REFUSALS_TO_HALT
from crossdock.journal.base import DeadLetter, Journal
from crossdock.mapping.compiled import compile_file
from crossdock.mapping.preset import load_mapping, shipped_mapping_path
from crossdock.simulators.topsort import TopsortSimulator
from tests.delivery.dock import Dock, click, eventually, order, route_to, view


async def test_events_arrive_once_and_in_order_per_visitor(dock: Dock) -> None:
    """Hundreds of events of many visitors: all there, none twice, each visitor's in order."""
    sent: dict[str, list[str]] = defaultdict(list)
    for round_ in range(30):
        events = [view(f"v{v}", f"p{round_}", messageId=f"{round_}-{v}") for v in range(20)]
        await dock.accept(*events)
        for event in events:
            sent[event["anonymousId"]].append(event["messageId"])
    await dock.settled()
    got: dict[str, list[str]] = defaultdict(list)
    for impression in dock.simulator.received("impressions"):
        got[impression["opaqueUserId"]].append(impression["id"])
    assert sent == got
    assert 0 == dock.simulator.duplicates.total()
    assert [] == dock.simulator.violations
    assert 600 == (await dock.totals())["delivered.impression"]


async def test_one_request_mixes_kinds(dock: Dock) -> None:
    """A visitor's view, click and order of one moment go in one request."""
    await dock.accept(view("v", "p"), click("v", "b"), order("v", "o"))
    await dock.settled()
    assert {204: 1} == dict(dock.simulator.store.answers)


async def test_what_matches_nothing_is_counted_by_reason(dock: Dock) -> None:
    """Events no preset takes move the cursor and are counted."""
    await dock.accept({"event": "Coupon Entered", "anonymousId": "v", "properties": {}})
    await dock.accept(view("v", "p", integrations={"Topsort": False}))
    await dock.settled()
    assert {"skipped.not_matched": 1, "skipped.integrations": 1} == await dock.totals()


async def test_one_bad_payload_does_not_hold_its_49_neighbours(dock: Dock) -> None:
    """A batch of 50 with one the vendor refuses: 49 delivered once, one dead letter with its words."""
    dock.simulator.switches.refuse = ["m17"]
    await dock.accept(*(view("v", f"p{i}") for i in range(50)))
    await dock.settled()
    assert [f"m{i}" for i in range(50) if i != 17] == dock.ids("impressions")
    assert 0 == dock.simulator.duplicates.total()
    (letter,) = await dock.journal.dead_letters("topsort")
    assert ("m17", "impression") == (letter.message_id, letter.action)
    assert "400" in letter.reason


async def test_a_replay_delivers_what_was_mended(dock: Dock) -> None:
    """A dead letter sent again after the vendor's cause is mended arrives and is no dead letter any more."""
    dock.simulator.switches.refuse = ["m0"]
    await dock.accept(order("v", "o"))
    await dock.settled()
    dock.simulator.switches.refuse = []
    await dock.journal.replay_dead_letters(None, "topsort")
    dock.lanes.wake_asides()
    await eventually(lambda: dock.ids("purchases") == ["m0"])
    await dock.settled()
    assert [] == await dock.journal.dead_letters("topsort")


async def test_a_replay_that_is_refused_again_stays_one_dead_letter(dock: Dock) -> None:
    """Replaying what is still wrong leaves one dead letter, which says it was replayed."""
    dock.simulator.switches.refuse = ["m0"]
    await dock.accept(order("v", "o"))
    await dock.settled()
    await dock.journal.replay_dead_letters(None, "topsort")
    dock.lanes.wake_asides()
    await dock.settled()
    (letter,) = await dock.journal.dead_letters("topsort")
    assert 1 == letter.replays


async def test_an_outage_is_a_cursor_that_stands_still(dock: Dock) -> None:
    """With the vendor gone nothing becomes a dead letter, few requests are tried, and all arrives later."""
    await dock.simulator.hang_up()
    await dock.accept(*(view(f"v{i}", "p") for i in range(100)))
    await eventually(lambda: dock.lanes.health()["topsort"].state == "down")
    await dock.simulator.listen()
    await dock.settled()
    assert 100 == len(dock.ids("impressions"))
    assert [] == await dock.journal.dead_letters("topsort")


async def test_the_vendors_wait_is_obeyed(dock: Dock) -> None:
    """After a 429 with its headers the same payloads arrive once, by a later request."""
    dock.simulator.switches.next_statuses = [429]
    await dock.accept(view("v", "p"))
    await dock.settled()
    assert ["m0"] == dock.ids("impressions")
    assert {429: 1, 204: 1} == dict(dock.simulator.store.answers)


async def test_every_attempt_leaves_a_row(dock: Dock) -> None:
    """Attempts that settled nothing are kept too, with what the vendor answered."""
    dock.simulator.switches.next_statuses = [500, 429]
    (sequence,) = await dock.accept(view("v", "p"))
    await dock.settled()
    rows = await dock.journal.requests(None, sequence)
    assert [(500, "retry"), (429, "retry"), (204, "delivered")] == [(row.status, row.outcome) for row in rows]


async def test_a_lost_answer_sends_the_same_ids_again(dock: Dock) -> None:
    """Where the vendor stored a batch and the answer was lost, the resend carries the same ids."""
    dock.simulator.switches.drop_after_commit = 1
    await dock.accept(view("v", "p"), order("v", "o"))
    await dock.settled()
    assert (["m0"], ["m1"]) == (dock.ids("impressions"), dock.ids("purchases"))
    assert 2 == dock.simulator.duplicates.total()


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_that_breaks_off_counts_by_its_status(journal: Journal, status: int) -> None:
    """A 2xx is taken whatever became of its words, and never sent again; any other is no answer at all."""
    requests = 0

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal requests
        requests += 1
        cut_off = web.StreamResponse(status=status if requests == 1 else 200, headers={"Content-Length": "9"})
        await cut_off.prepare(request)
        await cut_off.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return cut_off

    async with RawTestServer(answer) as server:
        dock = Dock(journal, TopsortSimulator(), route_to(str(server.make_url(""))))
        await dock.open()
        await dock.accept(click("v", "b"))
        await dock.settled()
        await dock.lanes.stop(5)
    assert (1 if status == 200 else 2) == requests


async def test_a_wrong_key_halts_and_a_mended_one_resumes(dock: Dock) -> None:
    """401 keeps the events; a reload with the right key delivers them at once."""
    await dock.lanes.reroute({"topsort": route_to(dock.simulator.url, key="wrong")})
    await dock.accept(view("v", "p"))
    await eventually(lambda: dock.lanes.health()["topsort"].state == "halted")
    await dock.lanes.reroute({"topsort": route_to(dock.simulator.url)})
    await dock.settled()
    assert ["m0"] == dock.ids("impressions")
    assert "well" == dock.lanes.health()["topsort"].state


async def standing_letters(dock: Dock) -> list[DeadLetter]:
    """Give the dead letters once no lane that was under way adds to them."""
    seen: list[int] = []

    async def stand() -> bool:
        seen.append(len(await dock.journal.dead_letters("topsort", limit=1000)))
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    await eventually(stand)
    return await dock.journal.dead_letters("topsort", limit=1000)


async def test_many_refusals_in_a_row_halt_instead_of_a_heap_of_dead_letters(dock: Dock) -> None:
    """A fault that hits everything stops the destination after a handful of dead letters."""
    dock.simulator.switches.refuse = [f"m{i}" for i in range(200)]
    await dock.accept(*(view(f"v{i}", "p") for i in range(200)))
    await eventually(lambda: dock.lanes.health()["topsort"].state == "halted")
    letters = await standing_letters(dock)
    assert len(letters) < 2 * REFUSALS_TO_HALT
    # A probe that is refused too makes no further one; once the cause is mended, all that waited arrives.
    await dock.lanes.reroute({"topsort": dock.route})
    await eventually(lambda: dock.simulator.store.answers[400] > len(letters))
    await eventually(lambda: dock.lanes.health()["topsort"].waits_seconds > 0)
    assert len(letters) == len(await dock.journal.dead_letters("topsort", limit=1000))
    dock.simulator.switches.refuse = []
    await dock.lanes.reroute({"topsort": dock.route})
    await dock.settled()
    assert 200 == len(dock.ids("impressions")) + len(letters)


async def test_a_payload_that_always_fails_is_set_aside_with_its_visitor(dock: Dock) -> None:
    """A payload the vendor fails on holds neither its lane nor others; its visitor's order is kept."""
    dock.simulator.switches.choke = ["m0"]
    await dock.accept(view("stuck", "p0"), view("stuck", "p1"), *(view(f"v{i}", "p") for i in range(40)))
    await eventually(lambda: len(dock.ids("impressions")) == 40, seconds=60)
    await dock.accept(view("stuck", "p2"))
    dock.simulator.switches.choke = []
    await eventually(lambda: len(dock.ids("impressions")) == 43, seconds=60)
    of_stuck = [i["id"] for i in dock.simulator.received("impressions") if i["opaqueUserId"] == "stuck"]
    assert ["m0", "m1", "m42"] == of_stuck
    await dock.settled()


async def test_an_action_goes_through_once_whoever_reports_it(dock: Dock) -> None:
    """One order by browser and server, under two visitor keys and two message ids, is one purchase."""
    await dock.accept(order("browser", "o-1"), {**order("x", "o-1"), "anonymousId": None, "userId": "u1"})
    await dock.settled()
    assert 1 == len(dock.ids("purchases"))
    assert 1 == (await dock.totals())["suppressed.purchase"]


async def test_a_suppressed_copy_inherits_from_a_refused_owner(dock: Dock) -> None:
    """If the first copy of an order is refused for good, the second is sent in its place."""
    dock.simulator.switches.refuse = ["first"]
    await dock.accept(order("browser", "o-1", messageId="first"))
    await dock.settled()
    await dock.accept(order("server", "o-1", messageId="second"))
    await dock.settled()
    assert ["second"] == dock.ids("purchases")


async def test_a_click_counts_once_in_ten_seconds_by_the_events_own_clock(dock: Dock) -> None:
    """Two clicks on one bid 3 s apart are one; 20 s later it is a new click, however late it arrives."""
    at = "2026-11-20T10:00:{:02d}Z"
    await dock.accept(*(click("v", "b", timestamp=at.format(second)) for second in (0, 3, 20)))
    await dock.settled()
    assert ["m0", "m2"] == dock.ids("clicks")


async def test_a_reload_takes_effect_between_two_batches(dock: Dock) -> None:
    """Events behind the reload are mapped by the new file, none twice, none lost."""
    await dock.accept(view("v", "p"))
    await dock.settled()
    file = load_mapping(shipped_mapping_path("topsort"))
    changed = compile_file(file, {"Product Viewed": False, "Product Added": True})
    await dock.lanes.reroute({"topsort": replace(dock.route, mapping=changed)})
    await dock.accept(
        view("v", "p"), {"event": "Product Added", "anonymousId": "v", "properties": {"product_id": "p"}}
    )
    await dock.settled()
    assert (["m0"], ["m2"]) == (dock.ids("impressions"), dock.ids("clicks"))


async def test_a_restart_goes_on_where_the_cursor_stands(dock: Dock) -> None:
    """What was delivered before a restart is not sent again, and what came meanwhile is."""
    await dock.accept(view("v", "p"))
    await dock.settled()
    await dock.lanes.stop(5)
    await dock.accept(view("v", "q"))
    await dock.restart()
    await dock.settled()
    assert ["m0", "m1"] == dock.ids("impressions")
    assert 0 == dock.simulator.duplicates.total()


async def test_a_broken_mapping_makes_a_dead_letter_and_goes_on(dock: Dock) -> None:
    """A payload that breaks the vendor's schema is a dead letter that was never sent."""
    await dock.accept(view("v", "p", timestamp="2026-11-20T10:00:00Z", messageId="x"), view("v", "q"))
    await dock.settled()
    assert 2 == len(dock.ids("impressions"))
    assert [] == dock.simulator.violations


async def test_consent_that_is_not_given_holds_a_payload_back(dock: Dock) -> None:
    """A destination that asks for consent gets only what the person granted, and the rest is counted."""
    asking = replace(dock.route, consent=frozenset({"advertising"}))
    await dock.lanes.reroute({"topsort": asking})
    granted = {"consent": {"categoryPreferences": {"advertising": True}}}
    withheld = {"consent": {"categoryPreferences": {"advertising": False}}}
    await dock.accept(
        view("v", "p", context=granted), view("v", "q", context=withheld), view("v", "r", context={})
    )
    await dock.settled()
    assert ["m0"] == dock.ids("impressions")
    assert 2 == (await dock.totals())["skipped.consent"]


async def test_an_event_too_old_for_the_vendor_is_a_dead_letter_a_forced_replay_sends(dock: Dock) -> None:
    """A vendor that dates by arrival does not get yesterday's events unless somebody insists."""
    strict = dock.route.vendor.model_copy(update={"max_event_age": timedelta(hours=24)})
    await dock.lanes.reroute({"topsort": replace(dock.route, vendor=strict)})
    await dock.accept(view("v", "p", timestamp="2020-01-01T00:00:00Z"), view("v", "q"))
    await dock.settled()
    (letter,) = await dock.journal.dead_letters("topsort")
    assert ("m0", "too_old") == (letter.message_id, letter.code)
    await dock.journal.replay_dead_letters(None, "topsort", force=True)
    dock.lanes.wake_asides()
    await dock.settled()
    assert {"m0", "m1"} == set(dock.ids("impressions"))
