"""What the load counts of websockets, and what of them it counts apart."""

import pytest
from aiohttp import WSCloseCode, web

from deploy.sandbox.load import Kind
from tests.sandbox.servers import NONE, application, load_on


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
