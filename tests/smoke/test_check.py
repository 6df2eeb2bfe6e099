"""What `inv check` says of the smoke tests."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import Refused, Unreachable
from deploy.examine import examine
from deploy.remote.fake import FakeHost
from deploy.smoke.browser import system_browser
from deploy.smoke.check import faults_of, unreachable
from deploy.tasks.deploy import can_be_tried

from ..remote.sshd import free_port
from .world import situation

if TYPE_CHECKING:
    from deploy.errors import Fault


def found(root: Path, smoke: dict[str, Any] | None, hosts: dict[str, Any]) -> list[Fault]:
    made = situation(root, smoke, 80, hosts)
    return faults_of(made.environment, made.compose, made.placements)


def test_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, None, {"web-1": 80}) == []
    assert found(tmp_path, {"probes": {"home": {"kind": "home"}}}, {"web-1": 80}) == []


class Closed(FakeHost):
    def dial(self, port: int, *, timeout: float) -> socket.socket:
        raise Unreachable(self.name, f"nobody gets to {port}", mend="let them")


def test_a_host_that_lets_nobody_through_is_told_before_a_deploy(tmp_path: Path) -> None:
    made = situation(tmp_path, {}, 80, {"web-1": 8081, "web-2": free_port(), "web-3": 8083})
    hosts = {name: FakeHost(name, []) for name in ("web-2", "worker-1")}
    hosts["web-1"] = Closed("web-1", [])
    # web-2 has no proxy yet, web-3 could not be reached at all.
    faults = unreachable(made.environment, made.compose, made.placements, hosts)
    assert list(map(str, faults)) == ["web-1  smoke: nobody gets to 8081; let them"]


@pytest.mark.parametrize(
    ("name", "more", "refused"),
    [
        ("staging", {}, False),
        ("production", {}, True),
        ("staging", {"strict": True}, True),
        ("production", {"strict": False}, False),
    ],
)
def test_a_deploy_is_refused_for_what_would_put_it_back_and_else_warned(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    more: dict[str, bool],
    refused: bool,
) -> None:
    monkeypatch.setattr("deploy.smoke.browser.has_playwright", lambda: False)
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "order.py").write_text("def journey(page, site): ...\n")
    smoke = {"journeys": "../journeys", **more}
    made = situation(tmp_path, smoke, 80, {"web-1": 8081}, name)
    made.hosts = {"web-1": Closed("web-1", [])}
    if refused:
        with pytest.raises(Refused) as caught:
            can_be_tried(made)
        faults = caught.value.faults
        assert str(caught.value).startswith("the smoke tests can't be tried from here\n  ")
    else:
        can_be_tried(made)
        faults = made.untried
    lacking, closed = map(str, faults)
    assert lacking.startswith(f"{name}.yaml  smoke.journeys: journeys need Playwright")
    assert closed == "web-1  smoke: nobody gets to 8081; let them"


def test_check_names_what_journeys_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "order.py").write_text("def journey(page, site): ...\n")
    made = situation(tmp_path, {"journeys": "../journeys"}, free_port(), {"web-1": free_port()})
    monkeypatch.setattr("deploy.examine.find_images", lambda _situation, _tag: {})
    monkeypatch.setattr("deploy.smoke.browser.has_playwright", lambda: False)
    assert "pip install 'headway[journeys]'" in [fault.mend for fault in examine(made)]
    monkeypatch.setattr("deploy.smoke.browser.has_playwright", lambda: True)
    monkeypatch.setattr("deploy.smoke.browser.own_browser", lambda _: True)
    assert [fault for fault in examine(made) if fault.path == "smoke.journeys"] == []


def test_journeys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.smoke.browser.has_playwright", lambda: False)
    smoke = {"journeys": "../journeys"}
    (none, lacking) = found(tmp_path, smoke, {"web-1": 80})
    assert none.message == f"there is none in {tmp_path / 'journeys'}"
    assert (lacking.message, lacking.mend) == (
        "journeys need Playwright, which is not installed here",
        "pip install 'headway[journeys]'",
    )
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "order.py").write_text("x = 1\n")
    messages = [one.message for one in found(tmp_path, smoke, {"web-1": 80})]
    assert messages[0] == "order.py has no function named journey"


def test_there_is_no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.smoke.browser.has_playwright", lambda: True)
    monkeypatch.setattr("deploy.smoke.browser.own_browser", lambda _: False)
    monkeypatch.setattr("deploy.smoke.browser.system_browser", lambda _: None)
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "order.py").write_text("def journey(page, site): ...\n")
    (fault,) = found(tmp_path, {"journeys": "../journeys"}, {"web-1": 80})
    assert "there is none here" in fault.message
    assert "apt-get install chromium-headless-shell" in fault.mend


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ({"chromium", "chromium-headless-shell"}, "/usr/bin/chromium-headless-shell"),
        ({"chromium"}, "/usr/bin/chromium"),
        ({"google-chrome"}, "/usr/bin/google-chrome"),
        (set(), None),
    ],
)
def test_the_systems_browser_is_found_by_itself(
    monkeypatch: pytest.MonkeyPatch, there: set[str], found: str | None
) -> None:
    """Debian's, or that of GitHub's runners; also where the PATH does not lead to it."""

    def which(name: str, path: str) -> str | None:
        return f"/usr/bin/{name}" if name in there and "/usr/bin" in path.split(":") else None

    monkeypatch.setattr("deploy.smoke.browser.shutil.which", which)
    assert system_browser({"PATH": "/opt/bin"}) == found
