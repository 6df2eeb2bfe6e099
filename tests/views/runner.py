"""What the Actions runner takes for a command, after its own sources.

actions/runner: `Runner.Common/ActionCommand.cs` (both syntaxes), `Runner.Worker/
ActionCommandManager.cs` (stopping and resuming), `Runner.Worker/Handlers/OutputManager.cs`. Lines
are those of .NET's `StreamReader.ReadLine`; names are compared without regard to case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

REGISTERED = {
    "stop-commands", "set-env", "set-output", "save-state", "add-mask", "add-path", "add-matcher",
    "remove-matcher", "debug", "warning", "error", "notice", "group", "endgroup", "echo",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    name: str
    properties: tuple[tuple[str, str], ...]
    data: str


def commands(log: str) -> list[Command]:
    """Every command that the runner acts on in this log."""
    registered = set(REGISTERED)
    token = ""
    found = []
    for line in re.split("\r\n|\r|\n", log):
        command = _second(line, registered) or _first(line, registered)
        if command is None:
            continue
        if token:
            if command.name.lower() == token.lower():
                registered.discard(token)
                token = ""
            continue
        if command.name.lower() == "stop-commands":
            token = command.data
            registered.add(token)
        found.append(command)
    return found


def _second(line: str, registered: set[str]) -> Command | None:
    """`::name key=value,key=value::data`, at the beginning of a line after any white space."""
    line = line.lstrip()
    if not line.startswith("::"):
        return None
    end = line.find("::", 2)
    if end < 0:
        return None
    return _command(line[2:end], line[end + 2 :], registered, ",", _property)


def _first(line: str, registered: set[str]) -> Command | None:
    """`##[name key=value;key=value]data`, anywhere in a line."""
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    return _command(line[start + 3 : end], line[end + 1 :], registered, ";", _old)


def _command(head, data, registered, separator, unescape) -> Command | None:  # type: ignore[no-untyped-def]
    name, _, rest = head.partition(" ")
    if name.lower() not in {known.lower() for known in registered}:
        return None
    pairs = [item.split("=", 1) for item in rest.strip().split(separator) if item]
    properties = tuple(
        (pair[0], unescape(pair[1])) for pair in pairs if len(pair) == 2 and all(pair)
    )
    return Command(name, properties, (_old if separator == ";" else _data)(data))


def _data(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def _property(text: str) -> str:
    for escape, mark in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, mark)
    return text


def _old(text: str) -> str:
    for escape, mark in (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%")):
        text = text.replace(escape, mark)
    return text
