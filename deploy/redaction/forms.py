"""Every way in which a secret may be written, as plain texts to look for. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, urlsplit

from deploy.redaction.redactor import SHORTEST

# What beside letters, digits and `_.-~` is left as it is: by urllib with nothing and by default, by
# JavaScript's encodeURIComponent and encodeURI.
_LEFT_ALONE = ("", "/", "!*'()", ";,/?:@&=+$!*'()#")
_PERCENT = re.compile("%[0-9A-F]{2}")
_URL_SAFE = str.maketrans("+/", "-_")
_WRAPPED = (64, 76)
"""Columns at which openssl and coreutils break base64."""


def forms(value: str) -> set[str]:
    """Return what a secret looks like: whole, by line, encoded and escaped; 6 characters and more.

    A value that is shorter has none.
    """
    found: set[str] = set()
    for part in _parts(value):
        found |= {part, " ".join(part.split()), *_escaped(part), *_in_urls(part), *_base64(part)}
    return {one for one in found if len(one) >= SHORTEST}


def _parts(value: str) -> Iterator[str]:
    """The value, each of its lines, and the password if it is a URL with one."""
    parts = [value, value.strip(), *(line.strip() for line in value.splitlines())]
    parts += _passwords(value.strip())
    yield from (part for part in dict.fromkeys(parts) if len(part) >= SHORTEST)


def _passwords(value: str) -> list[str]:
    """The password of a URL, as it stands there and decoded; none that is a name in the open."""
    try:
        url = urlsplit(value)
        password, names = url.password, (url.username, url.hostname, url.path.strip("/"))
    except ValueError:
        return []
    return [] if not password or password in names else [password, unquote(password)]


def _escaped(text: str) -> Iterator[str]:
    """As JSON, Python, a shell and a dotenv file write it between quotes."""
    for ascii_alone in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_alone)[1:-1]
    yield repr(text)[1:-1]
    yield text.replace("'", "'\"'\"'")
    yield text.replace("'", "'\\''")
    yield text.replace("'", "\\'")
    yield re.sub(r'[\\"$`]', r"\\\g<0>", text)


def _in_urls(text: str) -> Iterator[str]:
    raw = _bytes(text)
    written = [quote(raw, safe) for safe in _LEFT_ALONE]
    # A form has `+` for a space; browsers leave `*` in it, and encode `~`.
    written += [quote_plus(raw), quote_plus(raw, "*").replace("~", "%7E")]
    for one in written:
        yield one
        yield _PERCENT.sub(lambda found: found[0].lower(), one)


def _base64(text: str) -> Iterator[str]:
    """Of the text alone, and of a text with this in it, which is three forms without an end.

    One for each place at which it may begin within three bytes; a character that depends on the
    bytes beside it is left out, which is at most one at each end.
    """
    raw = _bytes(text)
    whole = base64.b64encode(raw).decode()
    found = [whole, whole.rstrip("=")]
    for width in _WRAPPED:
        if len(whole) > width:
            found += [whole[at : at + width] for at in range(0, len(whole), width)]
    for before in range(3):
        among = base64.b64encode(bytes(before) + raw + bytes(2)).decode()
        found.append(among[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6])
    for one in found:
        yield one
        yield one.translate(_URL_SAFE)


def _bytes(text: str) -> bytes:
    """The bytes of a text; those of an environment that is not UTF-8 are what they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
