"""A host that nothing but SSH leads to: probes and a browser, through a real sshd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.phases import subject_of
from deploy.smoke.smoke import smoke

from ..remote.conftest import key, key_file, make_host, sshd  # noqa: F401
from .site import says
from .world import situation

if TYPE_CHECKING:
    from ..remote.conftest import MakeHost
    from ..remote.sshd import Sshd
    from .conftest import MakeSite

JOURNEY = """\
def journey(page, site):
    page.goto("/")
    assert page.evaluate("location.href") == "https://shop.example/"
    with page.expect_response("**/api/login") as answer:
        page.evaluate("fetch('/api/login', {method: 'POST', body: 'x'.repeat(300000)})")
    assert answer.value.json() == {"user": "a"}
"""


def test_everything_through_one_host(
    tmp_path: Path,
    make_site: MakeSite,
    sshd: Sshd,  # noqa: F811
    make_host: MakeHost,  # noqa: F811
) -> None:
    site = make_site(
        {
            "/": says(200, "<h1>Shop</h1>" * 20_000),
            "/api/login": says(200, {"user": "a"}),
            "/healthz": says(200, {"version": "v7"}),
        }
    )
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "order.py").write_text(JOURNEY)
    settings = {
        "journeys": "../journeys",
        "probes": {
            "home": {"kind": "home", "expect": {"text": "Shop"}},
            "login": {"kind": "login", "json": {"email": "a"}},
            "version": {"kind": "version"},
        },
    }
    made = situation(tmp_path, settings, 443, {"web-1": site.port})
    made.environment = made.environment.model_copy(update={"url": "https://shop.example"})
    made.hosts = {"web-1": make_host(sshd.port, sshd.line())}
    verdict = smoke(subject_of(made), {"web-1": "v7"}, "web-1")
    assert str(verdict) == "4 passed", list(map(str, verdict.results))
    assert {one.headers["Host"] for one in site.asked} == {"shop.example"}
    assert json.loads(next(one.body for one in site.asked if one.body)) == {"email": "a"}
    assert max(len(one.body) for one in site.asked) == 300_000
