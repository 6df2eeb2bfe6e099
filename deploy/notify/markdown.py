"""What comes with a release, as a block of Markdown for the summary of a job. Pure; no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from deploy.notify.message import CHANGES
from deploy.views.summary import escaped

if TYPE_CHECKING:
    from deploy.changelog import Change, Changelog
    from deploy.notify.links import Links


def markdown(changelog: Changelog, links: Links) -> str:
    """The subjects, ten of each list; "" where there is nothing to tell.

    Args:
        changelog: what comes, what goes, and what is not known of it; foreign text.
        links: to look at it; made by us.
    """
    older, newer = changelog.before, changelog.after
    parts = [
        _listed("What comes", changelog.changes, links, links.compare(older, newer)),
        _listed("What goes", changelog.taken_back, links, links.compare(newer, older)),
    ]
    if changelog.lacking:
        parts.append(f"The changelog is not whole: {escaped(changelog.lacking)}")
    return "\n\n".join(part for part in parts if part)


def _listed(title: str, changes: tuple[Change, ...], links: Links, compare: str) -> str:
    if not changes:
        return ""
    shown = f"**{title}**" + (f"   {_link(compare, 'compare')}" if compare else "")
    lines = [_line(one, links) for one in changes[:CHANGES]]
    if len(changes) > CHANGES:
        lines.append(f"- … and {_link(compare, f'{len(changes) - CHANGES} more')}")
    return "\n".join([shown, "", *lines])


def _line(one: Change, links: Links) -> str:
    number = f"\\#{one.pull}" if one.pull else ""
    pull = f" ({_link(links.pull(one.pull), number)})" if number else ""
    author = f", {escaped(one.author)}" if one.author else ""
    return f"- {escaped(one.subject)}{pull}{author}"


def _link(url: str, shown: str) -> str:
    """A link, if there is an address; nothing in that ends it."""
    return f"[{shown}]({quote(url, safe='/:?#=&%~-._')})" if url else shown
