"""What an operator meets: a full disk, a stop, a wrong settings file."""

from __future__ import annotations

import asyncio
import signal

import orjson

from tests.acceptance.harness import (
    WRITE_KEY,
    Gateway,
    RecordingTopsort,
    Sender,
    click,
    crossdock,
    run,
    until,
)


async def test_a_full_disk(gateway: Gateway, topsort: RecordingTopsort, client: Sender) -> None:
    """A disk that takes no more is answered 503 with Retry-After; room again, and it goes on by itself."""
    await client.insist([click(f"before-{n}", "visitor") for n in range(100)])
    await until(lambda: topsort.count("clicks") == 100, "the clicks before")
    data = gateway.folder / "data"
    gateway.limit_files(max(file.stat().st_size for file in data.iterdir()) + 32 * 1024)

    refused: list[dict[str, str]] = []
    for n in range(200):
        body = orjson.dumps({"writeKey": WRITE_KEY, "batch": [_big(f"during-{n}")]})
        async with client.session.post(f"{gateway.url}/v1/batch", data=body) as answer:
            if answer.status == 200:
                client.accepted.add(f"during-{n}")
            else:
                assert 503 == answer.status, await answer.text()
                refused.append({**answer.headers, "body": await answer.text()})
        if len(refused) == 3:
            break
    assert 3 == len(refused), "the limit was never met"
    assert all(int(answer["Retry-After"]) >= 1 for answer in refused)
    assert not any(orjson.loads(answer["body"])["success"] for answer in refused)
    assert gateway.logged("journal.refusing")
    async with client.session.get(f"{gateway.url}/healthz") as answer:
        assert 200 == answer.status, "a full disk is no reason to restart"

    gateway.limit_files(-1)
    await client.insist([click("after", "visitor")])
    await until(lambda: topsort.count("clicks") == len(client.accepted), "everything accepted", 60)
    assert client.accepted == set(topsort.ids("clicks"))
    assert [] == topsort.violations


def _big(message_id: str) -> dict[str, object]:
    event = click(message_id, "visitor")
    return {**event, "context": {"padding": "x" * 20_000}}


async def test_a_stop_finishes_what_is_in_flight(
    gateway: Gateway, topsort: RecordingTopsort, client: Sender
) -> None:
    """SIGTERM lets a request that is half in and a batch that is half out finish, and ends with 0."""
    topsort.switches.slow_ms = 700
    await client.insist([click(f"m-{n}", f"visitor-{n}") for n in range(20)])
    await until(lambda: bool(topsort.arrived), "a batch on its way")
    body = orjson.dumps({"writeKey": WRITE_KEY, "batch": [click("late", "visitor-0")]})
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body[:40])
    await writer.drain()
    async with client.session.get(f"{gateway.url}/readyz") as answer:
        assert 200 == answer.status  # and by now the half request has been read
    gateway.signal(signal.SIGTERM)
    await until(lambda: bool(gateway.logged("gateway.draining")), "the gateway to drain")
    writer.write(body[40:])
    answer_bytes = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer_bytes.startswith(b"HTTP/1.1 200 "), answer_bytes[:200]
    assert 0 == await gateway.stop()
    assert gateway.logged("gateway.stopped")

    topsort.switches.slow_ms = 0
    await gateway.start()
    await until(lambda: topsort.count("clicks") == 21, "all of them")
    assert 0 == topsort.duplicates.total(), "what was in flight was settled before the end"


async def test_a_second_gateway_waits(gateway: Gateway, topsort: RecordingTopsort, client: Sender) -> None:
    """A second gateway on the same journal is not ready until the first one ends; then it takes over."""
    folder = gateway.folder / "second"
    folder.mkdir()
    second = Gateway(folder, gateway.settings)
    await second.spawn()
    try:
        await until(lambda: bool(second.logged("journal.waiting_for_lock")), "the second to wait")
        assert 0 == await gateway.stop()
        await until(lambda: bool(second.logged("gateway.ready")), "the second to take over")
        client.gateway = second
        await client.insist([click("m-1", "visitor")])
        await until(lambda: topsort.count("clicks") == 1, "the click")
    finally:
        await second.kill()


async def test_wrong_settings_stop_the_start(idle: Gateway) -> None:
    """A mistake in the settings ends `serve` with a message that names file, line and column."""
    text = idle.config.read_text("utf-8").replace("api_key: TSE", "api_kee: TSE")
    idle.config.write_text(text, "utf-8")
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "api_kee" in row)
    code, output = await run(*crossdock("serve", "--config", str(idle.config)), within_seconds=20)
    assert code != 0
    assert f"{idle.config}:{line}:" in output
    assert "api_key" in output, "the fix"


async def test_a_wrong_mapping_stops_the_start(idle: Gateway) -> None:
    """A mistake in a mapping file ends `serve` with the place in that file."""
    mapping = idle.folder / "mine.yaml"
    mapping.write_text(
        "destination: topsort\n"
        "presets:\n"
        "  - name: Clicks\n"
        '    subscribe: type = "track" and (event = "Product Clicked"\n'
        "    action: click\n"
        "    mapping: {id: $.messageId}\n",
        "utf-8",
    )
    idle.settings["destinations"]["topsort"]["mapping"] = str(mapping)
    idle.write()
    code, output = await run(*crossdock("serve", "--config", str(idle.config)), within_seconds=20)
    assert code != 0
    assert f"{mapping}:4:" in output
