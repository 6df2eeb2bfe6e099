"""What each CDN is asked, and how its answers are taken, against a real HTTP server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.cdn import cdn as module
from deploy.cdn.cdn import NotPurged, Purged, purge
from deploy.cdn.choose import cdns, lacking

from ..settings.repository import GOOD, loaded, refused
from ..stand_in import Reply, StandIn, closes, hangs, nobody, says, stand_in

if TYPE_CHECKING:
    from deploy.settings import Environment

TOKEN = "hunter2-hunter2"
STARS = ", ".join(f"/{number}/*" for number in range(16))
ENVIRON = {"TOKEN": TOKEN}
PURGED = says({"success": True, "errors": [], "result": {"id": "1"}})


def environment(root: Path, section: str) -> Environment:
    return loaded(root, f"{GOOD}cdn: {{{section}}}\n", ENVIRON)


def cloudflare(root: Path, url: str, what: str = "{tags: [html]}") -> Environment:
    inner = f"{{zone: abc1, token: TOKEN, purge: {what}, api: '{url}'}}"
    return environment(root, f"cloudflare: {inner}")


def fails(one: Environment) -> str:
    with pytest.raises(NotPurged) as caught:
        cdns(one)[0].purge("d-1")
    assert TOKEN not in str(caught.value)
    return caught.value.message


def bodies(server: StandIn) -> list[Any]:
    return [one.json for one in server.seen]


# --- Cloudflare ----------------------------------------------------------------------------------


def test_cloudflare_by_tag(tmp_path: Path) -> None:
    with stand_in(PURGED) as server:
        (one,) = cdns(cloudflare(tmp_path, server.url))
        one.purge("d-1")
    (seen,) = server.seen
    assert (seen.path, seen.json) == ("/zones/abc1/purge_cache", {"tags": ["html"]})
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["content-type"] == "application/json"
    assert (one.name, one.what) == ("cloudflare", "tag html")


def test_cloudflare_in_all_its_ways(tmp_path: Path) -> None:
    what = (
        "{tags: [a, b], hosts: [shop.example], prefixes: [shop.example/blog], "
        "files: ['https://shop.example/?a=1']}"
    )
    with stand_in(PURGED) as server:
        (one,) = cdns(cloudflare(tmp_path, server.url, what))
        one.purge("d-1")
    assert bodies(server) == [
        {"tags": ["a", "b"]},
        {"hosts": ["shop.example"]},
        {"prefixes": ["shop.example/blog"]},
        {"files": ["https://shop.example/?a=1"]},
    ]
    assert one.what == (
        "tag a, b; host shop.example; prefix shop.example/blog; file https://shop.example/?a=1"
    )


def test_cloudflare_everything(tmp_path: Path) -> None:
    with stand_in(PURGED) as server:
        (one,) = cdns(cloudflare(tmp_path, server.url, "{everything: true}"))
        one.purge("d-1")
    assert bodies(server) == [{"purge_everything": True}]
    assert one.what == "everything"


def test_cloudflare_takes_a_hundred_at_once(tmp_path: Path) -> None:
    tags = [f"t{n}" for n in range(250)]
    with stand_in(PURGED) as server:
        cdns(cloudflare(tmp_path, server.url, f"{{tags: [{', '.join(tags)}]}}"))[0].purge("d-1")
    assert [len(body["tags"]) for body in bodies(server)] == [100, 100, 50]
    assert [tag for body in bodies(server) for tag in body["tags"]] == tags


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"success": False, "errors": [{"code": 1012, "message": "no tags here"}]},
            "no tags here (1012)",
        ),
        ({"success": False, "errors": None}, "its answer does not say success"),
        ({"success": "true"}, "its answer does not say success"),
        ([], "its answer does not say success"),
        (b"<html>fine</html>", "its answer does not say success"),
        (b"[" * 10_000, "its answer does not say success"),
    ],
)
def test_cloudflare_says_no_in_a_200(tmp_path: Path, body: object, words: str) -> None:
    with stand_in(says(body)) as server:
        assert fails(cloudflare(tmp_path, server.url)) == words
    assert len(server.seen) == 1


def test_cloudflare_refuses_the_token(tmp_path: Path) -> None:
    body = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}
    with stand_in(says(body, 403)) as server:
        words = "answered 403: Authentication error (10000)"
        assert fails(cloudflare(tmp_path, server.url)) == words
    assert len(server.seen) == 1


@pytest.mark.parametrize("busy", [says({}, 429, Retry_After="0"), says({}, 500), closes])
def test_what_passes_is_asked_again_three_times_in_all(tmp_path: Path, busy: Any) -> None:
    with stand_in(busy, busy, PURGED) as server:
        cdns(cloudflare(tmp_path, server.url))[0].purge("d-1")
        assert len(server.seen) == 3
    with stand_in(busy) as server:
        assert fails(cloudflare(tmp_path, server.url)).endswith("(3 times)")
        assert len(server.seen) == 3


def test_nobody_there(tmp_path: Path) -> None:
    assert fails(cloudflare(tmp_path, nobody())) == "cannot be reached: ConnectionError (3 times)"


def test_who_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tags together have the one limit."""
    monkeypatch.setattr(module, "LIMIT", 1.0)
    many = f"{{tags: [{', '.join(f't{n}' for n in range(500))}]}}"
    with stand_in(PURGED, hangs) as server:
        began = time.monotonic()
        assert fails(cloudflare(tmp_path, server.url, many)) == "gave no answer in time"
        assert time.monotonic() - began < 3


