"""What a compose file says: its services, and what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.compose.file import FLATTEN, ComposeFile, EnvFile, read
from deploy.errors import SettingsError

from .project import compose_of


def web(root: Path, keys: str, rest: str = "") -> ComposeFile:
    return compose_of(root, f"services:\n  web: {{image: acme/shop, {keys}}}\n{rest}")


@pytest.mark.parametrize(
    ("keys", "replicas"),
    [
        ("", 1),
        ("scale: 2", 2),
        ("deploy: {replicas: 3}", 3),
        ("deploy: {replicas: 0}", 0),
        ("deploy: {replicas: '${N:-4}'}", 4),
        ("deploy: {replicas: '${COUNT}'}", 5),
        ("deploy: {resources: {}}", 1),
        ("deploy: ", 1),
        ("deploy: {replicas: '²'}", 1),
    ],
)
def test_replicas(tmp_path: Path, keys: str, replicas: int) -> None:
    assert web(tmp_path, keys).replicas("web", {"COUNT": "5"}) == replicas


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", {}),
        ("depends_on: ", {}),
        ("depends_on: [db, cache]", {"db": "service_started", "cache": "service_started"}),
        ("depends_on: {db: {condition: service_healthy}, cache: {}, queue: }",
         {"db": "service_healthy", "cache": "service_started", "queue": "service_started"}),
    ],
)  # fmt: skip
def test_dependencies(tmp_path: Path, keys: str, expected: dict[str, str]) -> None:
    assert web(tmp_path, keys).dependencies("web") == expected


def test_ports_stay_as_written(tmp_path: Path) -> None:
    file = web(
        tmp_path,
        'ports: [3000, "80:3000", 22:22, "127.0.0.1:80:3000", "8000-8002:80-82", "53:53/udp", '
        "{target: 3000, published: 080}]",
    )
    assert file.ports("web") == [
        "3000", "80:3000", "22:22", "127.0.0.1:80:3000", "8000-8002:80-82", "53:53/udp",
        {"target": "3000", "published": "080"},
    ]  # fmt: skip
    assert web(tmp_path, "ports: ").ports("web") == []


def test_binds(tmp_path: Path) -> None:
    file = web(
        tmp_path,
        """volumes: [
          ./conf:/etc/conf:ro, ../shared/x:/x, .hidden:/h, ./a/../b/:/b, "${DIR:-./data}:/data",
          "${LOGS}:/logs", /etc/hosts:/h, ~/.ssh:/s, "named:/n", /anonymous, "${NAMED:-n}:/v",
          {type: bind, source: ./long, target: /l}, {type: bind, source: nodot, target: /l},
          {type: bind, source: /abs, target: /l}, {type: bind, source: ~/x, target: /l},
          {type: volume, source: named, target: /l}, {type: tmpfs, target: /t}]""",
    )
    assert file.binds("web", {"LOGS": "./logs"}) == [
        (0, "conf"), (1, "../shared/x"), (2, ".hidden"), (3, "b"), (4, "data"), (5, "logs"),
        (11, "long"), (12, "nodot"),
    ]  # fmt: skip
    assert (4, "data") not in file.binds("web", {"DIR": "/srv/data"})


def test_named_volumes_that_are_written_to(tmp_path: Path) -> None:
    file = web(
        tmp_path,
        """volumes: [data:/d, read:/r:ro, z:/z:ro,z, w:/w:rw, /anon, ./b:/b, /a:/a, ~/x:/x,
        {type: volume, source: long, target: /l}, {type: volume, target: /anonymous},
        {type: volume, source: ro, target: /r, read_only: true}, {type: tmpfs, target: /t}]""",
    )
    assert file.named_volumes("web") == ["data", "w", "long"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", []),
        ("env_file: .env", [EnvFile(".env", ".env", True)]),
        ("env_file: ./.env", [EnvFile("./.env", ".env", True)]),
        ("env_file: [a.env, conf/../b.env]",
         [EnvFile("a.env", "a.env", True), EnvFile("conf/../b.env", "b.env", True)]),
        ("env_file: ['${STAGE}.env']", [EnvFile("${STAGE}.env", "live.env", True)]),
        ("env_file: [{path: a.env}, {path: b.env, required: false}]",
         [EnvFile({"path": "a.env"}, "a.env", True),
          EnvFile({"path": "b.env", "required": False}, "b.env", False)]),
    ],
)  # fmt: skip
def test_env_files(tmp_path: Path, keys: str, expected: list[EnvFile]) -> None:
    assert web(tmp_path, keys).env_files("web", {"STAGE": "live"}) == expected


def test_named_files(tmp_path: Path) -> None:
    file = web(
        tmp_path,
        "secrets: [key, {source: long}], configs: [app]",
        "secrets: {key: {file: ./key.txt}, env: {environment: KEY}, abs: {file: /etc/key}, "
        "long: {file: '${DIR:-a}/b'}, out: {external: true}}\nconfigs: {app: {file: x/../app.ini}}",
    )
    assert file.named_files({}) == [
        ("configs", "app", "app.ini"), ("secrets", "key", "key.txt"), ("secrets", "long", "a/b"),
    ]  # fmt: skip
    assert file.takes("web", "secrets") == [("key", "key"), ("long", {"source": "long"})]
    assert file.takes("web", "configs") == [("app", "app")]


def test_what_the_values_lack(tmp_path: Path) -> None:
    file = web(
        tmp_path,
        'command: "$A ${B:-b} ${C:?} ${A}", labels: {"${KEY:?}": x}',
        'x-more: "${D:?}"\n# ${COMMENT:?}\n',
    )
    assert file.missing({}) == ["A", "C", "D"]
    assert file.missing({"A": "", "C": "", "D": "1"}) == ["C"]


def test_anchors_merge_keys_and_tags(tmp_path: Path) -> None:
    file = compose_of(
        tmp_path,
        """\
