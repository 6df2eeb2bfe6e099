"""Who has approved the job at hand, where GitHub held it until somebody did."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.github.api import NoAnswer, repository

TIMEOUT = 2.0
"""Seconds between two bytes, and twice that for all of the answer; GitHub is asked once.

A deploy goes on without knowing.
"""


def approver(environ: Mapping[str, str], name: str) -> str:
    """The name at GitHub of who let this run deploy to the environment `name`.

    Empty outside of Actions, where nobody was asked, and where GitHub does not say: it takes
    GITHUB_TOKEN with `actions: read`.
    """
    number = environ.get("GITHUB_RUN_ID", "")
    github = repository(environ, timeout=TIMEOUT, tries=1)
    if environ.get("GITHUB_ACTIONS") != "true" or not number.isdecimal() or github is None:
        return ""
    try:
        found = github.get(f"/actions/runs/{number}/approvals") or []
        return next(
            (
                str(one["user"]["login"])
                for one in reversed(found)
                if one["state"] == "approved"
                and any(where["name"] == name for where in one["environments"])
            ),
            "",
        )
    except (NoAnswer, LookupError, TypeError):
        return ""