def test_how_long_one_is_waited_for() -> None:
    assert module.LIMIT == 30
    assert module._TRIES == 3
    assert module._EACH < module.LIMIT


# --- Fastly, Bunny -------------------------------------------------------------------------------


def test_fastly_softly_by_key(tmp_path: Path) -> None:
    keys = [f"k{n}" for n in range(300)]
    with stand_in(says({"k0": "123-1"})) as server:
        inner = f"{{service: SU1, token: TOKEN, keys: [{', '.join(keys)}], api: '{server.url}'}}"
        (one,) = cdns(environment(tmp_path, f"fastly: {inner}"))
        one.purge("d-1")
    assert [seen.path for seen in server.seen] == ["/service/SU1/purge"] * 2
    assert [len(body["surrogate_keys"]) for body in bodies(server)] == [256, 44]
    assert [key for body in bodies(server) for key in body["surrogate_keys"]] == keys
    assert {seen.headers["fastly-soft-purge"] for seen in server.seen} == {"1"}
    assert {seen.headers["fastly-key"] for seen in server.seen} == {TOKEN}
    assert one.what.startswith("key k0, k1")


def test_fastly_says_no(tmp_path: Path) -> None:
    with stand_in(says({"msg": "Provided credentials are missing or invalid"}, 401)) as server:
        inner = f"{{service: SU1, token: TOKEN, keys: [html], api: '{server.url}'}}"
        words = "answered 401: Provided credentials are missing or invalid"
        assert fails(environment(tmp_path, f"fastly: {inner}")) == words


def bunny(root: Path, url: str, what: str) -> Environment:
    inner = f"{{pull_zone: 12, key: TOKEN, purge: {what}, api: '{url}'}}"
    return environment(root, f"bunny: {inner}")


def test_bunny_by_tag_and_by_file(tmp_path: Path) -> None:
    with stand_in(says(b"", 204)) as server:
        what = "{tags: [html], files: ['https://shop.example/a?b=c&d=*']}"
        (one,) = cdns(bunny(tmp_path, server.url, what))
        one.purge("d-1")
    assert [(seen.path, seen.json) for seen in server.seen] == [
        ("/pullzone/12/purgeCache", {"CacheTag": "html"}),
        ("/purge?url=https%3A%2F%2Fshop.example%2Fa%3Fb%3Dc%26d%3D%2A", {}),
    ]
    assert {seen.headers["accesskey"] for seen in server.seen} == {TOKEN}
    assert one.what == "tag html; file https://shop.example/a?b=c&d=*"


def test_bunny_everything(tmp_path: Path) -> None:
    with stand_in(says(b"", 204)) as server:
        cdns(bunny(tmp_path, server.url, "{everything: true}"))[0].purge("d-1")
    assert [(seen.path, seen.json) for seen in server.seen] == [("/pullzone/12/purgeCache", {})]


# --- CloudFront, by the real boto3 ---------------------------------------------------------------

DONE = b"""<?xml version="1.0"?><Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
<Id>I1</Id><Status>InProgress</Status><CreateTime>2026-11-29T00:00:00Z</CreateTime>
<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/*</Path></Items></Paths>
<CallerReference>d-1</CallerReference></InvalidationBatch></Invalidation>"""
DENIED = b"""<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error>
<Type>Sender</Type><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>"""


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", TOKEN)
    return environment(tmp_path, "cloudfront: {distribution: E1, paths: [/*, /blog/*]}")


