"""From the files to an `Environment`, or to every fault that they have, all at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from deploy.errors import Fault, SettingsError
from deploy.settings import document, dotenv
from deploy.settings.database import downs_required
from deploy.settings.document import Document, KeyPath, dotted
from deploy.settings.faults import Finding, findings, unknown_keys, without
from deploy.settings.kinds import Context, shown
from deploy.settings.model import Environment, HostsFile
from deploy.settings.names import known
from deploy.settings.secret import Secret
from deploy.settings.whole import between

if TYPE_CHECKING:
    from deploy.settings.cdn import CDN
    from deploy.settings.database import Database
    from deploy.settings.notify import Notify
    from deploy.settings.sections import Registry
    from deploy.settings.smoke import Smoke

_NOUNS = {"hosts": "hosts", "smoke": "smoke tests", "url": "address"}
"""What stands in the files that a hosts file may name, by the key."""


def load(root: Path, name: str, environ: Mapping[str, str]) -> Environment:
    """Return the environment `name` of the repository at `root`.

    Args:
        root: the folder that `hosts/` is in.
        name: the environment's name.
        environ: the process environment; for secrets it wins over the dotenv file.

    Raises:
        UsageError: there is no such environment.
        SettingsError: what is wrong with the hosts file, with what it includes and with the
            secrets, everything at once.
    """
    root = Path(os.path.abspath(root))
    file = root / "hosts" / f"{known(root, name)}.yaml"
    return read(file, root=root, name=name, environ=environ)


def read(file: Path, *, root: Path, name: str, environ: Mapping[str, str]) -> Environment:
    """Return the environment that one hosts file describes; `load` has found the file.

    Args:
        file: the hosts file, absolute.
        root: the repository, absolute.
        name: the environment's name.
        environ: the process environment.

    Raises:
        SettingsError: everything that is wrong, at once.
    """
    written = document.read(file, _label(file, root))
    if not isinstance(written.data, dict):
        message = f"is {shown(written.data)}, expected keys such as app, image and hosts"
        raise SettingsError([Fault(f"{written.label}:1", "", message)])
    faults = list(written.faults)
    _place_files(written, environ)
    included = _include("hosts", written, root, faults)
    _include("smoke", written, root, faults)
    addressed = not _is_file(written.data.get("url")) or _include("url", written, root, faults)
    _keep_variables_as_written(written)

    context = Context(root=root, folder=file.parent, name=name)
    model, found = _validate(written.data, context)
    if not included:
        found = [f for f in found if f[0] != ("hosts",)]
    if not addressed:
        context.sections.pop("url", None)
    found += between(context.sections, context.name)
    faults += [Fault(written.where(p), dotted(p), message, mend) for p, message, mend in found]
    secrets, missing = _gather(written, context, environ)
    faults += missing
    if faults or model is None:
        raise SettingsError(sorted(set(faults), key=lambda fault: _order(fault, written.label)))
    return Environment.of(model, name=name, file=file, root=root, secrets=secrets)


def required_downs(root: Path, name: str) -> bool:
    """Tell whether an environment requires downs, from its file alone: no secret is needed.

    Raises:
        UsageError: there is no such environment.
        SettingsError: its file cannot be read.
    """
    file = root / "hosts" / f"{known(root, name)}.yaml"
    data = document.read(file, _label(file, root)).data
    database = data.get("database") if isinstance(data, dict) else None
    return downs_required(name, database.get("downs") if isinstance(database, dict) else None)


def _label(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


def _order(fault: Fault, first: str) -> tuple[bool, str, int, Fault]:
    """The hosts file's own faults come first, each file's in the order of its lines."""
    file, _, line = fault.where.rpartition(":")
    if not line.isdigit():
        file, line = fault.where, "0"
    return file != first, file, int(line), fault


def _sandbox(file: Path, root: Path, otherwise: str) -> str:
    """Return the mend for a file that is not there; what makes the sandbox's files is known."""
    return "inv sandbox.up" if file.is_relative_to(root / ".sandbox") else otherwise


def _is_file(url: object) -> bool:
    """Tell whether `url:` names the file of the address: one with a scheme is the address."""
    return isinstance(url, str) and url.endswith((".yaml", ".yml")) and "://" not in url


