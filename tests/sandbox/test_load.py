"""The load against real little servers on loopback: it must count what happened, and only that."""

import asyncio
import socket
import threading
import time

import pytest
from aiohttp import web

from deploy.sandbox.load import Kind, Options
from deploy.sandbox.load.client import Client, Outcome
from deploy.sandbox.load.generator import generate
from tests.sandbox.servers import (
    NONE,
    answer,
    application,
    load_on,
    load_on_raw,
    reply,
    reset,
)


def test_a_good_server_has_no_failure_and_every_kind_is_counted():
    report = load_on(application(), rate=200, duration=1.1, websockets=3)

    assert report.failed == 0
    assert report.reasons == {}
    assert report.requests == 220
    assert report.sent == report.ok == sum(second.sent for second in report.timeline)
    # 200 a second for 1.1 s: 70 %, 20 %, 7.5 % and 2.5 %.
    assert report.kinds[Kind.GET].sent == pytest.approx(154, abs=1)
    assert report.kinds[Kind.POST].sent == pytest.approx(44, abs=1)
    assert report.kinds[Kind.FRESH].sent == pytest.approx(16.5, abs=1)
    assert report.kinds[Kind.SLOW].sent == pytest.approx(5.5, abs=1)
    assert report.kinds[Kind.OPEN].sent == 3
    assert 3 <= report.kinds[Kind.MESSAGE].sent <= 6  # 3 websockets, 1 or 2 messages each
    assert report.closed == ()
    assert report.versions.keys() == {"v1"}
    assert report.versions["v1"].answers == report.requests
    assert 200 <= report.kinds[Kind.SLOW].p50 <= report.kinds[Kind.SLOW].max < 2000
    assert report.timeline[0].sent >= 200
    assert report.seconds == pytest.approx(1.1, abs=0.3)


def test_requests_start_when_they_are_due_though_nothing_is_answered():
    """Open loop: on a server that holds each for 0.5 s, 20 requests and more are in flight."""
    flying, most = 0, 0

    async def held(request: web.Request) -> web.StreamResponse:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.5)
        flying -= 1
        return web.Response(text="ok")

    report = load_on(application(home=held), rate=50, duration=0.5, **(NONE | {"get": 1}))

    assert report.failed == 0
    assert most >= 20
    assert report.versions == {}


def test_a_late_generator_says_so_and_still_sends_everything():
    async def stall(request: web.Request) -> web.StreamResponse:
        time.sleep(0.01)  # the generator runs in the same loop
        return web.Response(text="ok")

    calm = load_on(application(), rate=50, duration=0.2, **(NONE | {"get": 1}))
    busy = load_on(application(home=stall), rate=200, duration=0.25, **(NONE | {"get": 1}))

    assert calm.requests == 10
    assert busy.requests == 50
    assert busy.late > 0
    assert busy.latest > 50


@pytest.mark.parametrize(
    ("status", "reason"), [(500, "status-500"), (502, "status-502"), (302, "status-302")]
)
def test_an_answer_that_is_not_2xx_is_a_failure_by_its_status(status, reason):
    async def bad(request: web.Request) -> web.StreamResponse:
        headers = {"X-Version": "v3", "Location": "/slow"}
        return web.Response(status=status, text="relation missing\n", headers=headers)

    report = load_on(
        application(home=bad), rate=100, duration=0.2, **(NONE | {"get": 3, "fresh": 1})
    )

    assert report.reasons == {reason: 15}
    assert report.kinds[Kind.GET].failed == 15
    assert report.kinds[Kind.FRESH].failed == 0
    assert report.examples[0].kind == "get"
    assert report.examples[0].detail == "relation missing"
    assert report.versions["v3"].answers == 15
    assert [second.failed for second in report.timeline] == [15]


def test_a_wrong_echo_is_a_failure():
    async def cut(request: web.Request) -> web.StreamResponse:
        return web.json_response({"length": len(await request.read()) - 1})

    report = load_on(application(echo=cut), rate=50, duration=0.2, **(NONE | {"post": 1}))

    assert report.reasons == {"body": 10}
    assert report.examples[0].detail == '{"length": 511} in answer to 512 bytes'


@pytest.mark.parametrize("words", ["", "ok", "[512]", '{"length": "512"}'])
def test_an_echo_that_is_no_length_is_a_failure(words):
    async def odd(request: web.Request) -> web.StreamResponse:
        return web.Response(text=words)

    report = load_on(application(echo=odd), rate=50, duration=0.04, **(NONE | {"post": 1}))

    assert report.reasons == {"body": 2}


