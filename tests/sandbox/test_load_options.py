"""What a load may be asked for, and in which turn its kinds are sent."""

from itertools import islice

import pytest

from deploy.errors import UsageError
from deploy.sandbox.load import Kind, Options

NONE = {"websockets": 0, "get": 0.0, "post": 0.0, "fresh": 0.0, "slow": 0.0}


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example",
        "http://10.231.4.1:8080",
        "http://127.0.0.1.shop.example:8080",
        "http://localhost@shop.example/",
        "http://0.0.0.0:8080",
    ],
)
def test_another_machine_is_refused(url):
    with pytest.raises(UsageError, match="is not this machine"):
        Options(url)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:x", "http://127.0.0.1/a", ""]
)
def test_what_is_no_plain_address_of_a_site_is_refused(url):
    with pytest.raises(UsageError, match=r"http://HOST:PORT|not a URL"):
        Options(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost", "http://[::1]:80"])
def test_this_machine_is_accepted(url):
    assert Options(url).url == url


@pytest.mark.parametrize(
    "bad",
    [
        {"rate": 5001},
        {"rate": 0},
        {"rate": float("nan")},
        {"duration": 3601},
        {"duration": 0},
        {"websockets": 1001},
        {"websockets": -1},
        {"get": -1},
        {"get": float("inf")},
        NONE,
    ],
)
def test_what_is_out_of_bounds_is_refused(bad):
    with pytest.raises(UsageError):
        Options("http://127.0.0.1", **bad)


def test_a_kind_that_is_off_leaves_its_part_to_the_others():
    options = Options("http://127.0.0.1", slow=0, fresh=0)
    first = list(islice(options.sequence(), 900))
    assert (first.count(Kind.GET), first.count(Kind.POST)) == (700, 200)
    assert first[:9].count(Kind.POST) == 2  # spread out, not in a row at the end
    assert list(Options("http://127.0.0.1", **(NONE | {"websockets": 1})).sequence()) == []
