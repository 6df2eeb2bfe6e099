"""What the events so far add up to: the phases and the hosts, each as one row. Pure; no I/O.

A step that happens to a host while it is rolled (stage, switch, settle) belongs to the host's row;
any other step is a phase of its own, whether it concerns no host, one or all of them.
"""

from __future__ import annotations

from deploy.events import (
    Event,
    Outcome,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    StepUndone,
    Warned,
)
from deploy.views.gantt import Span
from deploy.views.lines import subject, undone
from deploy.views.rows import ROLL, HostRow, Mark, Phase, Row, fold


class Tally:
    """Takes tidy events in their order, and knows what they add up to."""

    def __init__(self) -> None:
        self.run: RunStarted | None = None
        self.ended: RunEnded | None = None
        self.began = 0.0
        self.phases: dict[str, Phase] = {}
        self.hosts: dict[str, HostRow] = {}
        self.failures: list[StepFailed] = []
        self.warnings: list[Warned] = []
        self.spans: list[Span] = []
        self.said = ""
        self._since: dict[tuple[str, str], float] = {}
        self._rolling = False

    def take(self, event: Event) -> None:
        """Add one event."""
        self.began = self.began or event.at
        match event:
            case RunStarted():
                self.run = event
                self.hosts.update((name, HostRow(name)) for name in event.hosts)
            case StepStarted():
                self._started(event)
            case StepSaid():
                self.said = f"{subject(event.step, event.host)}: {event.text}"
            case StepDone():
                self._done(event)
            case StepFailed():
                self._failed(event)
            case StepUndone():
                self._undone(event)
            case Warned():
                self.warnings.append(event)
                self.said = f"{event.host}: {event.text}" if event.host else event.text
            case RunEnded():
                self.ended = event

    def phase_rows(self, now: float, *, after_roll: bool) -> list[Row]:
        """The phases that began before the first host was rolled, or those after it."""
        ended = self.ended is not None
        return [
            phase.row(now, ended=ended)
            for phase in self.phases.values()
            if phase.after_roll is after_roll
        ]

    def host_rows(self, now: float, room: int) -> list[Row]:
        """The hosts in at most `room` rows (at least 2); of more, only those that matter.

        Hosts that failed come before those at work, and a last row counts the others. After the
        end only hosts that the roll came to are listed, and the others too when it broke off.
        """
        outcome = self.ended.outcome if self.ended else None
        hosts = list(self.hosts.values())
        if outcome is not None:
            rolled = any(host.touched for host in hosts)
            hosts = [h for h in hosts if h.touched or (rolled and outcome is not Outcome.DONE)]
        if len(hosts) <= room:
            return [host.row(now, outcome=outcome) for host in hosts]
        urgent = [host for host in hosts if host.mark in (Mark.FAILED, Mark.UNDONE)]
        urgent += [host for host in hosts if host.mark is Mark.ACTIVE]
        shown = urgent[: room - 1]
        named = {host.name for host in shown}
        rows = [host.row(now, outcome=outcome) for host in hosts if host.name in named]
        return [*rows, fold([h for h in hosts if h.name not in named], bool(rows), outcome)]

    def _phase(self, step: str, at: float) -> Phase:
        if step not in self.phases:
            self.phases[step] = Phase(step, at, after_roll=self._rolling)
        return self.phases[step]

    def _host(self, event: StepStarted | StepDone | StepFailed | StepUndone) -> HostRow | None:
        """The row of the event's host; one that is rolled unannounced gets a row as well."""
        if event.host and event.step in ROLL:
            self._rolling = True
            return self.hosts.setdefault(event.host, HostRow(event.host))
        return self.hosts.get(event.host)

    def _span(self, event: StepDone | StepFailed | StepUndone, began: float, mark: str) -> None:
        self.spans.append(Span(event.step, event.host, began, event.at, mark))

    def _started(self, event: StepStarted) -> None:
        self.said = subject(event.step, event.host)
        self._since[event.step, event.host] = event.at
        if host := self._host(event):
            host.step, host.since = event.step, event.at
        if not (event.host and event.step in ROLL):
            self._phase(event.step, event.at).running.add(event.host)

    def _done(self, event: StepDone) -> None:
        self.said = f"{subject(event.step, event.host)} done"
        if event.detail:
            self.said += f": {event.detail}"
        self._span(event, event.at - event.seconds, "✓")
        host = self._host(event)
        if host and event.step == host.step:
            host.step = ""
        if host and event.step in ROLL:
            host.spent[event.step] = host.spent.get(event.step, 0.0) + event.seconds
            host.settled = host.settled or event.step == "settle"
            return
        phase = self._phase(event.step, event.at - event.seconds)
        phase.running.discard(event.host)
        phase.done[event.host] = event.detail
        phase.seconds = event.at - phase.began if len(phase.done) > 1 else event.seconds

    def _failed(self, event: StepFailed) -> None:
        self.failures.append(event)
        self.said = f"{subject(event.step, event.host)} failed: {event.reason}"
        self._span(event, self._since.get((event.step, event.host), event.at), "✗")
        if host := self._host(event):
            host.step, host.failed = "", event.step
        if not (event.host and event.step in ROLL):
            phase = self._phase(event.step, event.at)
            phase.running.discard(event.host)
            phase.failed.append(event.host)
            phase.seconds = event.at - phase.began

    def _undone(self, event: StepUndone) -> None:
        self.said = f"{event.host or event.step}: {undone(event)}"
        self._span(event, event.at - event.seconds, "↩" if event.ok else "✗")
        if host := self._host(event):
            host.undone.append(event)
            host.step = ""
        else:
            self._phase(event.step, event.at).undone.append(event)