def test_cloudfront(aws: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(says(DONE, 201, Content_Type="text/xml")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", server.url)
        (one,) = cdns(aws)
        one.purge("d-1-deploy")
        one.purge("d-1-deploy")
    assert [seen.path for seen in server.seen] == ["/2020-05-31/distribution/E1/invalidation"] * 2
    first, second = (seen.body for seen in server.seen)
    assert first == second
    assert b"<CallerReference>d-1-deploy</CallerReference>" in first
    assert b"<Quantity>2</Quantity><Items><Path>/*</Path><Path>/blog/*</Path></Items>" in first
    assert one.what == "path /*, /blog/*"


def test_cloudfront_says_no(aws: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(says(DENIED, 403, Content_Type="text/xml")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", server.url)
        assert "AccessDenied" in fails(aws)


THROTTLED = DENIED.replace(b"AccessDenied", b"Throttling")


@pytest.mark.parametrize("busy", [says(THROTTLED, 429), says(b"", 503), closes])
def test_cloudfront_is_asked_again(
    aws: Environment, monkeypatch: pytest.MonkeyPatch, busy: Reply
) -> None:
    with stand_in(busy, busy, says(DONE, 201)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", server.url)
        cdns(aws)[0].purge("d-1-deploy")
    assert len(server.seen) == 3
    # The same reference each time: an invalidation whose answer was lost is not made twice.
    assert len({seen.body for seen in server.seen}) == 1


def test_cloudfront_is_busy_for_good(aws: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(says(THROTTLED, 429)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", server.url)
        said = fails(aws)
    assert "Throttling" in said
    assert len(server.seen) == 3


def test_cloudfront_without_credentials(aws: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert fails(aws) == "Unable to locate credentials"


def test_cloudfront_hangs(aws: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.cdn.cloudfront.LIMIT", 1.0)
    with stand_in(hangs) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", server.url)
        began = time.monotonic()
        assert fails(aws) == "gave no answer in 1 s"
        assert time.monotonic() - began < 5


def test_cloudfront_without_boto3(aws: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking(aws) == []
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    assert fails(aws) == "boto3 is not installed: pip install 'headway[cloudfront]'"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (fault,) = lacking(aws)
    assert fault.where == "cdn.cloudfront"
    assert "headway[cloudfront]" in fault.mend


# --- all of them ---------------------------------------------------------------------------------


def test_none(tmp_path: Path) -> None:
    assert cdns(loaded(tmp_path, GOOD)) == []


def test_all_at_once_and_one_fails(tmp_path: Path) -> None:
    with stand_in(says({"success": False})) as first, stand_in() as second:
        one = environment(
            tmp_path,
            f"cloudflare: {{zone: a1, token: TOKEN, purge: {{tags: [html]}}, api: '{first.url}'}}, "
            f"fastly: {{service: SU1, token: TOKEN, keys: [html], api: '{second.url}'}}",
        )
        assert purge(cdns(one), "d-1") == [
            Purged("cloudflare", "tag html", "its answer does not say success"),
            Purged("fastly", "key html"),
        ]


def test_what_breaks_is_one_that_was_not_purged() -> None:
    class Broken:
        name = what = "own"

        def purge(self, run: str) -> None:
            raise KeyError(run)

    (found,) = purge([Broken()], "d-1")
    assert found.error == "broke Headway: KeyError: 'd-1'"


# --- what is written -----------------------------------------------------------------------------

CF = "cdn: {cloudflare: {zone: abc1, token: TOKEN, purge: {tags: [html]}"
WRONG = {
    "nothing": (
        "cdn: {cloudflare: {zone: abc1, token: TOKEN, purge: {}}}",
        "8  cdn.cloudflare.purge: purges nothing; write one of tags, hosts, prefixes, files, or "
        "everything: true",
    ),
    "everything and more": (
        "cdn: {bunny: {pull_zone: 1, key: TOKEN, purge: {everything: true, tags: [html]}}}",
        "8  cdn.bunny.purge: says everything, and more; leave one of them out",
    ),
    "a token that would be read on its way": (
        CF + ", api: 'http://gateway.example'}}",
        "8  cdn.cloudflare.api: is 'http://gateway.example', and a token goes there; "
        "write https://",
    ),
    "a zone that is a path": (
        CF.replace("abc1", "a/b") + "}}",
        "8  cdn.cloudflare.zone: is 'a/b', expected an id of letters and digits",
    ),
    "a tag that is two": (
        CF.replace("html", "'a,b'") + "}}",
        "8  cdn.cloudflare.purge.tags[0]: is 'a,b', expected a tag without blanks and commas",
    ),
    "a token itself": (
        CF.replace("TOKEN", "v1.0-abcdef") + "}}",
        "8  cdn.cloudflare.token: is not the name of a secret (A-Z, 0-9 and _); write a name such "
        "as API_TOKEN here, and its value where the secrets are",
    ),
    "a token that is no text": (
        "cdn: {fastly: {service: a, token: 123456, keys: [html]}}",
        "8  cdn.fastly.token: is a number, expected text; put it in quotes",
    ),
    "a secret without a value": (
        "cdn: {bunny: {pull_zone: 1, key: OTHER, purge: {tags: [html]}}}",
        "8  cdn.bunny.key: the secret OTHER is not set; set OTHER in the environment or in "
        ".env.production",
    ),
    "no paths": (
        "cdn: {cloudfront: {distribution: E1, paths: []}}",
        "8  cdn.cloudfront.paths: is empty; write at least one",
    ),
    "more paths with a star than CloudFront takes": (
        f"cdn: {{cloudfront: {{distribution: E1, paths: [/, {STARS}]}}}}",
        "8  cdn.cloudfront: has 16 paths that end with *, and CloudFront takes 15 at a time; "
        "write fewer of them that cover more, such as /*",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_the_section(tmp_path: Path, case: str) -> None:
    text, fault = WRONG[case]
    assert refused(tmp_path, f"{GOOD}{text}\n", ENVIRON) == [f"hosts/production.yaml:{fault}"]
