"""`inv recover` where nothing is in its middle, and not all is well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.tasks import recover
from tests.faults.faulty import Course, Fault
from tests.tasks.in_memory import new_fleet

if TYPE_CHECKING:
    from tests.faults.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """On v1 everywhere."""
    found = new_fleet(tmp_path, monkeypatch, recover)
    found.run("v1", Course())
    return found


def typed() -> None:
    recover.make(Path(), "staging").body(Context())


def on(fleet: Fleet) -> dict[str, str]:
    return {host: str(one).partition("-")[0] for host, one in fleet.settled().items()}


def stuck(fleet: Fleet) -> None:
    """The second host settles and is not heard of any more; the others are put back."""
    for number in range(40):
        one = fleet.copy()
        course = Course({number: Fault("lose", gone=500)})
        ended = one.run("v2", course).ended
        now = on(one)
        if (
            ended
            and ended.exit_code == 5
            and now.pop("web-2") == "v2"
            and {*now.values()} == {"v1"}
        ):
            fleet.run("v2", course)
            return
    raise AssertionError("web-2 was never alone on v2")


def test_nothing_was_left(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    typed()
    assert capsys.readouterr().out == "staging: nothing was left in its middle.\n"


def test_the_hosts_were_left_on_different_releases(fleet: Fleet) -> None:
    stuck(fleet)
    fleet.clock += 1000
    before = fleet.settled()
    with pytest.raises(Exit) as ended:
        typed()
    assert ended.value.code == 5
    said = str(ended.value.message)
    assert "the last run, deploy of v2, has ended with its hosts on different releases: " in said
    assert "db-1, web-1, web-3 on v1" in said
    assert "web-2 on v2" in said
    assert "inv deploy.staging --tag v2 takes all of them there, inv rollback.staging back" in said
    assert fleet.settled() == before


@pytest.mark.parametrize(("tag", "goes_to"), [("v2", "v2"), (None, "v1")])
def test_what_it_says_to_type_takes_them_to_one(
    fleet: Fleet, tag: str | None, goes_to: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stuck(fleet)
    fleet.clock += 1000
    fleet.run(tag, Course())
    assert {*on(fleet).values()} == {goes_to}
    typed()
    assert "nothing was left" in capsys.readouterr().out


def test_hosts_that_were_left_out_on_purpose(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.run("v2", Course(), ("web-1", "web-3"))
    typed()
    assert "nothing was left" in capsys.readouterr().out
    # What is put back is as it was before, which is what somebody has wanted.
    for number in range(40):
        one = fleet.copy()
        ended = one.run("v3", Course({number: Fault("refuse")})).ended
        if ended and ended.exit_code == 4:
            fleet.run("v3", Course({number: Fault("refuse")}))
            break
    assert {*on(fleet).values()} == {"v1", "v2"}
    typed()
    assert "nothing was left" in capsys.readouterr().out
