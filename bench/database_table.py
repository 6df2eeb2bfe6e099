"""What was measured of a backup and a rehearsal, and its table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.table import MAX_PEAK, MAX_RATIO, held, markdown, spread

BEGIN = "<!-- figures of the database: written by script/bench database -->"
END = "<!-- end of the figures of the database -->"

COMMANDS = {
    "dump": "`pg_dump`",
    "decode": "`pg_restore -f /dev/null`",
    "restore": "`pg_restore` into an empty server",
    "migrations": "the migrations, their ways back, and again",
}
"""The parts that both sides have."""
AROUND = {
    "around the backup": "around the backup: look, sync, manifest",
    "around the restore": "around the restore: make a server like the real one, and compare",
    "start and end": "start the process, remove the server",
}
"""The parts that only Headway has."""


@dataclass(frozen=True)
class Own:
    """What Headway took, in seconds by part, in all and of CPU; its peak and the sizes in bytes.

    CPU is that of both servers' containers, of the process, and of what it started and waited for.
    """

    seconds: Mapping[str, float]
    whole: float
    cpu: float
    peak: int
    database: int
    dump: int


@dataclass(frozen=True)
class Bare:
    """What the bare commands took, in seconds by command, and of CPU, counted in the same way."""

    seconds: Mapping[str, float]
    cpu: float

    @property
    def whole(self) -> float:
        """Their sum."""
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Round:
    """Both, one after the other."""

    own: Own
    bare: Bare

    @property
    def ratio(self) -> float:
        """Headway's wall time over the sum of the bare commands."""
        return self.own.whole / self.bare.whole

    @property
    def ratio_without_migrations(self) -> float:
        """The same without the rehearsal's course, and without psql on the other side."""
        own = self.own.whole - self.own.seconds["migrations"]
        return own / (self.bare.whole - self.bare.seconds["migrations"])


@dataclass(frozen=True)
class Figures:
    """The rounds, and one backup and rehearsal of a `small` database, for the memory alone.

    `load` has the machine's load average of a minute before each round, and after the last.
    """

    rounds: Sequence[Round]
    small: Own
    load: Sequence[float]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(one.ratio for one in self.rounds)

    @property
    def peak(self) -> int:
        """The most memory that any of them had."""
        return max(self.small.peak, *(one.own.peak for one in self.rounds))


def rendered(figures: Figures, setting: Sequence[str]) -> str:
    """The whole block between the markers; `setting` names machine and versions, a line each."""
    rounds = figures.rounds
    own = [one.own for one in rounds]
    large = max(one.peak for one in own)
    summary = [
        ("what", "measured", "budget", "held"),
        (
            "wall time of a backup and a rehearsal, Headway over the bare commands",
            f"{figures.ratio:.2f}× ({spread([one.ratio for one in rounds])})",
            f"≤ {MAX_RATIO}×",
            held(figures.ratio <= MAX_RATIO),
        ),
        (
            "the same without the migrations on either side",
            f"{median(one.ratio_without_migrations for one in rounds):.2f}×",
            "",
            "",
        ),
        (
            "CPU time of servers and commands, Headway over the bare commands",
            f"{median(one.own.cpu / one.bare.cpu for one in rounds):.2f}× "
            f"({median(one.cpu for one in own):.1f} s / "
            f"{median(one.bare.cpu for one in rounds):.1f} s)",
            "",
            "",
        ),
        (
            f"peak memory of our process, {_mb(own[0].database)} / {_mb(figures.small.database)} "
            "of database",
            f"{_mb(large)} / {_mb(figures.small.peak)}",
            f"≤ {_mb(MAX_PEAK)}",
            held(figures.peak <= MAX_PEAK),
        ),
        (
            "dump of the one / of the other",
            f"{_mb(own[0].dump)} / {_mb(figures.small.dump)}",
            "",
            "",
        ),
    ]
    parts = [("seconds", "Headway", "bare")]
    for part, name in (COMMANDS | AROUND).items():
        ours = median(one.seconds[part] for one in own)
        bare = f"{median(one.bare.seconds[part] for one in rounds):.2f}" if part in COMMANDS else ""
        parts.append((name, f"{ours:.2f}", bare))
    each = [("round", "Headway", "bare", "ratio")] + [
        (
            str(number),
            f"{one.own.whole:.2f} s",
            f"{one.bare.whole:.2f} s",
            f"{one.ratio:.2f}×",
        )
        for number, one in enumerate(rounds, start=1)
    ]
    load = (
        "Load of the machine around the rounds, this one's own work among it: "
        f"{min(figures.load):.1f} to {max(figures.load):.1f}."
    )
    blocks = [
        f"Medians of {len(rounds)} rounds; the peaks are the worst of them.",
        markdown(summary),
        markdown(parts),
        markdown(each),
        "\n".join(f"- {line}" for line in (*setting, load)),
    ]
    return "\n\n".join(blocks)


def _mb(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
