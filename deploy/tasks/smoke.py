"""`inv smoke.ENVIRONMENT`: the smoke tests by themselves, at any time."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.tasks.edge import Verb, show, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.situation import Situation
    from deploy.smoke.result import Result
    from deploy.smoke.smoke import Subject

NOT_TRIED = 3
"""The exit code where nothing failed, and something could not be tried from here."""


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Ask the site of {name} what its smoke tests ask; nothing is changed.",
        help={
            "host": "everything through the proxy of this host",
            "json": "print the results as JSON",
            "junit": "write them to this file as well, as JUnit's XML",
        },
    )
    def smoke(_c: Context, host: str = "", json: bool = False, junit: str = "") -> None:
        """Ask the site what its smoke tests ask."""
        from deploy.errors import NeedsPerson
        from deploy.smoke.report import as_json, as_junit
        from deploy.smoke.smoke import smoke as ask_all

        def said(result: Result) -> None:
            if not json:
                show(f"  {result}")

        with situation(root, name) as one:
            subject = _subject(one, host)
            verdict = ask_all(subject, _tags(one), host, said)
        if junit:
            _write(Path(junit), as_junit(verdict, f"smoke.{name}"))
        if json:
            print(as_json(verdict))
        else:
            show(str(verdict))
        if verdict.failed:
            raise Exit(code=NeedsPerson.exit_code)
        if not verdict.passed:
            raise Exit(code=NOT_TRIED)

    return smoke


def _subject(one: Situation, host: str) -> Subject:
    """What is tested.

    Raises:
        UsageError: there are no tests, or the host can't be asked.
    """
    from deploy.errors import UsageError
    from deploy.phases import subject_of

    name = one.environment.name
    if one.environment.smoke is None:
        raise UsageError(
            f"{name} has no smoke tests",
            state="Nothing has been asked.",
            mend=f"write smoke: smoke.yaml into {one.environment.file.name}; hosts/reference.yaml "
            "has every key",
        )
    subject = subject_of(one)
    if host and host not in subject.answering:
        raise UsageError(
            f"{host} has no proxy that could be asked",
            state="Nothing has been asked.",
            mend=f"The hosts that have one: {', '.join(subject.answering) or 'none'}",
        )
    return subject


def _tags(one: Situation) -> dict[str, str]:
    """What runs on each host that runs something, as far as the hosts can be read."""
    from deploy.errors import Refused

    try:
        facts = one.gather()
    except Refused as error:
        # The site is asked all the same: that may be what somebody wants to know just then.
        show(f"  ! {error}", to=sys.stderr)
        return {}
    found = {host: facts[host].releases.get(facts[host].release) for host in facts}
    return {host: release.tag for host, release in found.items() if release}


def _write(file: Path, text: str) -> None:
    from deploy.errors import UsageError

    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"{file} can't be written: {reason}") from None
