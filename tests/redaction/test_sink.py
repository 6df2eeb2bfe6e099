"""What is printed in pieces comes out as if it had been printed at once."""

from __future__ import annotations

import io
import logging
import sys
import threading
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.redaction.redactor import MASK, Redactor
from deploy.redaction.sink import Sink, current, redacted

from .test_redactor import SECRETS, TEXTS, WAYS, encoded

SECRET = "correct-horse-battery"


@settings(deadline=None)
@given(
    secrets=st.lists(SECRETS, min_size=1, max_size=3),
    pieces=st.lists(st.one_of(TEXTS, st.integers(0, WAYS - 1)), max_size=6),
    cuts=st.lists(st.integers(1, 9), min_size=1),
    flush=st.booleans(),
)
def test_a_secret_in_pieces_does_not_get_through(
    secrets: list[str], pieces: list[str | int], cuts: list[int], flush: bool
) -> None:
    text = "".join(
        one if isinstance(one, str) else encoded(secrets[one % len(secrets)])[one] for one in pieces
    )
    behind = io.StringIO()
    redactor = Redactor(secrets)
    sink = Sink(behind, redactor)
    at = 0
    while at < len(text):
        cut = cuts[at % len(cuts)]
        assert sink.write(text[at : at + cut]) == len(text[at : at + cut])
        if flush:
            sink.flush()
        assert not any(secret in behind.getvalue() for secret in secrets)
        at += cut
    sink.end()
    assert behind.getvalue() == redactor.redact(text)


@settings(deadline=None)
@given(text=st.text(), cut=st.integers(1, 5))
def test_without_secrets_everything_goes_through_at_once(text: str, cut: int) -> None:
    behind = io.StringIO()
    sink = Sink(behind, Redactor(["short"]))
    for at in range(0, len(text), cut):
        sink.write(text[at : at + cut])
        assert behind.getvalue() == text[: at + cut]


def test_only_what_may_be_a_secret_is_held_back() -> None:
    """A question without a line's end is to be read before it is answered."""
    behind = io.StringIO()
    sink = Sink(behind, Redactor([SECRET]))
    sink.write("Go ahead? [y/N] ")
    sink.flush()
    assert behind.getvalue() == "Go ahead? [y/N] "
    sink.write("corr")
    sink.flush()
    assert behind.getvalue() == "Go ahead? [y/N] "
    sink.write("ected\n")
    assert behind.getvalue() == "Go ahead? [y/N] corrected\n"


def test_a_flush_in_its_middle_gives_nothing_away() -> None:
    behind = io.StringIO()
    sink = Sink(behind, Redactor(["first\nsecond line\nthird"]))
    for line in ("first\n", "second line\n", "third\n"):
        sink.write(line)
        sink.flush()
    assert behind.getvalue() == f"{MASK}\n"


def test_whatever_prints_passes_it(capsys: pytest.CaptureFixture[str]) -> None:
    with redacted() as redactor:
        redactor.learn([SECRET])
        assert current() is redactor
        print("printed", SECRET)
        sys.stdout.write(f"written {SECRET}\n")
        handler = logging.StreamHandler()
        logging.getLogger("a test of the sink").addHandler(handler)
        logging.getLogger("a test of the sink").warning("logged %s", SECRET)
        try:
            raise RuntimeError(f"raised {SECRET}")
        except RuntimeError:
            traceback.print_exc()
        thread = threading.Thread(target=print, args=(f"from a thread {SECRET}",))
        thread.start()
        thread.join()
    out, err = capsys.readouterr()
    for words in ("printed ", "written ", "from a thread "):
        assert f"{words}{MASK}\n" in out
    for words in ("logged ", "raised "):
        assert f"{words}{MASK}" in err
    assert SECRET not in out + err


def test_afterwards_the_streams_are_what_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr

    def fails() -> None:
        with redacted() as redactor:
            redactor.learn([SECRET])
            assert sys.stdout.encoding == before[0].encoding
            assert sys.stdout.isatty() == before[0].isatty()
            print("corr", end="")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out == "corr"
    assert current().redact(SECRET) == SECRET
    print(SECRET)
    assert capsys.readouterr().out == f"{SECRET}\n"
