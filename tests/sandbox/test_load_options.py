"""What a load may be asked for, and in which turn its kinds are sent."""

from itertools import islice

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.errors import UsageError
from deploy.sandbox.home import Home
from deploy.sandbox.load import Kind, Options
from deploy.tasks.sandbox_load import load

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


def test_the_verb_asks_the_edge_where_it_is(monkeypatch, tmp_path):
    asked = []

    class Up(Home):
        def __init__(self):
            super().__init__(tmp_path)

    def stop(options, **_):
        asked.append(options.url)
        raise UsageError("far enough")

    monkeypatch.setattr("deploy.sandbox.home.Home", Up)
    monkeypatch.setattr("deploy.sandbox.load.run", stop)
    for write in (lambda: None, lambda: Up().url.write_text("http://127.0.0.1:9000\n")):
        write()
        with pytest.raises(Exit) as ended:
            load(Context())
        assert ended.value.code == 2
    assert asked == ["http://127.0.0.1:9000"]


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
