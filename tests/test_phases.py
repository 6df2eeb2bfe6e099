"""Which steps change the database, and when, by what applies the migrations there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.database.command.foreseen import at_once, unforeseen
from deploy.database.migrations.folder import Folder, Format, Migration
from deploy.database.migrations.states import Standing
from deploy.database.outlook import Outlook
from deploy.errors import Refused
from deploy.facts import HostFacts, Unfinished
from deploy.migrating import before_hosts, rehearsal
from deploy.order import Order
from deploy.phases import after_revert, database_alone, phases
from deploy.release import Bundle, Release
from deploy.remote.fake import FakeHost, says
from deploy.settings import load
from deploy.situation import Files, Situation
from deploy.steps.command import Commanded
from deploy.steps.hosts import Prepare
from deploy.steps.migrate import Migrate
from deploy.steps.push import Push

HOSTS = """\
app: shop
image: ghcr.io/acme/shop
hosts:
  db-1: {address: 203.0.113.31, roles: [db]}
  web-1: {address: 203.0.113.11, roles: [web]}
  web-2: {address: 203.0.113.12, roles: [web]}
services:
  web: {role: web, port: 3000}
  database: {role: db, rolled: false}
secrets: [TOKEN]
database:
  kind: postgres
  service: database
  host: db-1
  migrations: drizzle
  lock_timeout: 3s
  backup: {required: BACKUP}
  apply: APPLY
"""
COMPOSE = """\
services:
  web: {image: 'ghcr.io/acme/shop:x', ports: ['80:3000']}
  database: {image: 'postgres:17'}
"""
A, B = (Migration(name, 1, name, f"{name}.sql", "select 1;") for name in ("0000_a", "0001_b"))
FOLDER = Folder(Format.V0, (A, B))
OUTLOOK = Outlook(FOLDER, Standing(Format.V0, ()))
KIT = "{command: npx drizzle-kit migrate, timeout: 2m}"


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Makes a situation, and an order from no release to v2 on both web hosts."""

    def one(
        apply: str,
        outlook: Outlook | None,
        backup: str = "false",
        verb: str = "deploy",
        more: str = "",
    ) -> Any:
        (tmp_path / "hosts").mkdir(exist_ok=True)
        text = HOSTS.replace("APPLY", apply).replace("BACKUP", backup)
        (tmp_path / "hosts" / "staging.yaml").write_text(text + more)
        (tmp_path / "compose.yaml").write_text(COMPOSE)
        situation = Situation.of(load(tmp_path, "staging", {"TOKEN": "hunter2"}))
        situation.hosts = {name: FakeHost(name, lambda _: says()) for name in situation.placements}
        situation.facts = {name: HostFacts() for name in situation.placements}
        release = Release("v2-0a1b2c3d", "v2", {"web": "ghcr.io/acme/shop@sha256:0"}, "")
        bundle = Bundle(release, COMPOSE, {}, {})
        files = {name: Files("", "") for name in situation.placements}
        plan: Any = SimpleNamespace(
            verb=verb, rolling=("web-1", "web-2"), waves=(("web-1",), ("web-2",)), empty=False
        )
        order = Order("d-1", "ana", plan, release, bundle, files, outlook)
        return situation, order

    return one


def shown(walk: Any) -> list[str]:
    return [f"{step.name} {step.host}".strip() for phase in walk for step in phase]


NOW, LATER = replace(OUTLOOK, now=(A, B)), replace(OUTLOOK, later=(A, B))


def test_headway_applies_itself(make: Any) -> None:
    walk = before_hosts(*make("headway", NOW, "true"))
    assert shown(walk) == ["backup db-1", "migrate"]
    assert isinstance(walk[-1][0], Migrate)
    assert shown(database_alone(*make("headway", NOW))) == ["migrate"]


def test_a_command_is_run_where_the_first_service_runs(make: Any) -> None:
    situation, order = make(KIT, NOW, "true")
    walk = before_hosts(situation, order)
    assert shown(walk) == ["backup db-1", "migrate"]
    (step,) = walk[-1]
    assert isinstance(step, Commanded)
    assert (step.names, step.token, step.reverts) == (["0000_a", "0001_b"], "d-1.migrate", True)
    one = step.command
    assert (one.host, one.service, one.release) == ("web-1", "web", "v2-0a1b2c3d")
    assert (one.command, one.timeout) == ("npx drizzle-kit migrate", 120)
    assert one.limits.lock_timeout == 3
    assert [secret.name for secret in one.secrets] == ["TOKEN"]
    assert one.arrows.settings["project"] == "shop"
    assert step.database.host.name == "db-1"


def test_a_command_waits_for_the_hosts_where_only_contract_files_are_pending(make: Any) -> None:
    walk = phases(*make(KIT, at_once(LATER)), lambda: None)
    names = shown(walk)
    assert "migrate" not in names
    assert names[-2:] == ["verify", "contract"]
    (step,) = walk[-1]
    assert isinstance(step, Commanded)
    assert (step.token, step.reverts) == ("d-1.contract", False)


