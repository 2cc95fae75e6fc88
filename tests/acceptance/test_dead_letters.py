"""One payload that its vendor refuses costs its neighbours nothing, and can be sent again."""

from __future__ import annotations

from tests.acceptance.harness import Gateway, RecordingTopsort, Sender, click, until


async def test_one_bad_of_fifty(gateway: Gateway, topsort: RecordingTopsort, client: Sender) -> None:
    """Of 50 with one bad payload 49 arrive; the one is kept with the vendor's words, and replayed."""
    topsort.switches.refuse = ["m-17"]
    ids = [f"m-{n}" for n in range(50)]
    await client.insist([click(id_, "one-visitor") for id_ in ids])
    await until(lambda: topsort.count("clicks") == 49, "the 49 good ones")
    await until(lambda: bool(gateway.logged("delivery.dead_letter")), "the dead letter")

    [letter] = await gateway.command("dead-letters", "list")
    assert "m-17" == letter["message_id"]
    assert "m-17 is refused by a switch" in letter["reason"]
    assert [id_ for id_ in ids if id_ != "m-17"] == topsort.ids("clicks"), "order kept"

    topsort.switches.refuse = []
    await gateway.command("dead-letters", "replay", str(letter["id"]))
    await until(lambda: topsort.count("clicks") == 50, "the replayed one")
    assert "m-17" == topsort.ids("clicks")[-1]
    assert [] == topsort.violations
    assert 0 == topsort.duplicates.total()
    assert [] == await gateway.command("dead-letters", "list")


async def test_a_bad_key_keeps_everything(
    gateway: Gateway, topsort: RecordingTopsort, client: Sender
) -> None:
    """A refused API key stops the destination and loses nothing: with the key mended all arrive."""
    topsort.switches.api_key = "another-key"
    await client.insist([click(f"m-{n}", f"visitor-{n}") for n in range(30)])
    await until(lambda: bool(gateway.logged("destination.halted")), "the destination to halt")
    assert [] == await gateway.command("dead-letters", "list")
    topsort.switches.api_key = None
    await until(lambda: topsort.count("clicks") == 30, "everything, after the next probe", 60)
    assert 0 == topsort.duplicates.total()
