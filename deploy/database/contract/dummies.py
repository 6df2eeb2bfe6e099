"""Values that a column of a given type takes: one that is small, and one that fills it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.database.contract.snapshot import Field

_SIMPLE = {
    "smallint": ("1", "32767"),
    "integer": ("1", "2147483647"),
    "bigint": ("1", "9223372036854775807"),
    "smallserial": ("1", "32767"),
    "serial": ("1", "2147483647"),
    "bigserial": ("1", "9223372036854775807"),
    "real": ("1", "1.5e30"),
    "double precision": ("1", "1.5e300"),
    "numeric": ("1", "12345678901234567890.0123456789"),
    "boolean": ("true", "false"),
    "text": ("a", "a" * 2000),
    "varchar": ("a", "a" * 2000),
    "char": ("a",),
    "json": ("{}", '{"a": 1, "a": [2]}'),
    "jsonb": ("{}", '{"a": [1, "b"]}'),
    "uuid": ("00000000-0000-4000-8000-000000000001", "ffffffff-ffff-4fff-bfff-ffffffffffff"),
    "date": ("2020-01-02", "9999-12-31"),
    "time": ("01:02:03", "23:59:59.999999"),
    "time with time zone": ("01:02:03+00", "23:59:59.999999+14"),
    "timestamp": ("2020-01-02 03:04:05", "9999-12-31 23:59:59.999999"),
    "timestamp with time zone": ("2020-01-02 03:04:05+00", "9999-12-31 23:59:59.999999+00"),
    "interval": ("1 day", "1000 years 3 mons 2 days 04:05:06.789"),
    "inet": ("192.0.2.1", "2001:db8::1/64"),
    "cidr": ("192.0.2.0/24", "2001:db8::/32"),
    "macaddr": ("08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"),
    "macaddr8": ("08:00:2b:01:02:03:04:05", "ff:ff:ff:ff:ff:ff:ff:ff"),
    "point": ("(1,2)", "(1.5e300,-2)"),
    "line": ("{1,2,3}", "{1,-2,3.5}"),
    "bytea": ("\\x00", "\\x" + "ff" * 2000),
    "citext": ("a", "A" * 2000),
    "xml": ("<a/>", "<a><b/></a>"),
    "tsvector": ("a", "a:1 b:2"),
}
_SIZED = re.compile(r"(?P<name>[a-z ]+?) ?\((?P<sizes>[\d, ]+)\)(?P<rest>[a-z ]*)")


def dummies(field: Field) -> tuple[str, ...]:
    """Return values as text, fit for any such column: small first, then full; () for none known.

    An array is given with one such element. An enum gives all its values.
    """
    base = field.type.partition("[")[0].strip()
    brackets = "[" in field.type
    values = field.values or _values(base)
    if brackets:
        return tuple(f"{{{_element(one)}}}" for one in values)
    return values


def _element(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _values(type_: str) -> tuple[str, ...]:
    sized = _SIZED.fullmatch(type_)
    if not sized:
        return _SIMPLE.get(type_, ())
    sizes = [int(size) for size in sized["sizes"].split(",")]
    if make := _MAKES.get(sized["name"]):
        return make(*sizes)
    # timestamp(3) with time zone: less precise, and as wide.
    return _SIMPLE.get(f"{sized['name']}{sized['rest']}", ())


def _characters(length: int) -> tuple[str, ...]:
    return ("a", "a" * length)


def _numeric(precision: int, scale: int = 0) -> tuple[str, ...]:
    whole = max(precision - scale, 0)
    most = ("9" * whole or "0") + ("." + "9" * scale if scale > 0 else "")
    return ("1" if whole else "0", most)


_MAKES: dict[str, Callable[..., tuple[str, ...]]] = {
    "varchar": _characters,
    "character varying": _characters,
    "char": _characters,
    "character": _characters,
    "bit": lambda length: ("0" * length, "1" * length),
    "varbit": lambda length: ("0", "1" * length),
    "bit varying": lambda length: ("0", "1" * length),
    "numeric": _numeric,
    "decimal": _numeric,
    "vector": lambda length: ("[" + ",".join(["1"] * length) + "]",),
    "halfvec": lambda length: ("[" + ",".join(["1"] * length) + "]",),
}
