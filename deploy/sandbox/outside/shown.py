"""What was sent, as text for people. Pure."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_INDENT = " " * 10
_LINK = re.compile(r"<([^|<>]+)\|([^<>]*)>")
_BOLD = re.compile(r"(?<!\w)\*([^*\n]+)\*(?!\w)")


def shown(entries: Sequence[Mapping[str, Any]]) -> str:
    """The entries, the newest last; of a message that was edited its last state alone is whole."""
    if not entries:
        return "Nobody was told anything yet. inv deploy.sandbox tells them."
    newest = {one["message"]: number for number, one in enumerate(entries) if one.get("message")}
    lines = []
    for number, one in enumerate(entries):
        whole = newest.get(one.get("message"), number) == number
        lines.append(_head(one))
        lines += [f"{_INDENT}{line}".rstrip() for line in _said(one, whole)]
    return "\n".join(lines)


def as_json(one: Mapping[str, Any]) -> str:
    """One entry as it came, on one line."""
    return json.dumps(one)


def _head(one: Mapping[str, Any]) -> str:
    when = time.strftime("%H:%M:%S", time.localtime(one["at"]))
    status = f" ({one['status']})" if one["status"] not in {200, None} else ""
    return f"{when}  {one['to'] or 'nobody':<10}  {one['what']:<16}  {one['said']}{status}"


def _said(one: Mapping[str, Any], whole: bool) -> Iterator[str]:
    body = one.get("body")
    if not isinstance(body, Mapping):
        return
    if one["to"] == "slack":
        yield from message(body) if whole else [plain(str(body.get("text", "")))]
    elif one["to"] == "cloudflare":
        yield from (f"{kind}: {_listed(names)}" for kind, names in body.items())
    else:
        what = [f"{body.get(key)}" for key in ("verb", "app", "environment", "id", "outcome")]
        yield " · ".join(part for part in what if part != "None")


def _listed(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list) else "everything"


def message(body: Mapping[str, Any]) -> Iterator[str]:
    """A message of Slack's, line by line."""
    yield plain(str(body.get("text", "")))
    for attachment in body.get("attachments") or []:
        for block in attachment.get("blocks") or []:
            yield from _block(block)


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    if "text" in block:
        yield from plain(block["text"]["text"]).split("\n")
    for field in block.get("fields") or []:
        name, _, value = plain(field["text"]).partition("\n")
        yield f"{name + ':':<13} {value}"
    for element in block.get("elements") or []:
        if element["type"] == "button":
            yield f"[{element['text']['text']}] {element['url']}"
        else:
            yield from plain(element["text"]).split("\n")


def plain(mrkdwn: str) -> str:
    """Slack's markup as it looks: a link with its address, what is bold without its asterisks."""
    pieces = mrkdwn.split("```")
    # Every second piece is code, which has no markup in it.
    pieces[::2] = [_BOLD.sub(r"\1", _LINK.sub(r"\2 (\1)", piece)) for piece in pieces[::2]]
    pieces[1::2] = [
        "".join(f"  | {line}\n" for line in piece.split("\n")) for piece in pieces[1::2]
    ]
    return html.unescape("".join(pieces)).strip("\n")
