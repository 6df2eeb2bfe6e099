"""The Debian mirror that a machine uses."""

import pytest

from deploy.sandbox.mirror import MIRROR, machine_mirror


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("sources.list", "deb http://ftp.example/debian bookworm main\n", "http://ftp.example/debian"),
        ("sources.list", "deb [arch=amd64] http://m.example/debian/ trixie main", "http://m.example/debian"),
        ("sources.list.d/debian.sources", "Types: deb\nURIs: http://m.example/debian\n", "http://m.example/debian"),
        # Not reachable while an image has no certificates.
        ("sources.list", "deb https://m.example/debian trixie main\n", MIRROR),
        ("sources.list", "# deb http://m.example/debian trixie main\n", MIRROR),
        ("sources.list", "deb http://s.example/debian-security trixie-security main\n", MIRROR),
        ("sources.list", "deb http://archive.ubuntu.com/ubuntu noble main\n", MIRROR),
    ],
)  # fmt: skip
def test_the_machines_own_mirror_if_it_will_do(tmp_path, name, text, expected):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert machine_mirror(tmp_path) == expected


def test_a_machine_without_apt(tmp_path):
    assert machine_mirror(tmp_path / "nothing") == MIRROR