def _include(key: str, written: Document, root: Path, faults: list[Fault]) -> bool:
    """Put in place what is in the file that a key may name; False if that failed."""
    path: KeyPath = (key,)
    name = written.data.get(key)
    if not isinstance(name, str) or not name:
        return True
    # Absent from here on, unless the file turns out to be good.
    del written.data[key]
    file = Path(os.path.normpath((root / written.label).parent / name))
    label = _label(file, root)
    if not file.exists():
        mend = _sandbox(file, root, f"create it, or write the {_NOUNS[key]} here")
        faults.append(Fault(written.where(path), dotted(path), f"{label} does not exist", mend))
        return False
    try:
        inner = document.read(file, label)
    except SettingsError as error:
        faults.extend(error.faults)
        return False
    faults.extend(inner.faults)
    if not isinstance(inner.data, str if key == "url" else dict):
        expected = "an" if key == "url" else "a mapping of"
        message = f"is {shown(inner.data)}, expected {expected} {_NOUNS[key]}"
        faults.append(Fault(f"{label}:1", dotted(path), message))
        return False
    written.data[key] = inner.data
    written.graft(path, inner)
    return True


_FILES: dict[str, KeyPath] = {
    "DEPLOY_SSH_KEY_FILE": ("ssh", "key"),
    "DEPLOY_KNOWN_HOSTS_FILE": ("ssh", "known_hosts"),
    "DEPLOY_DOTENV_FILE": ("dotenv",),
}
"""Files whose place is a machine's own: a CI runner has no home that could be relied on."""


def _place_files(written: Document, environ: Mapping[str, str]) -> None:
    """Put the files where the environment says that they are, instead of the hosts file."""
    for variable, path in _FILES.items():
        place: Any = written.data
        for key in path[:-1]:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                break  # that is a fault, and told as one
        else:
            if environ.get(variable):
                place[path[-1]] = environ[variable]


def _keep_variables_as_written(written: Document) -> None:
    """A variable's value is text: `1.10` must not become 1.1 on its way."""
    hosts = written.data.get("hosts")
    places: list[KeyPath] = [("env",)]
    places += [("hosts", name, "env") for name in hosts] if isinstance(hosts, dict) else []
    for place in places:
        env: Any = written.data
        for part in place:
            env = env.get(part) if isinstance(env, dict) else None
        if isinstance(env, dict):
            for key, value in env.items():
                if isinstance(value, bool | int | float):
                    env[key] = written.texts[(*place, key)]


def _validate(data: dict[str, Any], context: Context) -> tuple[HostsFile | None, list[Finding]]:
    """Return the hosts file as a model, or what is wrong with it.

    `context.sections` then has every section that is right but for unknown keys.
    """
    try:
        return HostsFile.model_validate(data, context=context), []
    except ValidationError as error:
        unknown = unknown_keys(error)
        found = list(findings(error))
    if unknown:
        with contextlib.suppress(ValidationError):  # its other errors are among those found
            HostsFile.model_validate(without(data, unknown), context=context)
    return None, found


def _gather(
    written: Document, context: Context, environ: Mapping[str, str]
) -> tuple[dict[str, Secret], list[Fault]]:
    """Return all secrets that the hosts file names, and a fault for each that has no value."""
    file: Path | None = context.sections.get("dotenv")
    if file is None:  # the key itself is wrong, and that is told
        return {}, []
    label = _label(file, context.root)
    stored, faults = dotenv.read(file, label)
    if faults:  # what it lacks can't be told before it is in order
        return {}, faults
    secrets: dict[str, Secret] = {}
    reported: set[str] = set()
    for path, name in _named(context.sections):
        # An Actions secret that doesn't exist arrives as an empty variable.
        value = environ.get(name) or stored.get(name)
        if value:
            secrets[name] = Secret(name, value)
        elif name not in reported:
            reported.add(name)
            empty = name in environ or name in stored
            message = f"the secret {name} is {'empty' if empty else 'not set'}"
            mend = _sandbox(file, context.root, f"set {name} in the environment or in {label}")
            faults.append(Fault(written.where(path), dotted(path), message, mend))
    return secrets, faults


def _named(sections: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield every secret's name, with the path that names it."""
    registry: Registry | None = sections.get("registry")
    database: Database | None = sections.get("database")
    for index, name in enumerate(sections.get("secrets", [])):
        yield ("secrets", index), name
    if registry is not None:
        yield ("registry", "password"), registry.password
    if database is not None and database.url is not None:
        yield ("database", "url"), database.url
    for key in ("smoke", "cdn", "notify"):
        section: Smoke | CDN | Notify | None = sections.get(key)
        if section is not None:
            yield from section.named
