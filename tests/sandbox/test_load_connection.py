"""The load's own HTTP/1.1, against a server that says just what each test has it say."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field

import pytest

from deploy.sandbox.load.client import BODY, Client, Outcome
from deploy.sandbox.load.options import Kind

OK = b"HTTP/1.1 200 OK\r\nX-Version: v1\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Version: v1\r\n\r\n"
    b'a;part=1\r\n{"length":\r\n5\r\n 512}\r\n0\r\nX-Sum: 1\r\n\r\n'
)
ENDLESS = b"HTTP/1.1 200 OK\r\nX-Version: v2\r\n\r\nas long as it lasts"
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

FIN, RST = b"<FIN>", b"<RST>"


@dataclass
class Server:
    """Answers the requests of each connection in turn by its script, and remembers the requests.

    A script is what is sent for one request after the other, in pieces: bytes, FIN, RST, or seconds
    to wait in between. After it, the connection stays open and silent.
    """

    scripts: list[list[list[bytes | float]]]
    heads: list[list[bytes]] = field(default_factory=list)
    ended: int = 0
    """Connections that the client had ended when it had its last outcome."""
    over: bool = False

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads: list[bytes] = []
        self.heads.append(heads)
        try:
            for pieces in self.scripts[len(self.heads) - 1]:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                if heads[-1].startswith(b"POST"):
                    await reader.readexactly(BODY)
                if not await self._say(pieces, writer):
                    return
            await reader.read()
            self.ended += not self.over
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _say(self, pieces: list[bytes | float], writer: asyncio.StreamWriter) -> bool:
        for piece in pieces:
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            elif piece == RST:
                linger = struct.pack("ii", 1, 0)
                plug = writer.get_extra_info("socket")
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            elif piece != FIN:
                writer.write(piece)
            if piece in (FIN, RST):
                return False
        await writer.drain()
        return True

    def ask(self, *kinds: Kind, pause: float = 0.02) -> list[Outcome]:
        """Send these one after the other, with a pause (seconds) after each."""

        async def ask_all() -> list[Outcome]:
            outcomes = []
            server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with server, Client(f"http://127.0.0.1:{port}") as client:
                for kind in kinds:
                    outcomes.append(await client.request(kind))
                    await asyncio.sleep(pause)
                self.over = True
            return outcomes

        return asyncio.run(ask_all())

    @property
    def counts(self) -> list[int]:
        """How many requests came on each connection."""
        return [len(heads) for heads in self.heads]


def test_a_connection_is_kept_and_a_request_is_as_it_should_be():
    server = Server([[[OK]] * 3])

    assert server.ask(Kind.GET, Kind.SLOW, Kind.GET) == [Outcome(version="v1")] * 3
    assert server.counts == [3]
    get, slow, _ = server.heads[0]
    assert get.startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:")
    assert slow.startswith(b"POST /slow?ms=2000 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nContent-Length: 512\r\n" in slow
    assert b"Connection" not in get + slow
    assert b"Content" not in get


def test_a_fresh_request_has_a_connection_of_its_own_whatever_the_answer_says():
    server = Server([[[OK], [OK]], [[OK]]])

    assert server.ask(Kind.GET, Kind.FRESH, Kind.GET) == [Outcome(version="v1")] * 3
    assert (server.counts, server.ended) == ([2, 1], 1)


@pytest.mark.parametrize(
    "answer", [CLOSING, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", UPGRADE]
)
def test_a_connection_that_the_answer_ends_is_not_used_again(answer):
    """The server leaves it open: only the answer says so."""
    server = Server([[[answer], [OK]], [[OK]]])

    first, second = server.ask(Kind.GET, Kind.POST)
    assert first.reason == ("status-101" if answer == UPGRADE else "")
    assert second.reason == "body"  # it is answered, on a second connection
    assert server.counts == [1, 1]


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_a_chunked_answer_is_read_to_its_end_and_its_connection_is_kept(pause):
    """In one piece, and byte by byte."""
    pieces: list[bytes | float] = [CHUNKED]
    if pause:
        pieces = [
            part for at in range(0, len(CHUNKED), 7) for part in (CHUNKED[at : at + 7], 0.001)
        ]
    server = Server([[pieces, [CHUNKED]]])

    assert server.ask(Kind.POST, Kind.POST) == [Outcome(version="v1")] * 2
    assert server.counts == [2]


def test_an_answer_without_a_length_ends_with_its_connection():
    server = Server([[[ENDLESS, 0.02, b" and longer", FIN]], [[OK]]])

    assert server.ask(Kind.GET, Kind.GET) == [Outcome(version="v2"), Outcome(version="v1")]
    assert server.counts == [1, 1]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_that_has_no_body_ends_with_its_head(status):
    server = Server([[[b"HTTP/1.1 " + status + b"\r\n\r\n"], [OK]]])

    assert [outcome.version for outcome in server.ask(Kind.GET, Kind.GET)] == ["", "v1"]
    assert server.counts == [2]


@pytest.mark.parametrize(
    "part",
    [
        OK[:1],
        OK[:30],
        OK[:-1],
        CHUNKED[: CHUNKED.index(b"0\r\nX-Sum")],
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
@pytest.mark.parametrize("end", [FIN, RST])
def test_an_answer_cut_short_is_a_failure_and_the_request_is_not_sent_again(part, end):
    """On a kept connection: only one that ends without a single byte leaves it to a GET to try."""
    server = Server([[[OK], [part, 0.02, end]], [[OK]]])

    _, cut, after = server.ask(Kind.GET, Kind.GET, Kind.GET)
    words = "Server disconnected within its answer"
    assert cut == Outcome("reset", words if end == FIN else "[Errno 104] Connection reset by peer")
    assert after == Outcome(version="v1")
    assert server.counts == [2, 1]


def test_an_answer_without_a_length_that_a_reset_ends_is_cut_short():
    server = Server([[[ENDLESS, 0.02, RST]]])

    assert [outcome.reason for outcome in server.ask(Kind.GET)] == ["reset"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"more than that",
    ],
)
def test_garbage_is_a_failure_of_its_own_and_ends_the_connection(garbage):
    server = Server([[[OK], [garbage]], [[OK]]])

    _, bad, after = server.ask(Kind.GET, Kind.GET, Kind.GET)
    assert (bad.reason, bad.retried) == ("protocol", False)
    assert bad.detail
    assert after == Outcome(version="v1")
    assert (server.counts, server.ended) == ([2, 1], 1)


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one():
    stray = OK.replace(b"v1", b"stray")
    together = Server([[[OK + stray]], [[OK]]])
    later = Server([[[OK, 0.02, stray]], [[OK]]])

    assert together.ask(Kind.GET, Kind.POST)[1].version == "v1"
    assert later.ask(Kind.GET, Kind.POST, pause=0.06)[1].version == "v1"
    assert together.counts == later.counts == [1, 1]


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nX-Version: early\r\nLink: </style.css>\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n",
    ],
)
@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_an_interim_answer_is_skipped(interim, pause):
    server = Server([[[interim, pause, OK], [OK]]])

    assert server.ask(Kind.GET, Kind.GET) == [Outcome(version="v1")] * 2
    assert server.counts == [2]


def test_a_get_is_sent_again_once_only_and_each_time_its_failure_says_so():
    server = Server([[[OK], [RST]], [[RST]]])

    assert server.ask(Kind.GET, Kind.GET)[1] == Outcome(
        "reset", "[Errno 104] Connection reset by peer", retried=True
    )
    assert server.counts == [2, 1]


def test_a_request_given_up_ends_its_connection(monkeypatch):
    monkeypatch.setattr("deploy.sandbox.load.client.TIMEOUT", 0.1)
    server = Server([[[0.2, OK]], [[OK]]])

    late, after = server.ask(Kind.GET, Kind.GET, pause=0.2)
    assert late.reason == "timeout"
    assert after == Outcome(version="v1")
    assert (server.counts, server.ended) == ([1, 1], 1)


def test_a_long_answer_comes_whole():
    length = 3_000_000
    head = b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n" % length
    server = Server([[[head + b"x" * length], [OK]]])

    assert server.ask(Kind.GET, Kind.GET) == [
        Outcome("status-500", "x" * 120),
        Outcome(version="v1"),
    ]
    assert server.counts == [2]


def test_the_connection_that_was_idle_longest_is_taken_first():
    """So that each is tried in its turn, and a server finds none of them old."""
    server = Server([[[0.05, OK], [OK]], [[0.05, OK], [OK]]])

    async def pairs() -> None:
        listener = await asyncio.start_server(server.talk, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with listener, Client(url) as client:
            await asyncio.gather(client.request(Kind.GET), client.request(Kind.GET))
            await client.request(Kind.GET)
            await client.request(Kind.GET)

    asyncio.run(pairs())
    assert server.counts == [2, 2]
