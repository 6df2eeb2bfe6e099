"""A database's URL as the variables that PostgreSQL's own programs read. Pure.

What is understood is the grammar of libpq (`postgresql://user:password@host:port/database?sslmode=`,
several hosts with commas, IPv6 in brackets, percent-encoding), and what other drivers write into
the same place: parameters that libpq does not know are left out.
"""

from __future__ import annotations

from urllib.parse import unquote

from deploy.errors import UsageError

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "client_encoding": "PGCLIENTENCODING",
}
"""Parameters of libpq and their variables (its documentation, 34.15); no files of a client's."""

_SSLMODES = {"no-verify": "require", "true": "require", "1": "require"}
"""What node-postgres calls `require`: encrypted, and the certificate is not looked at."""

_CHECKED = "-c client_connection_check_interval=1000"
"""A session whose client is gone ends in a second, and not when its statement does (14 on)."""

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian and Alpine keep the authorities that everybody trusts."""


def variables(url: str, name: str) -> dict[str, str]:
    """Return the PG* variables of a URL.

    With pgbouncer=true, Prisma's word for it, a pooler is in between, which takes no options.

    Args:
        url: the URL, which is never shown.
        name: the name of the secret that it is, for messages.

    Raises:
        UsageError: it is no URL of PostgreSQL; the message has the secret's name alone.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme not in {"postgres", "postgresql"}:
        raise _wrong(name, "does not begin with postgresql://")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    login, _, places = authority.rpartition("@")
    user, _, password = login.partition(":")
    found = {"PGUSER": user, "PGPASSWORD": password, "PGDATABASE": path}
    hosts, ports = _places(places, name)
    found["PGHOST"] = ",".join(hosts)
    found["PGPORT"] = ",".join(ports) if any(ports) else ""
    found = {key: _decoded(value, name) for key, value in found.items()}
    pooled = False
    for part in query.split("&"):
        key, _, value = part.partition("=")
        value = _decoded(value, name)
        pooled = pooled or (key == "pgbouncer" and value == "true")
        if key == "ssl" and value in _SSLMODES:
            found.setdefault("PGSSLMODE", "require")
        elif key in _VARIABLES:
            found[_VARIABLES[key]] = _SSLMODES.get(value, value) if key == "sslmode" else value
    if found.get("PGSSLMODE") in {"verify-ca", "verify-full"} and found.get(
        "PGSSLROOTCERT", "system"
    ) in {"system", ""}:
        # libpq looks for a file in a home that a one-off container does not have; other drivers
        # take the system's. The host's own bundle is mounted there.
        found["PGSSLROOTCERT"] = BUNDLE
    if not found["PGHOST"] and not found.get("PGHOSTADDR"):
        raise _wrong(name, "names no host")
    if found["PGDATABASE"] == "" and found["PGUSER"] == "":
        raise _wrong(name, "names no database")
    if not pooled:
        # The last one of two counts: who has written it into the URL knows why.
        found["PGOPTIONS"] = f"{_CHECKED} {found.get('PGOPTIONS', '')}".strip()
    return {key: value for key, value in found.items() if value}


def _places(text: str, name: str) -> tuple[list[str], list[str]]:
    hosts, ports = [], []
    for place in text.split(","):
        if place.startswith("["):
            host, closed, port = place[1:].partition("]")
            if not closed or (port and not port.startswith(":")):
                raise _wrong(name, "has a bracket that is not closed in its host")
            port = port[1:]
        else:
            host, _, port = place.partition(":")
        if port and not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise _wrong(name, "has a port that is no number")
        hosts.append(host)
        ports.append(port)
    return hosts, ports


def _decoded(text: str, name: str) -> str:
    value = unquote(text, errors="strict") if "%" in text else text
    if any(mark in value for mark in "\n\r\0"):
        raise _wrong(name, "holds the end of a line or a NUL")
    return value


def _wrong(name: str, what: str) -> UsageError:
    return UsageError(
        f"the secret {name} {what}",
        state="Nothing has been changed.",
        mend="It is to be as in postgresql://user:password@host:5432/database; "
        "what is special in the password is percent-encoded.",
    )