x-base: &base
  image: acme/shop
  depends_on: [db]
x-more: {deep: &deep {<<: *base, image: other}}
services:
  web: {<<: *deep, ports: !override ["80:3000"]}
  worker: {<<: [*base], command: !reset null}
  db: {image: postgres}
""",
    )
    assert file.services["web"] == {
        "image": "other", "depends_on": ["db"], "ports": ["80:3000"]
    }  # fmt: skip
    assert file.dependencies("worker") == {"db": "service_started"}


def test_the_text_is_kept_to_the_letter(tmp_path: Path) -> None:
    raw = "services:\r\n  web: {image: acme/shop}  # größer\r\n".encode()
    (tmp_path / "compose.yaml").write_bytes(raw)
    assert read(tmp_path / "compose.yaml", tmp_path).text.encode() == raw


BAD = [
    ("services: {web: [}\n", "compose.yaml:1  expected the node content, but found '}'"),
    ("services:\n  web:\n\timage: x\n",
     "compose.yaml:3  found character '\\t' that cannot start any token"),
    ("services:\n  web: {image: a, image: b}\n", "compose.yaml:2  the key 'image' stands twice"),
    ("services: {web: *nothing}\n", "compose.yaml:1  found undefined alias 'nothing'"),
    ("a: b\n---\nc: d\n", "compose.yaml:2  but found another document"),
    ("a: \x07\n", "compose.yaml:1  holds a character that YAML does not allow"),
    ("a:\n- {[]: b}\n", "compose.yaml:2  found unhashable key"),
    ("", "compose.yaml  services: is missing, or is no mapping of services"),
    ("- a\n", "compose.yaml  services: is missing, or is no mapping of services"),
    ("services:\n", "compose.yaml  services: is missing, or is no mapping of services"),
    ("services: {}\n", "compose.yaml  services: is missing, or is no mapping of services"),
    ("services: [web]\n", "compose.yaml  services: is missing, or is no mapping of services"),
    ("services: {web: , db: text}\n",
     "compose.yaml  services.web: is no mapping\ncompose.yaml  services.db: is no mapping"),
    ("services: {web: {image: x, command: 'a ${B.c}'}}\n",
     "compose.yaml  services.web.command: '${B.c}' is no variable; write $$ where a $ is meant"),
    ("services: {web: {image: x, command: &a [*a]}}\n",
     "compose.yaml  has no end: an alias stands within what it names"),
    ("include: [more.yaml]\nservices: {web: {extends: {service: a, file: b.yaml}}}\n",
     "compose.yaml  include: is not carried with a release; "
     f"write it out: {FLATTEN} > compose.flat.yaml\n"
     "compose.yaml  services.web.extends: is not carried with a release; "
     f"write it out: {FLATTEN} > compose.flat.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_input(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compose_of(tmp_path, text)
    assert str(caught.value) == f"{message}\nNothing has been changed."
    assert caught.value.exit_code == 2


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    mend = "; name it under compose: in the hosts file"
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"services: {web: {image: gr\xfcn}}")
    for name, message in {
        "none.yaml": f"No such file or directory{mend}",
        "folder": f"Is a directory{mend}",
        "latin": "is not UTF-8 text",
    }.items():
        with pytest.raises(SettingsError) as caught:
            read(tmp_path / name, tmp_path)
        assert str(caught.value.faults[0]) == f"{name}  {message}"


@pytest.mark.usefixtures("no_collection")
def test_a_file_nested_too_deeply(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is nested too deeply"):
        compose_of(tmp_path, "a: " + "[" * 5000 + "]" * 5000)
