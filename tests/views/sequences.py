"""Runs as a listener sees them: one list of events for each way that a run can end."""

from __future__ import annotations

from dataclasses import dataclass, field

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

START = 1_790_000_000.0
HOSTS = ("web-1", "web-2", "web-3", "worker-1")


@dataclass
class Script:
    """Writes events down with a clock that goes on by the seconds that each step takes."""

    now: float = START
    events: list[Event] = field(default_factory=list)

    def begin(self, **changes: object) -> None:
        about: dict[str, object] = {
            "id": "d-20261122-1904",
            "verb": "deploy",
            "app": "shop",
            "environment": "production",
            "before": "v1.4.2",
            "after": "v1.5.0",
            "hosts": HOSTS,
        }
        self.events.append(RunStarted(at=self.now, **(about | changes)))  # type: ignore[arg-type]

    def start(self, step: str, host: str = "") -> None:
        self.events.append(StepStarted(at=self.now, step=step, host=host))

    def say(self, step: str, host: str, text: str) -> None:
        self.events.append(StepSaid(at=self.now, step=step, host=host, text=text))

    def done(self, step: str, host: str, seconds: float, detail: str = "") -> None:
        self.now += seconds
        self.events.append(
            StepDone(at=self.now, step=step, host=host, seconds=seconds, detail=detail)
        )

    def step(self, step: str, host: str, seconds: float, detail: str = "") -> None:
        self.start(step, host)
        self.done(step, host, seconds, detail)

    def fail(self, step: str, host: str, reason: str, detail: str = "", seen: str = "") -> None:
        self.now += 1.5
        self.events.append(
            StepFailed(at=self.now, step=step, host=host, reason=reason, detail=detail, seen=seen)
        )

    def undo(self, step: str, host: str, seconds: float, text: str, *, ok: bool = True) -> None:
        self.now += seconds
        self.events.append(
            StepUndone(at=self.now, step=step, host=host, seconds=seconds, ok=ok, text=text)
        )

    def warn(self, text: str, host: str = "") -> None:
        self.events.append(Warned(at=self.now, text=text, host=host))

    def end(self, outcome: Outcome, exit_code: int, message: str, following: str = "") -> None:
        self.events.append(
            RunEnded(
                at=self.now,
                outcome=outcome,
                exit_code=exit_code,
                seconds=self.now - START,
                message=message,
                next=following,
            )
        )

    def prepare(self) -> None:
        """Checks, the pull on all hosts at once, the migrations."""
        self.step("checks", "", 3.1, "4 hosts, registry, database")
        for host in HOSTS:
            self.start("pull", host)
        for host, seconds in zip(HOSTS, (4.0, 0.5, 1.0, 0.5), strict=True):
            self.done("pull", host, seconds, "38 MB")
        self.step("migrate", "", 0.4, "0007_add_coupons, 0008_index_orders")

    def roll(self, host: str, stage: float, switch: float, settle: float) -> None:
        self.step("stage", host, stage)
        self.step("switch", host, switch)
        self.step("settle", host, settle)


def success() -> list[Event]:
    script = Script()
    script.begin(summary="8 commits by Ana, Bo")
    script.prepare()
    script.start("stage", "web-1")
    script.say("stage", "web-1", "2 containers started, waiting for /healthz")
    script.done("stage", "web-1", 3.2)
    script.step("switch", "web-1", 10.0, "no failing probe in 10 s")
    script.step("settle", "web-1", 0.9)
    script.roll("web-2", 3.1, 0.02, 1.3)
    script.roll("web-3", 3.0, 0.02, 1.3)
    script.roll("worker-1", 0.0, 1.2, 0.8)
    script.warn("clock is 3 s behind", "web-3")
    script.step("verify", "", 5.2, "7 probes, 1 journey")
    script.end(
        Outcome.DONE,
        0,
        "https://shop.example serves v1.5.0 on 4 hosts.",
        "Back again: inv rollback.production",
    )
    return script.events


def first() -> list[Event]:
    script = Script()
    script.begin(environment="sandbox", before="", after="v1", hosts=("web-1",))
    script.step("pull", "web-1", 6.0, "38 MB")
    script.roll("web-1", 64.2, 5.0, 0.0)
    script.end(Outcome.DONE, 0, "http://127.0.0.1:8080 serves v1 on 1 host.")
    return script.events


def reverted() -> list[Event]:
    script = Script()
    script.begin()
    script.prepare()
    script.roll("web-1", 3.2, 10.0, 0.9)
    script.step("stage", "web-2", 3.0)
    script.start("switch", "web-2")
    script.fail(
        "switch",
        "web-2",
        "/healthz through the proxy answered 500 (3 times in 5 s)",
        '{"status":"error","detail":"relation \\"coupons\\" does not exist"}\n'
        'web-2 │ Error: relation "coupons" does not exist\n'
        "web-2 │     at /app/dist/coupons.js:14:11",
        '500 {"status":"error","detail":"relation \\"coupons\\" does not exist"}',
    )
    script.undo("switch", "web-2", 0.01, "switched back, new containers removed")
    script.undo("settle", "web-1", 4.1, "rolled back to v1.4.2")
    script.undo("migrate", "", 0.0, "database left as it is: v1.4.2 works on it (rehearsed)")
    script.end(
        Outcome.REVERTED,
        4,
        "shop · production is on v1.4.2 on all 4 hosts; no request was lost. v1.5.0 is marked bad.",
        "Report: inv report.production d-20261122-1904",
    )
    return script.events


