"""`inv unlock` takes away what was looked at, and only after a yes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.tasks import lock

from .conftest import MakeKeeper, claim

if TYPE_CHECKING:
    from deploy.lease.keeper import Keeper

ME = "cy@github"


def quiet(_text: str) -> None:
    pass


class Typed:
    """`inv unlock.staging`, and somebody before a terminal who answers `answer`."""

    def __init__(self, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keeper = keeper
        self.answer = "y"
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "cy")
        monkeypatch.setattr(lock, "situation", self.situation)
        monkeypatch.setattr(lock, "somebody_is_here", lambda: True)
        monkeypatch.setattr("builtins.input", self.input)

    @contextmanager
    def situation(self, _root: Path, name: str) -> Iterator[Any]:
        about = SimpleNamespace(name=name)
        yield SimpleNamespace(environment=about, keeper=self.keeper, run="u-1")

    def input(self, question: str) -> str:
        self.asked.append(question)
        self.meanwhile()
        return self.answer

    def __call__(self, **typed: bool) -> tuple[int, str]:
        """The exit code, and the message that ends it."""
        try:
            lock.unlock(Path(), "staging").body(Context(), **typed)
        except Exit as ended:
            return ended.code, ended.message or ""
        return 0, ""

    def has_it(self) -> str:
        """The run that has the lease, "" if none has."""
        holder = self.keeper.look(claim("look")).holder
        return holder.run if holder else ""


@pytest.fixture
def typed(make_keeper: MakeKeeper, monkeypatch: pytest.MonkeyPatch) -> Typed:
    return Typed(make_keeper(), monkeypatch)


def expired(typed: Typed, make_keeper: MakeKeeper) -> None:
    """A run took the lease, and was not heard of again."""
    make_keeper(0).take(claim("d-1"), quiet)
    file = Path(typed.keeper.arrows.settings["dir"]) / ".headway" / "lease" / "now"
    file.write_text(file.read_text().replace('"ttl":0', '"ttl":-1'))


def test_nobody_has_it(typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed() == (0, "")
    assert typed.asked == []
    assert "nobody has the lease, and nobody holds it" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["", "n", "no", "yes please"])
def test_only_yes_gives_it_free(typed: Typed, make_keeper: MakeKeeper, answer: str) -> None:
    expired(typed, make_keeper)
    typed.answer = answer
    assert typed() == (130, "Nothing has been changed.")
    assert typed.asked == ["Give it free? [y/N] "]
    assert typed.has_it() == "d-1"


def test_yes_gives_it_free(
    typed: Typed, make_keeper: MakeKeeper, capsys: pytest.CaptureFixture[str]
) -> None:
    expired(typed, make_keeper)
    assert typed() == (0, "")
    said = capsys.readouterr().out
    assert said.index("expired: ana@laptop (deploy v2") < said.index("staging is free.")
    assert typed.has_it() == ""
    assert typed.keeper.take(claim("d-2"), quiet).was == "broken"


def test_a_run_at_work_is_not_asked_about(typed: Typed) -> None:
    typed.keeper.take(claim("d-1"), quiet)
    code, said = typed(yes=True)
    assert code == 6
    assert "a run that is at work is not broken off\nNothing has been changed." in said
    assert typed.asked == []
    assert typed.has_it() == "d-1"


def test_by_force_it_is_taken_from_a_run_at_work(typed: Typed) -> None:
    typed.keeper.take(claim("d-1"), quiet)
    assert typed(force=True) == (0, "")
    assert typed.asked
    assert typed.has_it() == ""


def test_who_took_it_over_meanwhile_keeps_it(
    typed: Typed, make_keeper: MakeKeeper, capsys: pytest.CaptureFixture[str]
) -> None:
    expired(typed, make_keeper)
    typed.meanwhile = lambda: typed.keeper.take(claim("d-2", "ben@desk"), quiet)
    code, said = typed()
    assert code == 6
    assert "a run that is at work is not broken off" in said
    assert "at work: ben@desk (deploy v2" in capsys.readouterr().out
    assert typed.has_it() == "d-2"


def test_what_somebody_else_holds_by_now_stays_held(typed: Typed, make_keeper: MakeKeeper) -> None:
    expired(typed, make_keeper)
    typed.meanwhile = lambda: typed.keeper.hold(claim("h-1", "ben@desk", "we move the DNS"))
    code, said = typed()
    assert code == 6
    assert "it is ben@desk who holds it" in said
    hold = typed.keeper.look(claim("look")).hold
    assert hold is not None
    assert hold.by == "ben@desk"


@pytest.mark.parametrize("force", [False, True])
def test_what_another_one_holds_takes_force(typed: Typed, force: bool) -> None:
    typed.keeper.hold(claim("h-1", "ben@desk", "we move the DNS"))
    assert typed(force=force, yes=True)[0] == (0 if force else 6)
    assert (typed.keeper.look(claim("look")).hold is None) is force


def test_where_nobody_is_here_it_takes_a_yes(
    typed: Typed, make_keeper: MakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired(typed, make_keeper)
    monkeypatch.setattr(lock, "somebody_is_here", lambda: False)
    code, said = typed()
    assert code == 2
    assert "inv unlock.staging --yes" in said
    assert typed.has_it() == "d-1"
    assert typed(yes=True) == (0, "")
    assert typed.has_it() == ""
