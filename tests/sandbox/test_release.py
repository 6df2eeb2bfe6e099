"""What can be asked of a version of the shop."""

import re

import pytest

from deploy.errors import UsageError
from deploy.sandbox.home import ROOT
from deploy.sandbox.release import BEHAVIOURS, check_version, parse_behaviours

HOSTS = ["web-1", "web-2", "worker-1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("slow-start", ("slow-start",)),
        ("slow-start, error-500,slow-start", ("slow-start", "error-500")),
        ("never-healthy,bad-on=web-2", ("never-healthy", "bad-on=web-2")),
    ],
)
def test_lists_that_will_do(text, expected):
    assert parse_behaviours(text, HOSTS) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("never-heathy", "there is no behaviour 'never-heathy'"),
        ("bad-on=web-2", "one must stand beside it"),
        ("deaf,bad-on=web-9", "there is no host 'web-9' (there are web-1, web-2, worker-1)"),
        ("deaf,bad-on=", "there is no host ''"),
        ("deaf,abrupt", "exclude each other"),
        ("x,y", "there is no behaviour 'x'; there is no behaviour 'y'"),
    ],
)
def test_lists_that_will_not(text, fault):
    with pytest.raises(UsageError) as refused:
        parse_behaviours(text, HOSTS)
    assert fault in refused.value.message
    assert all(behaviour in refused.value.mend for behaviour in BEHAVIOURS)
    assert refused.value.exit_code == 2


def test_the_shop_knows_the_same_behaviours():
    source = (ROOT / "examples/shop/src/behaviour.ts").read_text()
    words = re.search(r"WORDS = \[(.*?)\]", source, re.DOTALL)
    assert words
    assert set(re.findall(r'"([a-z0-9-]+)"', words[1])) == set(BEHAVIOURS)


@pytest.mark.parametrize("version", ["v1", "1.2.3", "_x", "A-b.c_d", "v" * 128])
def test_versions_that_are_tags(version):
    check_version(version)


@pytest.mark.parametrize(
    "version", ["", "-v", ".v", "x;rm -rf /", "v1\n", "a/b", "a:b", "é", "v" * 129, "v" * 300]
)
def test_versions_that_are_none(version):
    with pytest.raises(UsageError) as refused:
        check_version(version)
    assert len(refused.value.message) < 250