def nothing() -> list[Event]:
    script = Script()
    script.begin(before="v1.5.0")
    script.step("checks", "", 1.2, "4 hosts, registry, database")
    script.end(Outcome.NOTHING, 0, "shop · production is on v1.5.0 on all 4 hosts already.")
    return script.events


def refused() -> list[Event]:
    script = Script()
    script.begin()
    script.start("checks")
    script.fail("checks", "", "2 faults")
    script.end(
        Outcome.REFUSED,
        3,
        "The checks say no:\n"
        "  web-2  disk: 0.4 GB free, 2 GB needed; inv prune.production\n"
        "  web-3  docker: no answer; systemctl start docker\n"
        "Nothing has been changed.",
        "Look again: inv check.production",
    )
    return script.events


def cancelled() -> list[Event]:
    script = Script()
    script.begin()
    script.prepare()
    script.roll("web-1", 3.2, 10.0, 0.9)
    script.start("stage", "web-2")
    script.say("stage", "web-2", "asked to stop, going to the next safe point")
    script.undo("stage", "web-2", 0.6, "new containers removed")
    script.end(
        Outcome.CANCELLED,
        130,
        "web-1 is on v1.5.0; web-2, web-3 and worker-1 are on v1.4.2.",
        "Go on: inv deploy.production --tag v1.5.0",
    )
    return script.events


def needs_person() -> list[Event]:
    script = Script()
    script.begin(verb="rollback", before="v1.5.0", after="v1.4.2")
    script.step("pull", "web-1", 0.2)
    script.roll("web-1", 3.2, 1.0, 0.9)
    script.start("stage", "web-2")
    script.start("stage", "web-3")
    script.fail("stage", "web-2", "container exited with code 137", "Killed")
    script.undo("stage", "web-2", 12.0, "no connection to 203.0.113.12", ok=False)
    script.end(
        Outcome.NEEDS_PERSON,
        5,
        "web-2 can't be reached: it served v1.5.0 when it was last seen.",
        "When it is back: inv recover.production",
    )
    return script.events


def hostile() -> list[Event]:
    script = Script()
    script.begin(summary="\x1b]0;owned\x07<!channel> ::error::from a commit")
    script.start("::error::a step")
    script.say("checks", "web-1", "::set-env name=PATH::/tmp\r::add-mask::a\n##[error]b")
    script.warn("  ::stop-commands::x\x1b[2J\x9b31m ##[group]")
    script.fail(
        "stage",
        "web-1",
        "answered \x1b[31m500\x1b[0m % , : ::error::no\r\n::error::really",
        "::error::first\r\n"
        "\t ::endgroup::\n"
        "progress 10 %\rprogress 99 %\r::warning::after a return\n"
        "in the middle ##[error]second ##\x00[endgroup]\n"
        "```\n<script>alert(1)</script> <!channel> @everyone\n````` | [a](http://b)\n"
        "\x1b[2J\x1b]52;c;aGk=\x1b\\\x1bPq\x1b\\\x1b]8;;http://x\x07link\x1b]8;;\x07\n"
        "\u202egnirts\u2066 \x08\x08\x7f [red]no markup[/red] :boom:\n"
        "\x1b]0;a title that is never ended\n"
        "last",
        "500 `<!channel>` ::error::seen\n##[error]seen",
    )
    script.end(
        Outcome.REVERTED,
        4,
        "::error::message\n##[error]message\n* _bold_ | <b>",
        "::warning::next ##[section]",
    )
    return script.events


def fleet(settled: int, hosts: int = 40) -> list[Event]:
    """The beginning of a run over many hosts: some settled, one failed, two at work."""
    names = tuple(f"web-{number}" for number in range(1, hosts + 1))
    script = Script()
    script.begin(hosts=names)
    script.step("checks", "", 3.1, f"{hosts} hosts, registry, database")
    for name in names[:settled]:
        script.roll(name, 3.0, 0.02, 1.3)
    for name in names[settled : settled + 2]:
        script.start("stage", name)
    if settled + 2 < hosts:
        script.fail("stage", names[settled + 2], "never became healthy")
    return script.events


def fleet_done() -> list[Event]:
    script = Script(events=fleet(40))
    script.end(Outcome.DONE, 0, "https://shop.example serves v1.5.0 on 40 hosts.")
    return script.events


CASES = {
    "success": success,
    "first": first,
    "reverted": reverted,
    "nothing": nothing,
    "refused": refused,
    "cancelled": cancelled,
    "needs-person": needs_person,
    "hostile": hostile,
}