def test_contract_files_wait_for_the_next_deploy_where_a_host_was_left_out(make: Any) -> None:
    """That host may run what they would break; the next one has no other host to roll."""
    situation, order = make("headway", replace(OUTLOOK, now=(A,), later=(B,)))
    some = replace(situation, left_out=("web-2",))
    order.plan.rolling, order.plan.waves = ("web-1",), (("web-1",),)
    first = shown(phases(some, order, lambda: None))
    assert "migrate" in first
    assert "contract" not in first
    # By then every host is on the release, and the file alone is pending.
    situation, order = make("headway", replace(OUTLOOK, later=(B,)))
    order.plan.rolling, order.plan.waves = (), ()
    walk = phases(situation, order, lambda: None)
    assert shown(walk)[-1] == "contract"
    assert not {"migrate", "stage web-1", "switch web-1"} & set(shown(walk))
    (step,) = walk[-1]
    assert isinstance(step, Migrate)
    assert (step.names, step.reverts) == (["0001_b"], False)


def test_a_command_would_apply_contract_files_too_early() -> None:
    mixed = replace(OUTLOOK, now=(A,), later=(B,))
    with pytest.raises(Refused, match="would apply contract files with the others") as caught:
        at_once(mixed)
    (fault,) = caught.value.faults
    assert (fault.where, fault.mend) == ("0001_b.sql", "deploy it in a later release")
    assert at_once(NOW) is NOW
    assert at_once(OUTLOOK) is OUTLOOK


def test_a_push_comes_before_the_hosts_and_needs_no_migrations(make: Any) -> None:
    server: Any = object()
    walk = before_hosts(*make("push", unforeseen(server), "true"))
    assert shown(walk) == ["backup db-1", "push"]
    (step,) = walk[-1]
    assert isinstance(step, Push)
    assert (step.token, step.fresh, step.command.command) == (
        "d-1.push",
        False,
        "npx drizzle-kit push",
    )
    names = shown(phases(*make("push", unforeseen(server)), lambda: None))
    assert names.index("pull web-2") < names.index("push") < names.index("stage web-1")


def test_a_push_into_a_database_that_is_not_there_yet_has_nothing_to_back_up(make: Any) -> None:
    ((step,),) = before_hosts(*make("push", unforeseen(None), "true"))
    assert (step.name, step.fresh) == ("push", True)


@pytest.mark.parametrize(("apply", "outlook"), [(KIT, NOW), ("push", unforeseen(None))])
def test_the_database_alone_needs_the_release_on_the_host_of_the_command(
    make: Any, apply: str, outlook: Outlook
) -> None:
    assert shown(database_alone(*make(apply, outlook)))[0] == "pull web-1"
    assert database_alone(*make(apply, None)) == []


def test_a_rollback_pushes_nothing(make: Any) -> None:
    """It has no outlook: the schema is left alone."""
    names = shown(phases(*make("push", None, verb="rollback"), lambda: None))
    assert "push" not in names
    assert "stage web-1" in names


@pytest.mark.parametrize(("phase", "back"), [("switched", "v0-1"), ("settling", "v1-1")])
def test_the_way_back_leads_to_where_what_was_cut_off_comes_to_its_end(
    make: Any, phase: str, back: str
) -> None:
    situation, order = make("headway", None)
    situation.facts["web-1"] = HostFacts(
        release="v0-1",
        releases={f"{tag}-1": Release(f"{tag}-1", tag, {}, "") for tag in ("v0", "v1")},
        unfinished=Unfinished("v1-1", "d-0", phase),
    )
    pull = phases(situation, order, lambda: None)[0][0]
    assert isinstance(pull, Prepare)
    assert (pull.target.back.release, pull.target.unfinished) == (back, True)


# --- the running version in a rehearsal ----------------------------------------------------------

LOGIN = """\
url: https://shop.example
smoke: {probes: {home: {kind: home}, user: {kind: login, json: {password: "${TOKEN}"}}}}
"""


def rehearsed(make: Any, wanted: str, more: str = LOGIN) -> Any:
    """What is started of v1, which web-1 and web-2 run, while v2 is deployed."""
    apply = f"headway\n  rehearsal: {{{wanted}}}"
    situation, order = make(apply, replace(NOW, tables={"users": 1}), more=more)
    v1 = Release("v1-0", "v1", {"web": "ghcr.io/acme/shop@sha256:1"}, "")
    for host in ("web-1", "web-2"):
        situation.facts[host] = HostFacts(release=v1.id, releases={v1.id: v1})
    return rehearsal(situation, order, []).application


