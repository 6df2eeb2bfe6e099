"""What is pending in the database, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy.tasks.judged import SIGN
from deploy.tasks.judged import as_dict as finding

if TYPE_CHECKING:
    from deploy.database.lint.verdict import Judged
    from deploy.database.migrations.folder import Migration
    from deploy.database.outlook import Outlook

PUSH = "drizzle-kit push: what it changes, nobody can say beforehand"


def lines(outlook: Outlook) -> list[str]:
    """How many are pending, then each file with what is said of it, and its SQL."""
    if outlook.push:
        return [PUSH]
    if not outlook.pending:
        return ["nothing pending"]
    found = [f"{len(outlook.pending)} pending"]
    for one in outlook.pending:
        found.append(f"  {one.name}  {_phase(one, outlook)}")
        found += [f"    {_said(said)}" for said in outlook.judged if said.finding.file == one.path]
        found += [f"      {line}" for line in _sql(one)]
    return found + [f"  ! {one}" for one in outlook.doubts]


def with_sql(outlook: Outlook) -> list[str]:
    """Every migration with its state; the SQL of those that are pending."""
    found = [PUSH] if outlook.push else []
    for one in outlook.standing.judged:
        found.append(f"{one.path}  {one.state}")
        if one.migration is not None and one.migration in outlook.pending:
            found += [f"    {line}" for line in _sql(one.migration)]
    found += [f"{_place(one)}  {_said(one)}" for one in outlook.judged]
    return found + [f"! {one}" for one in outlook.doubts]


def as_dict(outlook: Outlook) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "push": outlook.push,
        "states": [{"file": one.path, "state": one.state.value} for one in outlook.standing.judged],
        "pending": [
            {"name": one.name, "file": one.path, "phase": _phase(one, outlook), "sql": one.sql}
            for one in outlook.pending
        ],
        "findings": [finding(one) for one in outlook.judged],
        "doubts": list(outlook.doubts),
    }


def _sql(one: Migration) -> list[str]:
    return one.sql.strip().splitlines()


def _phase(one: Migration, outlook: Outlook) -> str:
    return "contract, after every host has settled" if one in outlook.later else "expand"


def _place(one: Judged) -> str:
    return f"{one.finding.file}:{one.finding.line}"


def _said(one: Judged) -> str:
    return f"{SIGN[one.outcome]} {one.finding.rule}  {one.text}"
