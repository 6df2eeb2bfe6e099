"""How Slack, Cloudflare and the webhook can misbehave, each by itself. Pure.

The shell is for the container they are in; its first argument is the service's name.
"""

from __future__ import annotations

from deploy.sandbox.faults import Fault

SERVICES = ("slack", "cloudflare", "webhook")
CONTAINER = "headway-outside"
FOLDER = "/run/outside"
"""Where the server looks for a file of the service's name, with the fault's name in it."""


def _word(name: str, does: str) -> Fault:
    file = f'"{FOLDER}/$1"'
    make = f"mkdir -p {FOLDER}\necho {name} >{file}"
    return Fault(name, does, make, f"if grep -qsx {name} {file}; then rm {file}; fi")


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "gone",
            "nobody listens, and connections are refused: by all three of them",
            outside=(("stop", "exited"), ("start", "running")),
        ),
        _word("hang", "takes what it is sent, and answers nothing"),
        _word("close", "hangs up when it has been asked"),
        _word("answer-429", "it is too much for now: 429, with Retry-After: 1"),
        _word("answer-500", "it is broken: 500"),
        _word("say-no", "refuses in its own words; Slack and Cloudflare do so with a 200"),
    )
}