def test_what_is_running_is_started_where_the_database_is(make: Any) -> None:
    found = rehearsed(make, "application: {service: web, url: DATABASE_URL, memory: 300MB}")
    assert (found.arrows.host.name, found.release, found.service) == ("db-1", "v1-0", "web")
    assert found.image == "ghcr.io/acme/shop@sha256:1"
    assert (found.variable, found.port, found.memory) == ("DATABASE_URL", 3000, 300_000_000)
    assert [one.name for one in found.questions] == ["/", "user"]
    assert b"hunter2" in found.questions[-1].request
    assert found.redactor.redact("it says hunter2") == "it says ********"


def test_without_the_setting_nothing_is_started(make: Any) -> None:
    assert rehearsed(make, "mode: schema") is None


# --- CDNs ----------------------------------------------------------------------------------------

CLOUDFLARE = "cloudflare: {zone: a1, token: TOKEN, purge: {tags: [html]}}"


@pytest.mark.parametrize("verb", ["deploy", "rollback"])
def test_cdns_are_purged_once_all_hosts_serve_the_release(make: Any, verb: str) -> None:
    situation, order = make("headway", LATER, verb=verb, more=f"cdn: {{{CLOUDFLARE}}}\n")
    names = shown(phases(situation, order, lambda: None))
    assert names[-3:] == ["verify", "purge", "contract"]
    (step,) = next(p for p in phases(situation, order, lambda: None) if p[0].name == "purge")
    assert (step.run, step.command) == (f"d-1-{verb}", "inv cdn.staging")
    assert [one.name for one in step.cdns] == ["cloudflare"]


def test_without_cdns_or_hosts_nothing_is_purged(make: Any) -> None:
    assert "purge" not in shown(phases(*make("headway", None), lambda: None))
    situation, order = make("headway", LATER, more=f"cdn: {{{CLOUDFLARE}}}\n")
    order.plan.rolling, order.plan.waves = (), ()
    assert "purge" not in shown(phases(situation, order, lambda: None))


def test_after_a_revert_cdns_are_purged_where_a_host_had_switched(make: Any) -> None:
    situation, order = make("headway", None, more=f"cdn: {{{CLOUDFLARE}}}\n")
    steps = {step.name: step for phase in phases(situation, order, lambda: None) for step in phase}
    assert after_revert(situation, order, [steps["pull"], steps["stage"]]) == []
    for last in ("switch", "settle"):
        ((step,),) = after_revert(situation, order, [steps["stage"], steps[last]])
        # CloudFront does nothing for a name that it knows already.
        assert (step.name, step.run) == ("purge", "d-1-revert")


def test_a_first_host_whose_smoke_tests_failed_had_switched(make: Any) -> None:
    situation, order = make("headway", None, more=f"{SMOKE}cdn: {{{CLOUDFLARE}}}\n")
    walk = phases(situation, order, lambda: None)
    smoke = next(step for phase in walk for step in phase if step.name == "smoke")
    assert smoke.host == "web-1"
    assert after_revert(situation, order, [smoke])


# --- smoke tests ---------------------------------------------------------------------------------

SMOKE = "url: https://shop.example\nsmoke: {probes: {home: {kind: home}}}\n"


@pytest.mark.parametrize(
    ("waves", "expected"),
    [
        (
            (("web-1",), ("web-2",)),
            "switch web-1, smoke web-1, settle web-1 + stage web-2, switch web-2, settle web-2, "
            "verify, smoke, contract",
        ),
        (
            (("db-1", "web-1", "web-2"),),
            "switch web-1, smoke web-1, switch web-2, settle db-1 + settle web-1 + settle web-2, "
            "verify, smoke, contract",
        ),
    ],
)
def test_smoke_after_the_first_switch_and_after_all(
    make: Any, monkeypatch: pytest.MonkeyPatch, waves: Any, expected: str
) -> None:
    monkeypatch.setattr(f"{__name__}.HOSTS", HOSTS + SMOKE)
    situation, order = make("headway", LATER)
    order.plan.waves = waves
    order.plan.rolling = tuple(host for wave in waves for host in wave)
    walk = phases(situation, order, lambda: None)
    text = ", ".join(" + ".join(shown([phase])) for phase in walk)
    before, _, after = text.partition(", switch web-1, ")
    assert "switch" not in before
    assert f"switch web-1, {after}" == expected
    last = next(step for phase in walk for step in phase if (step.name, step.host) == ("smoke", ""))
    assert last.reverts


def test_smoke_after_a_rollback_is_its_last_word_and_takes_nothing_back(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.HOSTS", HOSTS + SMOKE)
    walk = phases(*make("headway", None, verb="rollback"), lambda: None)
    assert [name for name in shown(walk) if "smoke" in name] == ["smoke"]
    assert (walk[-1][0].name, walk[-1][0].reverts) == ("smoke", False)


def test_no_smoke_where_nobody_wrote_any(make: Any) -> None:
    walk = phases(*make("headway", NOW), lambda: None)
    assert not [name for name in shown(walk) if "smoke" in name]
