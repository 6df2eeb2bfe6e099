"""`inv migrate.ENVIRONMENT`: the migrations; `--lint` judges their text, without any host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.tasks.edge import Verb, verb

if TYPE_CHECKING:
    from invoke.context import Context

FORMATS = ("plain", "github", "json")


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Say what the migrations would do to {name}; nothing is changed.",
        help={
            "lint": "judge the text of the migrations alone; no host, no secret is needed",
            "folder": "the migrations; without it, the only folder of them that git tracks",
            "since": "a tag or commit: judge what it does not have, as pending all at once",
            "format": "plain, github (annotations), or json",
            "json": "the same as --format json",
        },
    )
    def migrate(
        _c: Context,
        lint: bool = False,
        folder: str | None = None,
        since: str | None = None,
        format: str | None = None,
        json: bool = False,
    ) -> None:
        """Say what the migrations would do; nothing is changed."""
        from deploy.errors import UsageError
        from deploy.settings.names import known

        known(root, name)
        if not lint:
            raise UsageError(
                f"migrate {name} how?",
                state="Nothing has been changed.",
                mend=f"inv migrate.{name} --lint [--folder DIR] [--since TAG] "
                "[--format plain|github|json] judges the text of the migrations.",
            )
        chosen = _format(format, json)
        if _lint(root, Path(folder) if folder else None, since, chosen):
            raise Exit(code=3)

    return migrate


def _format(asked: str | None, json: bool) -> str:
    from deploy.errors import UsageError

    if json and asked not in {None, "json"}:
        raise UsageError(f"--json and --format {asked} ask for two things", mend="Leave one out.")
    if asked not in {None, *FORMATS}:
        raise UsageError(
            f"--format {asked}: there is no such format", mend=f"There is {', '.join(FORMATS)}."
        )
    return "json" if json else asked or "plain"


def _lint(root: Path, folder: Path | None, since: str | None, format: str) -> bool:
    """Judge, print, and tell whether anything would be refused."""
    import sys

    from deploy import git
    from deploy.database.lint import checkout
    from deploy.database.lint.lint import File, is_contract, lint
    from deploy.database.lint.verdict import refused, verdict
    from deploy.tasks.judged import Judgement
    from deploy.views.text import fit

    place = folder or checkout.find(root)
    files = checkout.read(place)
    before: list[File] = []
    if since is not None:
        files, before = checkout.new_since(place, files, since)
    findings = lint(files, before, apart=since is None)
    judged = verdict(findings, contract={one.path for one in files if is_contract(one)})
    # From the root of the checkout, which is what an annotation names a file by.
    where = git.place(place)
    prefix = f"{place.as_posix()}/" if where is None else where
    text = Judgement(judged, len(files), prefix, since).text(format)
    sys.stdout.write(fit(f"{text}\n", sys.stdout.encoding))
    return bool(refused(judged))
