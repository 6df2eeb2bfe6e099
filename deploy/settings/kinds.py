"""The kinds of text that a hosts file is made of, each with what makes it wrong, in plain words.

What can reach a command line can't begin with "-" here, and holds no blanks or control characters.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from deploy.settings import durations, sizes


@dataclass
class Context:
    """Where a hosts file stands, for its relative paths, and what of it was found to be right."""

    root: Path
    folder: Path
    name: str
    sections: dict[str, Any] = field(default_factory=dict)


def wrong(message: str, mend: str = "") -> PydanticCustomError:
    """Return the error of a value, in words for people: what it is, and what to write instead."""
    return PydanticCustomError("settings", "{message}", {"message": message, "mend": mend})


def shown(value: object) -> str:
    """Return a value as a fault shows it: short, and without what is inside of it."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def matching(pattern: str, expected: str) -> AfterValidator:
    """Return a check that the whole text is as `pattern` says; `expected` says it in words."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise wrong(f"is {shown(text)}, expected {expected}")
        return text

    return AfterValidator(check)


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\s]")

AppName = Annotated[
    str,
    matching(r"[a-z][a-z0-9-]{0,38}", "a-z, 0-9 and -, beginning with a letter, 39 at most"),
]
HostName = Annotated[
    str, matching(r"[a-z0-9][a-z0-9.-]{0,62}", "a host's name: a-z, 0-9, . and -, 63 at most")
]
ServiceName = Annotated[
    str,
    matching(r"[a-zA-Z0-9._][a-zA-Z0-9._-]*", "the name of a service: a-z, A-Z, 0-9, ., _ and -"),
]
Person = Annotated[
    str,
    matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,38}", "the name of somebody at GitHub, without an @"),
]
Role = Annotated[str, matching(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*", "a role: letters, 0-9, ., _ and -")]
User = Annotated[str, matching(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", "the name of a user of the host")]
Login = Annotated[
    str, matching(r"[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]*", "a user name without blanks")
]
Port = Annotated[int, Field(ge=1, le=65535)]
RegistryServer = Annotated[
    str,
    matching(
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?",
        "a registry's name such as ghcr.io or localhost:5000",
    ),
]


def _secret_name(text: str) -> str:
    """The text is not shown: what was written here by mistake may be the secret itself."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", text):
        raise wrong(
            "is not the name of a secret (A-Z, 0-9 and _)",
            "write a name such as API_TOKEN here, and its value where the secrets are",
        )
    return _free(text)


# What Headway itself writes into a host's .env; see "A host" in the design.
_TAKEN = {
    "COMPOSE_FILE",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_PROJECT_NAME",
    "HEADWAY_RELEASE",
    "HOST_NAME",
}


def _free(name: str) -> str:
    if name in _TAKEN:
        raise wrong("is set by Headway itself", "choose another name, or leave it out")
    return name


SecretName = Annotated[str, AfterValidator(_secret_name)]
VariableName = Annotated[
    str,
    matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of a variable: letters, 0-9 and _"),
    AfterValidator(_free),
]


def _variable(value: object) -> object:
    """Numbers and booleans become text; the reader of the file has kept how they were written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        raise wrong("has no value", 'write "" for an empty one')
    if isinstance(value, str) and "\0" in value:
        raise wrong("holds a NUL character")
    return value


Variable = Annotated[
    str, BeforeValidator(_variable, json_schema_input_type=str | int | float | bool)
]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    if "@" in text:
        raise wrong(f"is {shown(text)}, expected an address alone", "write the user as user:")
    if re.fullmatch(r"[^:]+:[0-9]+", text):
        raise wrong(f"is {shown(text)}, expected an address alone", "write the port as port:")
    if not re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?", text):
        raise wrong(f"is {shown(text)}, expected an IP address or a DNS name")
    return text.lower()


Address = Annotated[str, AfterValidator(_address)]


def _repository(text: str) -> str:
    name, _, digest = text.partition("@")
    folder, _, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    bare = f"{folder}/{last}" if folder else last
    if digest:
        raise wrong("holds a digest", f"write {bare}: a release's digest is found by its tag")
    if tag:
        raise wrong(f"holds the tag {tag!r}", f"write {bare}: the tag is given with --tag")
    # The grammar of distribution/reference: an optional registry, then lower-case components.
    component = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
    registry = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    if len(text) > 255 or not re.fullmatch(rf"{registry}{component}(?:/{component})*", text):
        raise wrong(f"is {shown(text)}, expected an image's name such as ghcr.io/acme/shop")
    return text


Repository = Annotated[str, AfterValidator(_repository)]
ImageName = Annotated[
    str, matching(r"[A-Za-z0-9][A-Za-z0-9./:@_-]*", "an image's name such as caddy:2")
]
ClientImage = Annotated[
    str,
    matching(
        r"[A-Za-z0-9](?:[A-Za-z0-9./:@_-]|\{major\})*", "an image's name such as postgres:{major}"
    ),
]
"""An image's name; `{major}` stands for a version."""


def _age_key(text: str) -> str:
    """The text is not shown: it may be the private one."""
    if not re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", text):
        mend = "the private one is for whoever reads the copies, and does not belong here"
        raise wrong("is no public key of age (age1 and 58 characters)", mend)
    return text


