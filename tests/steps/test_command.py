"""The steps that have a command change the schema: what they make of how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.database.command.failure import CommandNotBelieved
from deploy.database.command.oneoff import Ran
from deploy.database.command.push import Pushed, pushed
from deploy.database.command.seen import Seen
from deploy.database.migrations.folder import Format
from deploy.database.migrations.recorded import Recorded, Row
from deploy.errors import HeadwayError, NeedsPerson, Unreachable
from deploy.steps import command as steps
from deploy.steps import push as pushes
from deploy.steps.command import Commanded
from deploy.steps.push import Push
from tests.steps.test_migrate import folder

FOLDER = folder("0000_a", "0001_b")
EMPTY = frozenset({"schema public: []"})
RESTORE = "inv restore.production shop-1"


def seen(applied: int, *more: str) -> Seen:
    """A database that has so many of the folder's migrations, and more in its schema."""
    rows = (
        Row(one.hash, one.when, None, number) for number, one in enumerate(FOLDER.migrations, 1)
    )
    found = tuple(rows)[:applied]
    return Seen(Recorded(Format.V0 if found else None, found), EMPTY | set(more))


@dataclass
class Command:
    """A command that ends as the test says."""

    ends: list[Ran | HeadwayError]
    tokens: list[str] = field(default_factory=list)
    host: str = "web-1"
    shown: str = "npx drizzle-kit migrate"

    def run(self, token: str, say: Any) -> Ran:
        del say
        self.tokens.append(token)
        found = self.ends.pop(0)
        if isinstance(found, HeadwayError):
            raise found
        return found

    def session(self, token: str) -> str:
        return f"headway {token}"


GOOD = Ran("ended with exit code 0", good=True)
BAD = Ran("ended with exit code 1", "its last lines")
LATE = Ran("did not end within 60 s, and was stopped")
GONE = Ran("may still be running: the connection was lost", ended=False)

COLUMN = "column users.mail: text"
ENDS: dict[str, tuple[Ran, Seen | None, str]] = {
    "done": (GOOD, seen(2, COLUMN), "done"),
    "done, and says no": (BAD, seen(2, COLUMN), "warned"),
    "done, and stopped": (LATE, seen(2, COLUMN), "warned"),
    "says yes, and did nothing": (GOOD, seen(0), "as before"),
    "failed": (BAD, seen(0), "as before"),
    "stopped": (LATE, seen(0), "as before"),
    "says yes, and did half": (GOOD, seen(1, COLUMN), "changed"),
    "a row, and no schema": (BAD, seen(1), "changed"),
    "a schema, and no row": (BAD, seen(0, COLUMN), "changed"),
    "nobody knows": (GONE, seen(2), "unknown"),
    "the database is gone": (GOOD, None, "unknown"),
}


@pytest.mark.parametrize(("ran", "after", "comes_to"), ENDS.values(), ids=ENDS)
def test_how_it_ended(
    monkeypatch: pytest.MonkeyPatch, ran: Ran, after: Seen | None, comes_to: str
) -> None:
    monkeypatch.setattr(steps, "look", lambda _server: seen(0))
    monkeypatch.setattr(steps, "look_at_rest", lambda *_words: after)
    command, said = Command([ran]), []
    names = ["0000_a", "0001_b"]
    server: Any = SimpleNamespace()
    one = Commanded(FOLDER, names, server, command, "d-1.migrate", way_back=lambda: RESTORE)  # type: ignore[arg-type]
    if comes_to in {"done", "warned"}:
        assert one.do(lambda *words: said.append(words)) == "0000_a, 0001_b"
        warned = [text for text, warned in said if warned]
        told = [f"the command {ran.how}, and has applied everything"]
        assert warned == (told if comes_to == "warned" else [])
        assert one.undo(lambda *_: None).startswith("left as it is")
    else:
        with pytest.raises(CommandNotBelieved) as caught:
            one.do(lambda *_: None)
        assert caught.value.message.startswith(f"web-1: the command {ran.how}")
        assert ran.said in caught.value.state
        if comes_to == "as before":
            assert caught.value.state.endswith("The schema is as before.")
            assert one.undo(lambda *_: None) == ""
        else:
            with pytest.raises(NeedsPerson) as stuck:
                one.undo(lambda *_: None)
            assert ("nobody knows" in stuck.value.message) == (comes_to == "unknown")
            assert stuck.value.mend == RESTORE
    assert command.tokens == ["d-1.migrate"]


def test_a_host_that_is_not_reached_has_done_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "look", lambda _server: seen(0))
    server: Any = SimpleNamespace()
    command: Any = Command([Unreachable("web-1", "no route")])
    one = Commanded(FOLDER, ["0000_a", "0001_b"], server, command, "d-1.migrate")
    with pytest.raises(Unreachable):
        one.do(lambda *_: None)
    assert one.undo(lambda *_: None) == ""


CHANGED = Ran("ended with exit code 0", "[✓] Changes applied", good=True)
SETTLED = Ran("ended with exit code 0", "[i] No changes detected", good=True)
ASKS = Ran("ended with exit code 0", "Do you still want to push changes?", good=True)
TABLE = "table users: r"

PUSHES: dict[str, tuple[list[Ran], list[Seen | None], str]] = {
    "nothing to change": ([SETTLED], [seen(0)], "nothing to change"),
    "changed, and proven": ([CHANGED, SETTLED], [seen(0, TABLE)] * 2, "1 difference"),
    "changed for ever": ([CHANGED, CHANGED], [seen(0, TABLE)] * 2, "1 difference"),
    "asks": ([ASKS], [seen(0)], "as before"),
    "fails half-way": ([ASKS], [seen(0, TABLE)], "changed"),
    "a word of success with another exit code": (
        [Ran("ended with exit code 1", CHANGED.said)],
        [seen(0)],
        "as before",
    ),
    "goes on changing": ([CHANGED, CHANGED], [seen(0, TABLE), seen(0, COLUMN)], "changed"),
    "nobody knows": ([GONE], [], "unknown"),
    "the database is gone": ([CHANGED], [None], "unknown"),
}


@pytest.mark.parametrize(("ends", "after", "comes_to"), PUSHES.values(), ids=PUSHES)
def test_how_a_push_ended(
    monkeypatch: pytest.MonkeyPatch, ends: list[Ran], after: list[Seen | None], comes_to: str
) -> None:
    left = list(after)
    monkeypatch.setattr(pushes, "look", lambda _server: seen(0))
    monkeypatch.setattr(pushes, "look_at_rest", lambda *_words: left.pop(0))
    command: Any = Command(list(ends))
    server: Any = SimpleNamespace()
    one = Push(server, command, "d-1.push", way_back=lambda: RESTORE)
    if comes_to in {"as before", "changed", "unknown"}:
        with pytest.raises(CommandNotBelieved):
            one.do(lambda *_: None)
        if comes_to == "as before":
            assert one.undo(lambda *_: None) == ""
        else:
            with pytest.raises(NeedsPerson) as stuck:
                one.undo(lambda *_: None)
            assert stuck.value.mend == RESTORE
    else:
        assert one.do(lambda *_: None) == comes_to
        assert one.undo(lambda *_: None) == (
            "left as it is: push has no way back" if "1" in comes_to else ""
        )
    assert command.ends == []
    assert command.tokens == ["d-1.push", "d-1.push-again"][: len(ends)]


def test_the_words_of_a_push() -> None:
    assert [pushed(one) for one in (CHANGED, SETTLED, ASKS, BAD)] == [
        Pushed.CHANGED,
        Pushed.SETTLED,
        Pushed.FAILED,
        Pushed.FAILED,
    ]