def test_nobody_listening_is_a_connect_failure():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        report = asyncio.run(
            generate(Options(f"http://127.0.0.1:{port}", rate=50, duration=0.2, websockets=1))
        )

    assert report.reasons == {"connect": report.failed}
    assert report.failed == report.sent == 11
    assert report.kinds[Kind.OPEN].failed == 1


def test_only_the_first_failures_are_kept_as_examples():
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    report = load_on_raw(refuse, rate=200, duration=0.2, **(NONE | {"post": 1}))

    assert report.reasons == {"reset": 40}
    assert len(report.examples) == 20


@pytest.mark.parametrize("kind", ["get", "fresh"])
def test_a_new_connection_that_ends_unanswered_is_a_failure_and_is_not_tried_again(kind):
    heads = []

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))

    report = load_on_raw(leave, rate=50, duration=0.2, **(NONE | {kind: 1}))

    assert report.reasons == {"reset": 10}
    assert report.retried == 0
    assert len(heads) == 10
    assert all((b"\r\nConnection: close\r\n" in head) == (kind == "fresh") for head in heads)


def test_an_answer_that_breaks_off_is_a_failure():
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    report = load_on_raw(half, rate=50, duration=0.2, **(NONE | {"get": 1}))

    assert report.reasons == {"reset": 10}
    assert report.retried == 0


@pytest.mark.parametrize("kind", ["get", "post"])
def test_connections_that_the_server_closes_when_idle_cost_nothing(kind):
    """Each FIN arrives 480 ms before the connection is wanted again, so nobody loses anything."""
    connections = 0

    async def close_idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answer(reader, writer)
        await asyncio.sleep(0.02)

    report = load_on_raw(close_idle, rate=2, duration=2, **(NONE | {kind: 1}))

    assert (report.failed, report.retried, report.requests) == (0, 0, 4)
    assert connections == 4


def test_a_fin_that_only_the_kernel_knows_of_is_noticed_before_a_post_is_written():
    """The FIN comes while the event loop is busy, and the next request follows without a pause."""
    listener = socket.create_server(("127.0.0.1", 0))
    received = []

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            data = b""
            while b"\r\n\r\n" not in data or not data.endswith(b"."):
                data += connection.recv(65536)
            received.append(data)
            body = data.partition(b"\r\n\r\n")[2]
            connection.sendall(reply(len(body)))
            time.sleep(0.05)
            connection.close()

    async def two() -> list[Outcome]:
        async with Client(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            first = await client.request(Kind.POST)
            time.sleep(0.2)  # so that the loop does not come round
            return [first, await client.request(Kind.POST)]

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    outcomes = asyncio.run(two())
    thread.join(timeout=5)
    listener.close()

    assert outcomes == [Outcome(), Outcome()]
    assert len(received) == 2


def test_a_get_on_a_reused_connection_is_sent_again_once_and_a_post_is_not():
    """The server answers a connection's first request, and resets it at the second."""

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    gets = load_on_raw(answer_once, rate=80, duration=0.25, **(NONE | {"get": 1}))
    posts = load_on_raw(answer_once, rate=80, duration=0.25, **(NONE | {"post": 1}))

    # 10 of the 20 as a rule: every second one, unless two are late and then in flight at once.
    assert (gets.failed, gets.ok) == (0, 20)
    assert 5 <= gets.retried <= 10
    assert 5 <= posts.failed <= 10
    assert posts.reasons == {"reset": posts.failed}
    assert (posts.ok, posts.retried) == (20 - posts.failed, 0)


def test_no_answer_in_time_is_a_timeout(monkeypatch):
    monkeypatch.setattr("deploy.sandbox.load.client.TIMEOUT", 0.1)

    report = load_on(application(), rate=10, duration=0.3, **(NONE | {"slow": 1}))

    assert report.reasons == {"timeout": 3}


def test_versions_are_counted_with_their_first_and_last_answer():
    began = time.monotonic()

    async def switching(request: web.Request) -> web.StreamResponse:
        version = "v1" if time.monotonic() - began < 0.25 else "v2"
        return web.Response(text="ok", headers={"X-Version": version})

    report = load_on(application(home=switching), rate=80, duration=0.5, **(NONE | {"get": 1}))

    assert list(report.versions) == ["v1", "v2"]
    assert sum(version.answers for version in report.versions.values()) == 40
    assert report.versions["v1"].first < 0.1
    assert report.versions["v1"].last < 0.3
    assert report.versions["v2"].first > report.versions["v1"].last
    assert report.versions["v2"].last > 0.45
