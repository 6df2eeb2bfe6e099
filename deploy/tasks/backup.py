"""`inv backup.ENVIRONMENT create|list|verify NAME`: backups by hand, and what there is of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.redaction.sink import current
from deploy.tasks.edge import Body, Verb, guarded, show, situation
from deploy.tasks.leased import claim

if TYPE_CHECKING:
    from datetime import datetime

    from invoke.context import Context
    from invoke.parser.argument import Argument

    from deploy.database.backup.manifest import Manifest
    from deploy.database.backup.shelf import Shelf
    from deploy.facts import HostFacts
    from deploy.situation import Situation

ACTIONS = ("create", "list", "verify")


class Worded(Verb):
    """A task whose words may be left out, which Invoke's own positional arguments may not.

    So an argument is a positional one only if something was typed for it: `inv backup.staging` has
    no word, `inv backup.staging verify NAME` has two. `words` are the arguments' names, in order.
    """

    words: Sequence[str] = ()
    typed: Sequence[str] = ()

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Invoke's arguments of this task, those positional that have a word."""
        found: list[Argument] = super().get_arguments(ignore_unknown_help=ignore_unknown_help)
        for argument in found:
            if argument.name in self.words[: len(self.typed)]:
                argument.positional = True
                argument.default = None
        return found


def worded(
    function: Body, name: str, doc: str, help: Mapping[str, str], words: Mapping[str, int]
) -> Worded:
    """Make a function a guarded task with words that may be left out.

    Args:
        function: of Invoke's context and the arguments, which have defaults.
        name: the environment.
        doc: what `--list` and `--help` say.
        help: argument → one line; those of words first, in their order.
        words: the first word → how many words there are then; "" is for any other.
    """
    body = guarded(function)
    body.__doc__ = doc
    task = Worded(body, name=name, auto_shortflags=False, positional=(), help=dict(help))
    verb = function.__name__
    task.words = list(help)[: max(words.values())]
    typed = words_of(f"{verb}.{name.replace('_', '-')}", sys.argv[1:])
    typed = typed or words_of(verb, sys.argv[1:])
    task.typed = typed[: words.get(typed[0], words[""])] if typed else ()
    return task


def words_of(task: str, line: Sequence[str]) -> list[str]:
    """The words that were typed after a task; a flag or another task ends them."""
    line = line[: line.index("--")] if "--" in line else line
    try:
        rest = list(line[line.index(task) + 1 :])
    except ValueError:
        return []
    found = []
    for word in rest:
        if word.startswith("-") or "." in word.removesuffix(".dump"):
            break
        found.append(word)
    return found


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""
    environment = name

    def backup(_c: Context, action: str = "list", name: str = "", json: bool = False) -> None:
        """Back the database up, or list or verify its backups."""
        from deploy.errors import UsageError

        if action not in ACTIONS:
            raise UsageError(
                f"backup knows no {action!r}",
                state="Nothing has been changed.",
                mend=f"inv backup.{environment} create, list, or verify NAME",
            )
        if action == "verify" and not name:
            raise UsageError(
                "verify which backup?",
                state="Nothing has been changed.",
                mend=f"inv backup.{environment} list shows them; then verify NAME",
            )
        with situation(root, environment) as one:
            {"create": _create, "list": _list, "verify": _verify}[action](one, name, json)

    return worded(
        backup,
        name,
        f"Back the database of {name} up (create), or list or verify its backups.",
        {
            "action": "create, list (without a word), or verify NAME",
            "name": "a backup's name, for verify",
            "json": "print it as JSON",
        },
        {"verify": 2, "": 1},
    )


def told(text: str, warned: bool) -> None:
    """Print what a script says; redacted before it is cut, as a piece of a secret is not found."""
    from deploy.views.text import one_line

    show(f"  {'! ' if warned else ''}{one_line(current().redact(text))}")


def _create(one: Situation, _name: str, as_json: bool) -> None:
    from dataclasses import replace

    from deploy.database.backup.backups import Order, backups_of
    from deploy.database.backup.copies import copies_of
    from deploy.errors import HostError, Refused
    from deploy.history import entries, releases, way_back
    from deploy.situation import whoami

    backups = backups_of(one.environment, one.hosts)
    say = (lambda _text, _warned: None) if as_json else told
    way: list[str] = []
    facts: dict[str, HostFacts] = {}
    try:
        _nobody_needs_one(one)
        facts = one.gather()
        way = way_back(entries(facts))
    except (HostError, Refused) as error:
        say(f"{error.message}; so no old backup is removed", True)
        backups = replace(backups, keep=sys.maxsize)
    running = releases(facts).get(way[-1]) if way else None
    tag = running.tag if running else ""
    order = Order(way[-1] if way else "", tag, "hand", whoami(os.environ))
    manifest = backups.create(order, way[-2:], say)
    manifest = copies_of(one.environment, one.hosts, backups).make(manifest, say)
    if as_json:
        print(manifest.to_json())
        return
    show(created(manifest, backups.host, backups.folder))
    print(f"Back to it: inv restore.{one.environment.name} {manifest.name}")


