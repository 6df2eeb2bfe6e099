"""`inv migrate.ENVIRONMENT`: the database alone, backed up and migrated, and no host rolled.

`--plan` says what it would do. Without any host, `--lint` judges the text of migrations and
`--write-downs` writes the missing ways back.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.tasks.edge import Verb, carry_out, show, situation, verb
from deploy.tasks.leased import HELP, leased, no_dead, numbered

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.api import Intent
    from deploy.approval import Approval
    from deploy.database.outlook import Outlook
    from deploy.planfile import PlanFile
    from deploy.situation import Situation

FORMATS = ("plain", "github", "json")


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Back up and migrate the database of {name}, and roll no host.",
        help={
            "tag": "the image with the migrations; without it, that of the commit checked out",
            "plan_file": "do the migrations of what inv plan --out wrote there, or nothing",
            "plan": "show every migration's state, and the SQL of what is pending",
            "lint": "judge the text of the migrations alone; no host, no secret is needed",
            "write_downs": "write a down beside each migration that lacks one; no host is needed",
            "folder": "the migrations; without it, the only folder of them that git tracks",
            "since": "a tag or commit: judge what it does not have, as pending all at once",
            "format": "plain, github (annotations), or json",
            "json": "the same as --format json",
            **HELP,
        },
    )
    def migrate(
        _c: Context,
        tag: str | None = None,
        plan_file: str | None = None,
        plan: bool = False,
        lint: bool = False,
        write_downs: bool = False,
        folder: str | None = None,
        since: str | None = None,
        format: str | None = None,
        json: bool = False,
        wait: str | None = None,
    ) -> None:
        """Back up and migrate the database, and roll no host."""
        from deploy.settings.names import known

        known(root, name)
        if write_downs:
            other = {"tag": tag, "plan-file": plan_file, "plan": plan, "lint": lint}
            other |= {"since": since, "format": format}
            _alone({**other, "json": json})
            if not _write_downs(root, Path(folder) if folder else None):
                raise Exit(code=3)
            return
        if lint:
            chosen = _format(format, json)
            if _lint(root, name, Path(folder) if folder else None, since, chosen):
                raise Exit(code=3)
            return
        _only_with_lint({"folder": folder, "since": since, "format": format})
        from deploy.tasks.planned import approval, read

        then = read(plan_file, tag) if plan_file else None
        with situation(root, name) as one:
            if plan:
                _show(one, then.tag if then else tag, json)
                return
            whose = approval(one, then, "migrate")

            def look() -> Intent:
                return _as_planned(one, _intended(one, then.tag if then else tag), then, whose)

            with leased(one, "migrate", wait, look=look) as lease:
                no_dead(
                    one, lease, f"inv plan.{name} --out FILE" if then else f"inv migrate.{name}"
                )
                make = numbered(one, lease, look)
                carry_out(make, database_alone=True, lease=lease)

    return migrate


def _as_planned(one: Situation, intent: Intent, then: PlanFile | None, whose: Approval) -> Intent:
    """What is intended, if it is what was planned, and whose it is."""
    from deploy.planfile import hold, world
    from deploy.tasks.planned import as_of

    if then:
        hold(then, world(one.environment, intent.order, one.facts))
    return as_of(intent, whose)


def _only_with_lint(given: dict[str, str | None]) -> None:
    from deploy.errors import UsageError

    wrong = [f"--{flag}" for flag, value in given.items() if value is not None]
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)} without --lint: the migrations come from the image",
            state="Nothing has been changed.",
            mend="--lint judges a folder of this checkout; --tag names an image.",
        )


def _alone(given: dict[str, str | bool | None]) -> None:
    from deploy.errors import UsageError

    wrong = [f"--{flag}" for flag, value in given.items() if value]
    if wrong:
        raise UsageError(
            f"--write-downs with {', '.join(wrong)}: it writes into a folder of this checkout, and "
            "does nothing else",
            state="Nothing has been changed.",
            mend="Leave the others out; --folder names the folder.",
        )


def _intended(one: Situation, tag: str | None) -> Intent:
    from deploy.api import intend_deploy

    return intend_deploy(one, tag, os.environ)


def _show(one: Situation, tag: str | None, as_json: bool) -> None:
    from deploy.database.outlook import Unfit

    try:
        _told(_intended(one, tag).order.outlook, as_json)
    except Unfit as error:
        _told(error.outlook, as_json)
        raise


def _told(outlook: Outlook | None, as_json: bool) -> None:
    import json

    from deploy.tasks.outlook import as_dict, with_sql

    if as_json:
        print(json.dumps(outlook and as_dict(outlook), indent=2))
    else:
        show("\n".join(with_sql(outlook)) if outlook else "This environment migrates nothing.")


def _format(asked: str | None, json: bool) -> str:
    from deploy.errors import UsageError

    if json and asked not in {None, "json"}:
        raise UsageError(f"--json and --format {asked} ask for two things", mend="Leave one out.")
    if asked not in {None, *FORMATS}:
        raise UsageError(
            f"--format {asked}: there is no such format", mend=f"There is {', '.join(FORMATS)}."
        )
    return "json" if json else asked or "plain"


def _write_downs(root: Path, folder: Path | None) -> bool:
    """Write what is missing, say it, and tell whether every migration has a down now."""
    import sys

    from deploy import git
    from deploy.database.downs.write import write_downs
    from deploy.database.lint import checkout
    from deploy.tasks.downs import said
    from deploy.views.text import fit

    place = folder or checkout.find(root)
    written = write_downs(place)
    where = git.place(place)
    prefix = f"{place.as_posix()}/" if where is None else where
    text = "\n".join(said(written, prefix))
    sys.stdout.write(fit(f"{text}\n", sys.stdout.encoding))
    return written.complete


def _lint(root: Path, name: str, folder: Path | None, since: str | None, format: str) -> bool:
    """Judge, print, and tell whether anything would be refused."""
    import sys

    from deploy import git
    from deploy.database.downs.down import down_path, no_down
    from deploy.database.lint import checkout
    from deploy.database.lint.lint import File, is_contract, lint
    from deploy.database.lint.verdict import refused, verdict
    from deploy.settings.loader import required_downs
    from deploy.tasks.judged import Judgement
    from deploy.views.text import fit

    place = folder or checkout.find(root)
    files = checkout.read(place)
    before: list[File] = []
    if since is not None:
        files, before = checkout.new_since(place, files, since)
    findings = lint(files, before, apart=since is None)
    if since is not None:
        # What has been there for long may have been applied everywhere, with or without one.
        findings += [no_down(one) for one in files if not (place / down_path(one.path)).is_file()]
    contract = {one.path for one in files if is_contract(one)}
    judged = verdict(findings, contract=contract, downs=required_downs(root, name))
    # From the root of the checkout, which is what an annotation names a file by.
    where = git.place(place)
    prefix = f"{place.as_posix()}/" if where is None else where
    text = Judgement(judged, len(files), prefix, since).text(format)
    sys.stdout.write(fit(f"{text}\n", sys.stdout.encoding))
    return bool(refused(judged))
