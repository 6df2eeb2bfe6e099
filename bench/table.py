"""The figures as Markdown, and their place in docs/performance.md. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.figures import Figures, Pair, Roll, execs

BEGIN = "<!-- figures: written by script/bench -->"
END = "<!-- end of figures -->"

MAX_RATIO = 1.15
"""Wall time of a roll over the floor's, on loopback. This and the next four: docs/design.md."""
MAX_EXECS = 7
MAX_PEAK = 120_000_000
MAX_LISTING = 1.5
MAX_FACTS = 2.0


def rendered(figures: Figures, setting: Sequence[str]) -> str:
    """The whole block between the markers; `setting` names machine and versions, a line each."""
    headway = [one.headway for one in figures.rounds]
    floor = [one.floor for one in figures.rounds]
    peak = max(roll.usage.peak for roll in headway)
    counted, by_floor = execs(headway), execs(floor)
    others = [host for host in counted if host != figures.keeper]
    busiest = max(counted[host] for host in others)
    summary = [
        ("what", "measured", "budget", "held"),
        (
            "wall time of a roll, Headway over the floor",
            f"{figures.ratio:.2f}× ({spread([one.ratio for one in figures.rounds])})",
            f"≤ {MAX_RATIO}×",
            held(figures.ratio <= MAX_RATIO),
        ),
        ("wall time, Headway / floor", f"{_wall(headway)} / {_wall(floor)}", "", ""),
        (
            f"the same ratio without the {figures.ordered:g} s that the settings make both wait",
            f"{figures.ratio_of_work:.2f}×",
            "",
            "",
        ),
        (
            "SSH execs per host and deploy, on the busiest host, Headway / floor",
            f"{busiest} / {max(by_floor.get(host, 0) for host in others)}",
            f"≤ {MAX_EXECS}",
            held(busiest <= MAX_EXECS),
        ),
        (
            f"the same on {figures.keeper}, which keeps the lease, the run's record and its story",
            f"{counted.get(figures.keeper, 0)} / {by_floor.get(figures.keeper, 0)}",
            "",
            "",
        ),
        (
            "peak memory of the deploying process",
            f"{peak / 1e6:.0f} MB",
            f"≤ {MAX_PEAK / 1e6:.0f} MB",
            held(peak <= MAX_PEAK),
        ),
        (
            "CPU time of the deploying process",
            f"{median(roll.usage.cpu for roll in headway):.2f} s",
            "",
            "",
        ),
        (
            "`inv --list`, over an empty `tasks.py`",
            _pair(figures.listing),
            f"≤ {MAX_LISTING}×",
            held(figures.listing.ratio <= MAX_LISTING),
        ),
        (
            f"facts from {figures.hosts} hosts, over one host's connect",
            _pair(figures.facts),
            "",
            "",
        ),
        (
            f"the same for each host and core ({figures.hosts} hosts, {figures.cores} cores)",
            f"{figures.facts_ratio:.2f}×",
            f"≤ {MAX_FACTS:g}× (40 hosts)",
            held(figures.facts_ratio <= MAX_FACTS),
        ),
    ]
    rounds = [("round", "Headway", "floor", "ratio")] + [
        (
            str(number),
            f"{one.headway.usage.seconds:.2f} s",
            f"{one.floor.usage.seconds:.2f} s",
            f"{one.ratio:.2f}×",
        )
        for number, one in enumerate(figures.rounds, start=1)
    ]
    hosts = list(counted)
    by_host = [
        ("SSH execs", *hosts),
        ("Headway", *(str(counted[host]) for host in hosts)),
        ("floor", *(str(by_floor.get(host, 0)) for host in hosts)),
    ]
    parts = [
        f"Medians of {len(figures.rounds)} rounds; the peak and the execs are the worst of them.",
        markdown(summary),
        markdown(rounds),
        markdown(by_host),
        "\n".join(f"- {line}" for line in setting),
    ]
    return "\n\n".join(parts)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def placed(document: str, block: str, begin: str = BEGIN, end: str = END) -> str:
    """The document with `block` between two markers, whatever stood there.

    Raises:
        ValueError: it has not each marker once, in their order.
    """
    before, found, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended) or begin in after or end in before + after:
        raise ValueError(f"the document must have {begin} and then {end}, once each")
    return f"{before}{begin}\n\n{block}\n\n{end}{after}"


def held(true: bool) -> str:
    """Whether a budget is held, for the table."""
    return "yes" if true else "**no**"


def _wall(rolls: Sequence[Roll]) -> str:
    return f"{median(roll.usage.seconds for roll in rolls):.1f} s"


def spread(ratios: Sequence[float]) -> str:
    """The least and the most."""
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def _pair(pair: Pair) -> str:
    this, that = median(pair.this) * 1000, median(pair.that) * 1000
    return f"{pair.ratio:.2f}× ({this:.0f} ms / {that:.0f} ms)"
