"""What comes of a rehearsal: the text's findings and what it has shown, judged together. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.database.downs.down import down_path
from deploy.database.lint.lint import allowances
from deploy.database.lint.rules import Finding, Level
from deploy.database.lint.verdict import verdict
from deploy.database.outlook import text_of
from deploy.database.rehearsal.merge import merge
from deploy.database.rehearsal.rehearsed import Way
from deploy.errors import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from deploy.database.contract.contract import Breakage
    from deploy.database.lint.verdict import Judged
    from deploy.database.outlook import Outlook
    from deploy.database.rehearsal.rehearsed import Back, Rehearsed

_ABOUT_NO_TABLE = frozenset(
    {
        "drop-type",
        "drop-schema",
        "drop-function",
        "drop-sequence",
        "rename-type",
        "rename-enum-value",
        "remove-enum-value",
        "set-schema",
        "revoke",
        "replace-function",
    }
)
"""Rules whose subject is not the table on which a query then fails."""


def judge(
    outlook: Outlook, rehearsed: Rehearsed, *, downs: bool, later: bool = False
) -> tuple[Judged, ...]:
    """Say what comes of everything that is known of the pending files.

    Args:
        outlook: what the text has said.
        rehearsed: what their rehearsal has shown.
        downs: whether each migration must have a way back.
        later: whether another rehearsal, on the rows, will decide what this one could not see.

    Raises:
        Refused: a file failed there.
    """
    failed = rehearsed.failed
    if failed and failed.failure:
        line = f":{failed.failure.line}" if failed.failure.line else ""
        raise Refused(
            "a migration failed in its rehearsal",
            faults=(Fault(f"{failed.file}{line}", "", failed.failure.message),),
            state="Nothing has been changed.",
            mend="It would have failed on the database, too. Mend the file and deploy again.",
        )
    allowed = {one.path: allowances(text_of(one)) for one in outlook.pending}
    text = [one.finding for one in outlook.judged]
    found = merge(
        text,
        [*rehearsed.findings, *_ways_back(outlook, rehearsed)],
        decided=rehearsed.decided,
        allowed=allowed,
    )
    found += _queries(rehearsed, found, allowed)
    return tuple(
        verdict(
            found,
            sizes=outlook.tables,
            contract={one.path for one in outlook.later},
            catalogue=later,
            downs=downs,
        )
    )


def _ways_back(outlook: Outlook, rehearsed: Rehearsed) -> Iterator[Finding]:
    paths = {one.path: down_path(one.path) for one in outlook.pending}
    for trial in rehearsed.trials:
        why = _wrong(trial.back) if trial.back else ""
        if why:
            yield Finding(trial.file, 1, "bad-down", detail=f"{paths[trial.file]}: {why}")


def _wrong(back: Back) -> str:
    """Why a way back is none; "" if it is one, or was not tried."""
    if back.way is Way.FAILED and back.failure:
        return str(back.failure)
    if back.way is Way.DIFFERS:
        return f"leads elsewhere: {back.differences[0]}"
    if back.failed_again:
        return f"after it, the file {back.failed_again}"
    if back.again:
        return f"after it, the file leads elsewhere: {back.again[0]}"
    return ""


def _queries(
    rehearsed: Rehearsed, found: Iterable[Finding], allowed: dict[str, dict[str, str]]
) -> list[Finding]:
    """What the running version can do no longer, unless another finding says so already.

    That one is refused itself, or somebody has written why it does no harm.
    """
    now = [one for one in rehearsed.trials if not one.later]
    # The queries were tried before any contract file: what one of those does explains nothing.
    later = {one.file for one in rehearsed.trials if one.later}
    known = [one for one in found if one.level is Level.BREAKS and one.file not in later]
    queries = []
    for one in rehearsed.contract or ():
        # It shows after all of them; the last that touched the table is the likeliest.
        of_table = [
            trial
            for trial in now
            if trial.measured and any(table.name == one.table for table in trial.measured.tables)
        ]
        touched = {trial.file for trial in of_table}
        if any(_explains(finding, one, touched) for finding in known):
            continue
        file = (of_table or now or rehearsed.trials)[-1].file
        reason = allowed.get(file, {}).get("running-query", "")
        detail = f"{one.what}: {one.message}"
        queries.append(Finding(file, 1, "running-query", one.table, detail, reason))
    return queries


def _explains(finding: Finding, broken: Breakage, touched: Collection[str]) -> bool:
    """Whether a finding says why a query fails; `touched` are the files that touched its table."""
    if finding.subject == broken.table or finding.subject.startswith(f"{broken.table}."):
        return True
    if finding.rule not in _ABOUT_NO_TABLE:
        return False
    name = finding.subject.rpartition(".")[2]
    if name and re.search(rf"\b{re.escape(name)}\b", broken.message):
        return True
    # A table that other files alone have touched fails for what they did, as far as one can tell.
    return not touched or finding.file in touched
