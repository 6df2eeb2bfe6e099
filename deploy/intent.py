"""What a deploy or a rollback would do: everything is looked at, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy import bundle as bundles
from deploy import checks, git, history
from deploy.database.command.foreseen import at_once, unforeseen
from deploy.database.outlook import contracts, look
from deploy.errors import Fault, Refused, UsageError
from deploy.order import Order
from deploy.pending import database_of, folder_of, not_past_a_contract, to_take_back
from deploy.plan import Plan, Wanted, make
from deploy.registry import Found, Login, Registry, server_of
from deploy.settings import valid_tag
from deploy.situation import Situation, whoami

if TYPE_CHECKING:
    from deploy.bundle import Beside
    from deploy.database.migrations.folder import Folder
    from deploy.facts import HostFacts
    from deploy.plan import Verb
    from deploy.release import Release
    from deploy.settings import Environment


@dataclass(frozen=True)
class Intent:
    """What would be done, and all that doing it needs."""

    situation: Situation
    order: Order
    again: Callable[[], Plan]
    seconds: float = 0.0
    """How long the looking took."""

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.order.plan

    @property
    def empty(self) -> bool:
        """Is there nothing to do, neither on a host nor in the database?"""
        outlook, back = self.order.outlook, self.order.taken_back
        return self.plan.empty and not ((outlook and outlook.pending) or (back and back.migrations))


def intend_deploy(
    situation: Situation,
    tag: str | None,
    environ: Mapping[str, str],
    *,
    digest: str | None = None,
) -> Intent:
    """Look at everything, change nothing, and say what a deploy of `tag` would do.

    Args:
        situation: the environment.
        tag: the image's tag; None: the commit that is checked out.
        environ: the process environment.
        digest: what the tag has to stand for, as `sha256:…`.

    Raises:
        UsageError: the tag is no tag, or there is none to be had.
        SettingsError: something is missing in what the user wrote.
        Refused: the registry or a host says no.
    """
    tag = tag_or_commit(situation.environment, tag)
    carried = bundles.beside(situation.environment, situation.compose)
    with ThreadPoolExecutor(max_workers=2) as pool:
        reading = pool.submit(situation.gather, carried.on_hosts)
        found = find_images(situation, tag)
        if digest is not None:
            _same_image(found, tag, digest)
        unpacking = pool.submit(folder_of, situation, _refs(found))
        facts = reading.result()
    faults = checks.host_faults(
        situation.environment.path,
        facts,
        found.values(),
        bound=carried.bound,
        placements=situation.placements,
    )
    if faults:
        raise Refused("the hosts are not ready for it", faults=tuple(faults))
    return _intent(situation, found, tag, "deploy", environ, unpacking.result())


def intend_rollback(
    situation: Situation,
    to: str | None,
    environ: Mapping[str, str],
    *,
    with_database: bool = False,
) -> Intent:
    """Look at everything, change nothing, and say what a rollback would do.

    Args:
        situation: the environment.
        to: a tag, or the id of a release; None: the last good release before the running one.
        environ: the process environment.
        with_database: take back, once every host has gone back, what that release does not know.

    Raises:
        UsageError: `to` is no tag.
        Refused: there is nothing to go back to, a newer Headway alone knows what, a host says no,
            or the database can't be taken back without a loss.
    """
    intent = _intend_rollback(situation, to, environ)
    if not with_database:
        return intent
    known = history.releases(situation.facts).values()
    back = to_take_back(situation, intent.order.release, known)
    return replace(intent, order=replace(intent.order, taken_back=back))


def _intend_rollback(situation: Situation, to: str | None, environ: Mapping[str, str]) -> Intent:
    if to is not None and not valid_tag(to):
        raise no_tag(to)
    facts = situation.gather()
    faults = checks.host_faults(situation.environment.path, facts)
    if faults:
        raise Refused("the hosts are not ready for it", faults=tuple(faults))
    past = history.entries(facts)
    known = history.releases(facts)
    target = _named(past, known, to) if to else _previous(past, known, facts)
    if target is None:
        assert to is not None  # noqa: S101 - _previous raises instead
        found = find_images(situation, to)
        folder = folder_of(situation, _refs(found))
        return _intent(situation, found, to, "rollback", environ, folder)
    not_past_a_contract(situation, known, target)
    return to_known(situation, target, whoami(environ), "rollback", situation.run)


def to_known(situation: Situation, target: Release, by: str, verb: Verb, run: str) -> Intent:
    """Take every host to a release whose files are there; the hosts have been read.

    Args:
        situation: the environment.
        target: the release.
        by: who orders it.
        verb: under which the hosts write it down.
        run: the run's id.

    Raises:
        Refused: a host has not got them.
    """
    lacking = [
        Fault(host, target.id, "the release's files are not on this host")
        for host in situation.placements
        if target.id not in situation.facts[host].releases
    ]
    if lacking:
        raise Refused(
            f"not every host can go to {target.tag}",
            faults=tuple(lacking),
            mend=f"inv deploy.{situation.environment.name} --tag {target.tag}",
        )
    wanted = {host: Wanted(placement) for host, placement in situation.placements.items()}

    def plan() -> Plan:
        return make(situation.environment, target, wanted, situation.facts, verb)

    protected = history.kept_backups(history.entries(situation.facts), target.id)
    order = Order(run, by, plan(), target, None, None, protected=protected)
    return Intent(situation, order, _again(situation, order, plan))


def _previous(
    past: list[history.Entry], known: Mapping[str, Release], facts: Mapping[str, HostFacts]
) -> Release:
    history.none_is_newer(facts)
    stack = history.way_back(past)
    # In the middle of a deploy, the way back is to where it started. A host that was left out of
    # the last good one is in no middle.
    took_part = next((one.hosts for one in reversed(past) if one.outcome == "done"), ())
    there = [one for host, one in facts.items() if one.unfinished or host in took_part]
    if stack and any(one.unfinished or one.release != stack[-1] for one in there):
        stack.append("")
    if len(stack) < 2:
        raise Refused(
            "there is no earlier release to go back to",
            mend="inv history shows what was deployed; --to TAG names one.",
        )
    if stack[-2] not in known:
        raise Refused(f"the files of {stack[-2]} are no longer on any host")
    return known[stack[-2]]


def _named(past: list[history.Entry], known: Mapping[str, Release], name: str) -> Release | None:
    """The newest release of that tag or id that the hosts have; good ones before bad ones."""
    if name in known:
        return known[name]
    order = [entry.release for entry in past if entry.outcome == "done"]
    rank = {release: index for index, release in enumerate(order)}
    having = [release for release in known.values() if release.tag == name]
    return max(having, key=lambda one: (rank.get(one.id, -1), one.created), default=None)


def _intent(
    situation: Situation,
    found: Mapping[str, Found],
    tag: str,
    verb: str,
    environ: Mapping[str, str],
    folder: Folder | None,
) -> Intent:
    bundle, carried = bundles.assemble(situation.environment, situation.compose, found, tag)
    outlook = None
    if folder and verb == "deploy":
        environment = situation.environment
        outlook = look(
            folder,
            database_of(situation),
            rehearsed=environment.rehearsal_mode == "data",
            downs=environment.downs_required,
        )
    if folder:
        bundle = replace(bundle, release=replace(bundle.release, contract=contracts(folder)))
    applied_by, database = situation.environment.applied_by, situation.environment.database
    if outlook and database and applied_by == "command":
        outlook = at_once(outlook, kit=database.apply.drizzle_kit)
    elif applied_by == "push" and verb == "deploy":
        outlook = unforeseen(database_of(situation))
    if verb == "rollback":
        known = history.releases(situation.facts)
        not_past_a_contract(situation, known, bundle.release, folder)
    files = {
        host: situation.files(host, bundle.release, bundle.values, carried)
        for host in situation.placements
    }
    wanted = {host: files[host].wanted(one) for host, one in situation.placements.items()}

    def plan() -> Plan:
        return make(
            situation.environment,
            bundle.release,
            wanted,
            situation.facts,
            "rollback" if verb == "rollback" else "deploy",
        )

    order = Order(
        situation.run,
        whoami(environ),
        plan(),
        bundle.release,
        bundle,
        files,
        outlook,
        history.kept_backups(history.entries(situation.facts), bundle.release.id),
    )
    return Intent(situation, order, _again(situation, order, plan, carried))


def _again(
    situation: Situation, order: Order, plan: Callable[[], Plan], carried: Beside | None = None
) -> Callable[[], Plan]:
    """Reads all hosts anew at the end of a run, which they write down, and plans once more."""

    def again() -> Plan:
        settings = {
            "deploy": order.id,
            "by": order.whose,
            "verb": order.plan.verb,
            "release": order.release.id,
            "commit": order.release.commit,
        }
        situation.gather(carried.on_hosts if carried else (), conclude=settings)
        return plan()

    return again


def _refs(found: Mapping[str, Found]) -> dict[str, str]:
    return {service: image.ref for service, image in found.items()}


def _same_image(found: Mapping[str, Found], tag: str, digest: str) -> None:
    """Have it that a tag stands for an image that somebody has just built.

    Raises:
        Refused: it does not, as somebody has moved it.
    """
    digests = sorted({image.digest for image in found.values()})
    if digest not in digests:
        raise Refused(
            f"{tag} is {', '.join(digests)} in the registry, and {digest} was asked for",
            mend="Was the tag moved? A tag that nobody moves is the commit's.",
        )


class NoImage(Refused):
    """The registry answers, and has no such image."""


def find_images(situation: Situation, tag: str) -> dict[str, Found]:
    """Ask the registry what `tag` stands for, for every service that runs the application.

    Raises:
        Refused: the registry has no such image, or can't be asked.
    """
    environment = situation.environment
    repositories = bundles.rolled_services(environment, situation.compose)
    by_repository: dict[str, Found | None] = {}
    for repository in dict.fromkeys(repositories.values()):
        server = server_of(repository)
        own = environment.registry if environment.registry else None
        login = None
        if own and own.server == server:
            login = Login(own.username, situation.registry_password)
        by_repository[repository] = Registry(server, login).find(repository, tag)
    missing = [f"{name}:{tag}" for name, found in by_repository.items() if found is None]
    if missing:
        raise NoImage(
            f"there is no image {', '.join(missing)}",
            mend="Was it built and pushed? --tag names another one.",
        )
    return {
        service: found
        for service, repository in repositories.items()
        if (found := by_repository[repository]) is not None
    }


def tag_or_commit(environment: Environment, tag: str | None) -> str:
    """The tag as typed, else the full hash of the commit that is checked out.

    Raises:
        UsageError: it is no tag, or there is no commit.
    """
    if tag is None:
        commit = git.commit(environment.root)
        if commit is None:
            raise UsageError("there is no git commit here to take the tag from: say --tag TAG")
        return commit.sha
    if not valid_tag(tag):
        raise no_tag(tag)
    return tag


def no_tag(text: str) -> UsageError:
    """What to raise for a text that can't be a tag."""
    shown = repr(text if len(text) <= 60 else f"{text[:60]}…")
    return UsageError(
        f"{shown} is no tag: letters, digits, _ . and -, not . or - at first, 128 at most",
        state="Nothing has been changed.",
    )
