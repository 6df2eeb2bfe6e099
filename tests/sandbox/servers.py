"""Little servers on loopback, good ones and such as do one thing badly, and a load on them."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from deploy.sandbox.load import LoadReport, Options
from deploy.sandbox.load.generator import generate

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
