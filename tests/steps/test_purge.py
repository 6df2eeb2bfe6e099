"""A purge never fails a run: what it could not do is a warning, with what repeats it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from deploy.cdn.cdn import NotPurged
from deploy.events import Event, StepDone, Stream, Warned
from deploy.run import Run
from deploy.steps.purge import Purge


@dataclass
class One:
    name: str
    error: str = ""
    what: str = "tag html"
    runs: list[str] = field(default_factory=list)

    def purge(self, run: str) -> None:
        self.runs.append(run)
        if self.error:
            raise NotPurged(self.error)


def test_it_says_what_was_purged() -> None:
    said: list[tuple[str, bool]] = []
    cdns = [One("cloudflare"), One("fastly", what="key html")]
    step = Purge(cdns, "d-1-deploy", "inv cdn.staging")
    detail = step.do(lambda text, warning: said.append((text, warning)))
    assert (detail, said) == ("cloudflare: tag html; fastly: key html", [])
    assert [one.runs for one in cdns] == [["d-1-deploy"], ["d-1-deploy"]]
    assert step.undo(lambda *_: None) == ""


def test_a_failure_is_a_warning_with_the_command_that_repeats_it() -> None:
    heard: list[Event] = []
    stream = Stream()
    stream.listen(heard.append)
    step = Purge([One("cloudflare", "answered 500 (3 times)")], "d-1-deploy", "inv cdn.staging")
    assert Run(stream, threading.Event()).walk([[step]]) is None
    (warned,) = (event for event in heard if isinstance(event, Warned))
    assert warned.text == (
        "cloudflare was not purged: answered 500 (3 times); again: inv cdn.staging"
    )
    (done,) = (event for event in heard if isinstance(event, StepDone))
    assert (done.step, done.detail) == ("purge", "nothing")


def test_it_is_begun_after_the_deadline_too() -> None:
    """It would fail what has gone well, and there is nothing that could be put back."""
    now = iter(range(0, 1000, 100))
    one = One("cloudflare")
    run = Run(Stream(), threading.Event(), limit=1, clock=lambda: float(next(now)))
    assert run.walk([[Purge([one], "d-1", "inv cdn.staging")]]) is None
    assert one.runs == ["d-1"]
