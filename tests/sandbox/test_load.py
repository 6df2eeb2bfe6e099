"""The load against real little servers on loopback: it must count what happened, and only that."""

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from aiohttp import WSCloseCode, web

from deploy.errors import HeadwayError, UsageError
from deploy.sandbox.load import Kind, Load, LoadReport, Options, running
from deploy.sandbox.load.client import Client, Outcome
from deploy.sandbox.load.generator import generate
from deploy.sandbox.load.process import require_extra

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NONE = {"websockets": 0, "get": 0.0, "post": 0.0, "fresh": 0.0, "slow": 0.0}


async def plain(request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok", headers={"X-Version": "v1"})


async def echo(request: web.Request) -> web.StreamResponse:
    length = len(await request.read())
    return web.json_response({"length": length}, headers={"X-Version": "v1"})


async def slow(request: web.Request) -> web.StreamResponse:
    await request.read()
    await asyncio.sleep(int(request.query["ms"]) / 10_000)  # ten times as quick as it should be
    return web.Response(text="done", headers={"X-Version": "v1"})


async def websocket(request: web.Request) -> web.StreamResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        await response.send_str(message.data)
    return response


def application(**instead: Handler) -> web.Application:
    handlers = {"home": plain, "echo": echo, "slow": slow, "ws": websocket}
    handlers |= instead
    app = web.Application()
    app.router.add_get("/", handlers["home"])
    app.router.add_post("/echo", handlers["echo"])
    app.router.add_get("/slow", handlers["slow"])
    app.router.add_post("/slow", handlers["slow"])
    app.router.add_get("/ws", handlers["ws"])
    return app


def load_on(app: web.Application, **options: float) -> LoadReport:
    """Serve the application, load it in the same event loop, and return the report."""

    async def serve() -> LoadReport:
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            return await generate(Options(f"http://127.0.0.1:{port}", **options))  # type: ignore[arg-type]
        finally:
            await runner.cleanup()

    return asyncio.run(serve())


def load_on_raw(talk: Talk, **options: float) -> LoadReport:
    """Like `load_on`, with a server that does just what `talk` does with each connection."""

    async def serve() -> LoadReport:
        async def close_after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await talk(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(close_after, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await generate(Options(f"http://127.0.0.1:{port}", **options))  # type: ignore[arg-type]

    return asyncio.run(serve())


def reply(length: int) -> bytes:
    content = b'{"length": %d}' % length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request with its body, and answer with the body's length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    await reader.readexactly(length)
    writer.write(reply(length))
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST instead of FIN."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


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


def test_websockets_that_the_server_ends_are_counted_apart_and_opened_again(monkeypatch):
    monkeypatch.setattr("deploy.sandbox.load.websocket.EVERY", 0.3)
    endings = iter(["frame", "abrupt"])

    async def ending(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        how = next(endings, "stay")
        async for message in response:
            await response.send_str(message.data)
            if how == "frame":
                await response.close(code=WSCloseCode.SERVICE_RESTART)
            elif how == "abrupt":
                assert request.transport
                request.transport.abort()
        return response

    report = load_on(application(ws=ending), duration=0.8, **(NONE | {"websockets": 1}))

    assert [closed.code for closed in report.closed] == [1012, 1006]
    assert [closed.abnormal for closed in report.closed] == [False, True]
    assert report.kinds[Kind.OPEN].ok == 3
    assert report.kinds[Kind.MESSAGE].ok == 3
    assert report.failed == 0
    assert report.closed[1].at == pytest.approx(0.3, abs=0.15)
    assert report.closed[1].age < report.closed[1].at


def test_a_message_in_flight_when_the_server_ends_the_websocket_is_unanswered_not_failed():
    async def deaf(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.receive()
        await response.close(code=WSCloseCode.GOING_AWAY)
        return response

    report = load_on(application(ws=deaf), duration=0.2, **(NONE | {"websockets": 1}))

    assert [closed.code for closed in report.closed] == [1001]
    assert report.unanswered == 1
    assert report.failed == 0
    assert report.sent == report.ok + report.unanswered


def test_a_message_without_its_echo_is_a_failure(monkeypatch):
    monkeypatch.setattr("deploy.sandbox.load.websocket.TIMEOUT", 0.3)

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for _ in response:
            pass
        return response

    async def wrong(request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for _ in response:
            await response.send_str("something else")
        return response

    options = NONE | {"websockets": 1}
    assert load_on(application(ws=silent), duration=0.1, **options).reasons == {"timeout": 1}
    assert load_on(application(ws=wrong), duration=0.1, **options).reasons == {"body": 1}


def test_a_websocket_that_is_refused_is_a_failure_by_its_status():
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    report = load_on(application(ws=refuse), duration=0.2, **(NONE | {"websockets": 2}))

    assert report.reasons == {"status-503": 2}
    assert report.kinds[Kind.OPEN].failed == 2


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


@contextmanager
def served(app: web.Application) -> Iterator[str]:
    """The application in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = web.AppRunner(app)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    port = asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=5)
    yield f"http://127.0.0.1:{port}"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=5)
    loop.close()


def test_a_load_beside_a_block_has_answers_when_the_block_starts_and_ends_with_it():
    with served(application()) as url, running(url, rate=50, websockets=2) as load:
        with pytest.raises(HeadwayError, match="still running"):
            _ = load.report
        time.sleep(0.3)

    assert load.report.failed == 0
    assert load.report.seconds < 5  # of 600
    assert load.report.requests >= 15
    assert load.report.kinds[Kind.OPEN].ok == 2
    assert load.stop() is load.report


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_load_with_what_is_in_flight_and_its_report(tmp_path, number):
    path = tmp_path / "new" / "load.json"

    async def held(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return web.Response(text="ok")

    with served(application(slow=held)) as url:
        command = [sys.executable, "-m", "deploy.sandbox.load", f"--url={url}"]
        options = ["--rate=20", "--duration=60", "--get=1", "--slow=1", f"--json={path}"]
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        assert process.stdout.readline() == "answering\n"
        time.sleep(0.2)
        process.send_signal(number)
        process.communicate(timeout=10)

    assert process.returncode == 0
    report = LoadReport.from_json(path.read_text())
    assert report.failed == 0
    assert report.kinds[Kind.SLOW].ok >= 1  # begun before the signal, answered after it
    assert report.seconds < 2
    assert json.loads(path.read_text())["failed"] == 0
    assert os.listdir(path.parent) == ["load.json"]


def test_a_site_that_answers_nothing_is_named_and_the_report_is_still_to_be_had():
    load = Load(Options("http://127.0.0.1:1", rate=20, **(NONE | {"get": 1})))
    with pytest.raises(HeadwayError, match=r"http://127\.0\.0\.1:1 answered nothing good"):
        load.wait_ready(timeout=3)
    report = load.stop()
    assert report.reasons == {"connect": report.requests}


def test_a_block_does_not_start_with_options_out_of_bounds():
    with pytest.raises(UsageError, match="rate"), running("http://127.0.0.1:1", rate=5001):
        pytest.fail("the block was entered")


def test_a_process_that_breaks_down_is_told_with_its_words(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    load = Load(Options("http://127.0.0.1:1"))
    with pytest.raises(HeadwayError, match=r"ended before a first answer \(exit 1\)"):
        load.wait_ready()
    with pytest.raises(HeadwayError, match=r"left no report \(exit 1\)"):
        load.stop()


def test_the_command_refuses_without_a_traceback():
    result = subprocess.run(
        [sys.executable, "-m", "deploy.sandbox.load", "--url=http://shop.example"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "not this machine" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["aiohttp", "httptools"])
def test_without_the_extra_the_mend_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=rf"needs {name}, which is not installed") as told:
        require_extra()
    assert told.value.mend == "pip install 'headway[sandbox]'"


def test_the_package_is_imported_without_the_extra():
    code = (
        "import sys, deploy.sandbox.load; sys.exit(any(name in sys.modules for name in sys.argv))"
    )
    command = [sys.executable, "-c", code, "aiohttp", "httptools"]
    assert subprocess.run(command, check=False).returncode == 0