AgeKey = Annotated[str, AfterValidator(_age_key)]
ShellCommand = Annotated[
    str, matching(r"[^\x00-\x08\x0b-\x1f\x7f]*\S[^\x00-\x08\x0b-\x1f\x7f]*", "a shell command")
]
CopyFolder = Annotated[
    str, matching(r"[^\x00-\x1f\x7f:-][^\x00-\x1f\x7f:]*", "a folder, without a colon")
]
JsonKey = Annotated[
    str, matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "a key such as version or build.version")
]


ProbeName = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]{0,38}", "a name: a-z, 0-9 and -, 39 at most")
]
# A token of HTTP's (RFC 9110, 5.6.2).
HeaderName = Annotated[
    str, matching(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "the name of a header such as Accept")
]


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if "@" in text:
        raise wrong("holds a user or a password", "write the address alone")
    if not host or parts.scheme not in ("http", "https") or _UNPRINTABLE.search(text):
        raise wrong(f"is {shown(text)}, expected an address such as https://shop.example")
    if parts.query or parts.fragment:
        raise wrong(f"is {shown(text)}, expected no ? and no #")
    return text.rstrip("/")


Url = Annotated[str, AfterValidator(_url)]


def _private(text: str) -> str:
    """A token goes there with each question."""
    host = urlsplit(text).hostname
    if not text.startswith("https://") and host not in {"127.0.0.1", "::1", "localhost"}:
        raise wrong(f"is {shown(text)}, and a token goes there", "write https://")
    return text


Api = Annotated[Url, AfterValidator(_private)]
"""Another address than the service's own: a gateway that holds the real token, or a stand-in."""


def _web_path(text: str) -> str:
    if not text.startswith("/") or _UNPRINTABLE.search(text):
        raise wrong(f"is {shown(text)}, expected a path that begins with /")
    return text


WebPath = Annotated[str, AfterValidator(_web_path)]


def _host_path(text: str, info: ValidationInfo) -> str:
    path = text.replace("{app}", str(info.data.get("app", "app")))
    parts = path.rstrip("/").split("/")
    # Blanks and colons have a meaning of their own in a bind and in COMPOSE_FILE.
    if not re.fullmatch(r"(?:/[A-Za-z0-9_.-]+)+/?", path) or {".", ".."} & set(parts):
        raise wrong(f"is {shown(text)}, expected a folder such as /srv/shop")
    return path.rstrip("/")


HostPath = Annotated[str, AfterValidator(_host_path)]
"""An absolute folder on a host; `{app}` stands for the application's name."""


def _image_path(text: str) -> str:
    if text.startswith("-") or _UNPRINTABLE.search(text) or ".." in text.split("/") or not text:
        raise wrong(f"is {shown(text)}, expected a folder in the image")
    return text


ImagePath = Annotated[str, AfterValidator(_image_path)]


def _beside(text: str) -> str:
    path = os.path.normpath(text) if text else ""
    first = path.split("/")[0]
    if not path or path in (".", "..") or first in ("..", "") or re.search(r"[\x00-\x1f:]", path):
        raise wrong(f"is {shown(text)}, expected a path below the compose file's folder")
    if path.startswith("-"):
        raise wrong(f"is {shown(text)}, which a command would take for an option")
    if first in (".env", ".headway", "slots", "backups"):
        raise wrong(f"is {shown(text)}, which is Headway's own in the folder on the host")
    return path


FileBeside = Annotated[str, AfterValidator(_beside)]


def _local(base: Callable[[Context], Path]) -> AfterValidator:
    """Return what makes a path on this machine absolute: from ~, or from what `base` gives."""

    def resolve(path: Path, info: ValidationInfo) -> Path:
        if re.search(r"[\x00-\x1f]", str(path)):
            raise wrong("holds a control character")
        context: Context | None = info.context
        if context is None:
            return path
        try:
            path = Path(str(path).replace("{environment}", context.name)).expanduser()
        except RuntimeError:
            raise wrong(f"is {shown(str(path))}, whose user has no home here") from None
        return Path(os.path.normpath(base(context) / path))

    return AfterValidator(resolve)


FromRoot = Annotated[Path, Field(strict=False), _local(lambda context: context.root)]
"""A path from the repository's root."""

FromFolder = Annotated[Path, Field(strict=False), _local(lambda context: context.folder)]
"""A path from the hosts file's folder; `{environment}` stands for the environment's name."""


Number = TypeVar("Number", int, float)


def _by(read: Callable[[object], Number]) -> Callable[[object], Number]:
    """Return a check that reads what people write, and says what is wrong with it."""

    def check(value: object) -> Number:
        try:
            return read(value)
        except ValueError as error:
            raise wrong(f"is {shown(value)}, {error}") from None

    return check


Duration = Annotated[
    float,
    BeforeValidator(
        _by(durations.seconds),
        json_schema_input_type=Annotated[float, Field(ge=0, le=durations.LONGEST)]
        | Annotated[str, Field(pattern=durations.PATTERN)],
    ),
]
"""Seconds."""


Size = Annotated[
    int,
    BeforeValidator(
        _by(sizes.bytes_of),
        json_schema_input_type=Annotated[int, Field(ge=0)]
        | Annotated[str, Field(pattern=sizes.PATTERN)],
    ),
]
"""Bytes."""


def at_least(least: str) -> AfterValidator:
    """Return a check that a size is not below another, which is as people write it."""

    def check(value: int) -> int:
        if value < sizes.bytes_of(least):
            raise wrong(f"is less than {least}")
        return value

    return AfterValidator(check)