def _nobody_needs_one(one: Situation) -> None:
    """Look whether a run is at work that may go back to a backup, or has died before its end.

    Raises:
        Refused: one is, or has.
        HostError: nobody can say.
    """
    from deploy.errors import Refused
    from deploy.journal import dead

    seen = one.keeper.look(claim(one, "backup"))
    if seen.holder:
        raise Refused(f"{seen.holder} has the lease, and may need one")
    if runs := dead(seen.records):
        raise Refused(f"{runs[-1].run} died, and what it has left may need one")


def created(manifest: Manifest, host: str, folder: str) -> str:
    """A new backup in one line."""
    from deploy.views.text import duration, size

    seconds = sum(float(part) for part in manifest.body.get("seconds", {}).values())
    checked = "verified" if manifest.body.get("decoded") else "not checked"
    what = f"by backup.command in {duration(seconds)}, {checked}"
    if manifest.method == "dump":
        whole = size(int(manifest.facts.get("database_bytes") or 0))
        what = f"{whole} → {size(manifest.bytes)}, decoded, in {duration(seconds)}"
    return f"{manifest.name}   {what}   {host}:{folder}"


def _list(one: Situation, _name: str, as_json: bool) -> None:
    from datetime import UTC, datetime

    from deploy.database.backup.backups import backups_of

    backups = backups_of(one.environment, one.hosts)
    shelf = backups.shelf()
    found = [row(manifest, shelf, backups.host) for manifest in reversed(shelf.kept)]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    show(rendered(found, one.environment, datetime.now(UTC)))


def row(manifest: Manifest, shelf: Shelf, host: str) -> dict[str, Any]:
    """What is said of a backup in a list; bytes, and times in ISO 8601."""
    proof = manifest.proof if shelf.whole(manifest) else "missing"
    copies = [str(copy.get("where")) for copy in manifest.body.get("copies") or []]
    here = [host] if manifest.method == "dump" and proof != "missing" else []
    return {
        "name": manifest.name,
        "at": str(manifest.body["at"]),
        "bytes": manifest.bytes,
        "release": manifest.release,
        "tag": manifest.tag,
        "purpose": manifest.purpose,
        "proof": proof,
        "checked": (manifest.body.get("checked") or {}).get("at"),
        "where": [*here, *copies],
    }


def rendered(found: list[dict[str, Any]], environment: Any, now: datetime) -> str:
    """A list for people, the newest first."""
    from datetime import datetime

    from deploy.views.text import elapsed, pad, size

    if not found:
        return f"There is no backup yet: inv backup.{environment.name} create"
    lines = [f"{environment.app} · {environment.name}", ""]
    width = max(len(one["name"]) for one in found)
    for one in found:
        at = datetime.fromisoformat(one["at"].replace("Z", "+00:00"))
        age = f"{elapsed((now - at).total_seconds())} ago"
        what = size(one["bytes"]) if one["bytes"] else "-"
        sign = "!" if one["proof"] in {"damaged", "missing"} else " "
        lines.append(
            f"{sign} {pad(one['name'], width)}  {pad(age, 14)}  {pad(what, 7)}  "
            f"{pad(one['tag'] or '-', 12)}  {pad(one['proof'], 9)}  {', '.join(one['where'])}"
        )
    return "\n".join(lines)


def _verify(one: Situation, name: str, as_json: bool) -> None:
    from deploy.database.backup.backups import backups_of
    from deploy.views.text import duration, size

    backups = backups_of(one.environment, one.hosts)
    name = name.removesuffix(".dump")
    manifest = backups.verify(name, (lambda _text, _warned: None) if as_json else told)
    if as_json:
        print(manifest.to_json())
        return
    seconds = float(manifest.body["checked"]["seconds"])
    print(
        f"{name} is as it was written: {size(manifest.bytes)}, decoded to its end in "
        f"{duration(seconds)}"
    )
