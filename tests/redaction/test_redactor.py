"""No secret is left in a text, however it is written there; a text without one is left alone."""

from __future__ import annotations

import base64
import json
import re
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from deploy.redaction.forms import forms
from deploy.redaction.redactor import MASK, SHORTEST, Redactor

# Few letters, so that texts and secrets overlap, repeat and begin alike; and what has a meaning in
# base64, URLs, shells, JSON and lines.
NEAR = st.text("ab*# \n%+/=&é漢'\"\\$:@", min_size=SHORTEST, max_size=24)
SECRETS = st.one_of(NEAR, st.text(min_size=SHORTEST, max_size=40))
TEXTS = st.one_of(st.text("ab*# \n%+/=&é漢'\"\\$:@", max_size=20), st.text(max_size=20))


WAYS = 13


def encoded(value: str) -> list[str]:
    """What others make of a value: none of it is code of ours."""
    raw = value.encode()
    alone = base64.b64encode(raw).decode()
    return [
        value,
        alone,
        alone.rstrip("="),
        base64.urlsafe_b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        re.sub("%..", lambda found: found[0].lower(), quote(value, safe="")),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        shlex.quote(value)[1:-1] if shlex.quote(value) != value else value,
        repr(value)[1:-1],
    ]


@settings(deadline=None)
@given(secret=SECRETS, before=TEXTS, after=TEXTS, way=st.integers(0, WAYS - 1))
@example(secret="*" * 8, before="", after="", way=0)
@example(secret="a*****", before="a", after="*", way=0)
@example(secret="      ", before=" ", after=" ", way=0)
@example(secret="ab\ncd\nef", before="", after="", way=0)
def test_a_secret_is_not_in_what_comes_out(secret: str, before: str, after: str, way: int) -> None:
    written = encoded(secret)[way]
    out = Redactor([secret]).redact(before + written + after)
    assert secret not in out
    if len(written) >= SHORTEST:
        assert written not in out


@settings(deadline=None)
@given(secret=SECRETS, before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_secret_within_base64_is_masked(secret: str, before: bytes, after: bytes) -> None:
    """`user:password`, as registries and HTTP have it: the whole in base64, and it among it."""
    text = base64.b64encode(before + secret.encode() + after).decode()
    redactor = Redactor([secret])
    out = redactor.redact(text)
    assert redactor.mask in out
    # What shows of it is a part of a byte at each end, and no more.
    left = len(out.replace(redactor.mask, ""))
    assert left <= len(text) - len(secret.encode()) * 8 // 6 + 2


@settings(deadline=None)
@given(lines=st.lists(SECRETS.filter(lambda one: len(one.strip()) >= SHORTEST), min_size=2))
def test_each_line_of_a_secret_is_one(lines: list[str]) -> None:
    """A key in PEM is printed line by line, with something before each."""
    redactor = Redactor(["\n".join(lines)])
    for line in "\n".join(lines).splitlines():
        if len(line.strip()) >= SHORTEST:
            for written in encoded(line.strip()):
                assert line.strip() not in redactor.redact(f"web-1  {written}")


@settings(deadline=None)
@given(secrets=st.lists(SECRETS, max_size=4), text=TEXTS)
def test_several_secrets_together(secrets: list[str], text: str) -> None:
    redactor = Redactor(secrets)
    out = redactor.redact(text.join(["", *secrets, ""]))
    assert not any(secret in out for secret in secrets)
    # Redacting what is redacted changes nothing.
    assert redactor.redact(out) == out


@settings(deadline=None)
@given(text=st.text(), secret=st.text(max_size=SHORTEST - 1))
@example(text="exit", secret="x")
def test_a_short_secret_is_left_alone(text: str, secret: str) -> None:
    assert Redactor([secret]).redact(f"{text}{secret}{text}") == f"{text}{secret}{text}"


@settings(deadline=None)
@given(secrets=st.lists(SECRETS, max_size=3), text=st.one_of(NEAR, st.text()))
def test_a_text_without_a_secret_is_left_as_it_is(secrets: list[str], text: str) -> None:
    assume(not any(form in text for secret in secrets for form in forms(secret)))
    assert Redactor(secrets).redact(text) == text


@settings(deadline=None)
@given(secret=SECRETS)
def test_what_is_looked_for_is_never_short(secret: str) -> None:
    assert min(map(len, forms(secret))) >= SHORTEST


@pytest.mark.parametrize(
    ("secret", "text", "out"),
    [
        ("hunter22", "hunter2", "hunter2"),
        ("hunter22", "the word is hunter22.", f"the word is {MASK}."),
        ("hunter22", "hunter22hunter22", MASK + MASK),
        ("aXaXaXa", "aXaXaXaXaXa", MASK),
        ("p@ss/w rd", "?p=p%40ss%2fw%20rd&q=p%40ss%2Fw+rd", f"?p={MASK}&q={MASK}"),
        ("a\tb\tc\td", "a b c d", MASK),
        ("*secret", "*secret", "########"),
    ],
)
def test_as_it_reads(secret: str, text: str, out: str) -> None:
    assert Redactor([secret]).redact(text) == out


def test_the_password_of_a_url() -> None:
    redactor = Redactor(["postgres://shop:p%40ssword@db:5432/shop"])
    assert redactor.redact("PGPASSWORD=p@ssword, p%40ssword") == f"PGPASSWORD={MASK}, {MASK}"
    # One that is a name as well would mask that name everywhere, and is no secret.
    redactor = Redactor(["postgres://postgres:postgres@db:5432/shop"])
    assert redactor.redact("image: postgres:17") == "image: postgres:17"


def test_base64_that_is_broken_into_lines() -> None:
    secret = "".join(map(chr, range(33, 126)))
    whole = base64.b64encode(secret.encode()).decode()
    for width in (64, 76):
        for at in range(0, len(whole) - 8, width):
            assert Redactor([secret]).redact(whole[at : at + width]) == MASK


def test_a_value_that_is_not_utf_8() -> None:
    """So it comes from an environment whose bytes are none."""
    secret = b"\xff\xfesecret".decode("utf-8", "surrogateescape")
    text = base64.b64encode(b"\xff\xfesecret").decode()
    assert Redactor([secret, "\ud800secret"]).redact(f"{secret} {text}") == f"{MASK} {MASK}"
