"""The load in a process of its own: beside a block, as a command, and when it breaks down."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from aiohttp import web

from deploy.errors import HeadwayError, UsageError
from deploy.sandbox.load import Kind, Load, LoadReport, Options, running
from deploy.sandbox.load.process import require_extra
from tests.sandbox.servers import NONE, application, served


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
