"""Which changes of a type or of a check are proven to take all that was taken before. Pure."""

from __future__ import annotations

import re

_VARCHAR = re.compile(r"character varying(?:\((\d+)\))?((?:\[\])*)")
_TEXT = re.compile(r"text((?:\[\])*)")
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)((?:\[\])*)")
# CHECK ((state = ANY (ARRAY['a'::text, 'b'::text]))), as PostgreSQL prints `state IN ('a', 'b')`.
_ONE_OF = re.compile(r"CHECK \(\((?P<what>.+) = ANY \(+ARRAY\[(?P<values>.+?)\](?P<tail>.*)\)")
_LITERAL = re.compile(r"(?:'(?:[^']|'')*'|-?\d+)(?:::[a-z ]+)?")
_EQUALS = re.compile(r"CHECK \(\((?P<what>[^'=]+) = (?P<value>'(?:[^']|'')*'(?:::[a-z ]+)?)\)\)")


def widens(old: str, new: str) -> bool:
    """Whether a column's new type holds, and gives back unchanged, all that the old one did.

    Only varchar to a longer varchar or to text (and an unlimited varchar and text to each other),
    and numeric to more digits of the same scale, and arrays of these. Not int to bigint:
    node-postgres gives a bigint to JavaScript as a string.

    Args:
        old: a type as `format_type` prints it, with its length.
        new: likewise.
    """
    if was := _NUMERIC.fullmatch(old):
        now = _NUMERIC.fullmatch(new)
        if not now or now.groups()[1:] != was.groups()[1:]:
            return False
        return int(now[1]) >= int(was[1])
    was_length, now_length = _length(old), _length(new)
    return (
        was_length is not None
        and now_length is not None
        and now_length[1] == was_length[1]
        and now_length[0] >= was_length[0]
    )


def _length(type_: str) -> tuple[float, str] | None:
    """The most characters that a varchar or text has, and its brackets; None: another type."""
    if match := _VARCHAR.fullmatch(type_):
        return float(match[1] or "inf"), match[2]
    if match := _TEXT.fullmatch(type_):
        return float("inf"), match[1]
    return None


def loosens(old: str, new: str) -> bool:
    """Whether a CHECK takes all that another took: the same, or one of more values.

    Args:
        old: a constraint as `pg_get_constraintdef` prints it.
        new: likewise.
    """
    if _plain(old) == _plain(new):
        return True
    was, now = _values(old), _values(new)
    return was is not None and now is not None and was[0] == now[0] and was[1] <= now[1]


def _plain(definition: str) -> str:
    return definition.removesuffix(" NOT VALID").removesuffix(" NO INHERIT")


def _values(definition: str) -> tuple[str, frozenset[str]] | None:
    if match := _EQUALS.fullmatch(_plain(definition)):
        return match["what"], frozenset([match["value"]])
    match = _ONE_OF.fullmatch(_plain(definition))
    if not match or " OR " in match["what"] or " AND " in match["what"] or "AND" in match["tail"]:
        return None
    values = _LITERAL.findall(match["values"])
    if ", ".join(values) != match["values"]:
        return None
    return match["what"], frozenset(values)


_ACTION = re.compile(r" ON (DELETE|UPDATE) (CASCADE|SET NULL|SET DEFAULT|RESTRICT)(?: \([^)]*\))?")


def references(definition: str) -> tuple[str, dict[str, str]]:
    """Return what a foreign key demands, and the actions by which it gives way (DELETE, UPDATE).

    NO ACTION and RESTRICT give no way and are left out.
    """
    actions = {event: how for event, how in _ACTION.findall(definition) if how != "RESTRICT"}
    return _ACTION.sub("", definition).removesuffix(" NOT VALID"), actions
