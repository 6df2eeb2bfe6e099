"""What a task prints beside a run: a plan, a list, an error. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.views.github import inert
from deploy.views.text import clean


def page(text: str, environ: Mapping[str, str]) -> str:
    """The text without what a terminal, or in Actions the runner, would act on.

    Args:
        text: of many lines; hosts, registries and commits have had their say in it.
        environ: the process environment, which tells whether this is Actions.
    """
    lines = clean(text).split("\n")
    if environ.get("GITHUB_ACTIONS") == "true":
        lines = [inert(line) for line in lines]
    return "\n".join(lines)
