"""A published port in each of its forms."""

from __future__ import annotations

import pytest

from deploy.compose.ports import Entry, Port, read


@pytest.mark.parametrize(
    ("entry", "port", "text"),
    [
        ("3000", Port("", "3000", "tcp"), "3000"),
        ("80:3000", Port("80", "3000", "tcp"), "80:3000"),
        ("127.0.0.1:80:3000", Port("80", "3000", "tcp"), "80:3000"),
        ("127.0.0.1::3000", Port("", "3000", "tcp"), "3000"),
        ("[::1]:80:3000", Port("80", "3000", "tcp"), "80:3000"),
        ("53:53/udp", Port("53", "53", "udp"), "53:53/udp"),
        ("8000-8002:80-82", Port("8000-8002", "80-82", "tcp"), "8000-8002:80-82"),
        ("${PORT:-3000}:3000", Port("8080", "3000", "tcp"), "8080:3000"),
        ("${NONE:-81}:${TARGET}", Port("81", "3000", "tcp"), "81:3000"),
        ("${IP:-127.0.0.1}:80:3000", Port("80", "3000", "tcp"), "80:3000"),
        ({"target": "3000", "published": "80"}, Port("80", "3000", "tcp"), "80:3000"),
        ({"target": "53", "protocol": "udp"}, Port("", "53", "udp"), "53/udp"),
        (
            {"target": "${TARGET}", "published": "${PORT}", "host_ip": "127.0.0.1"},
            Port("8080", "3000", "tcp"),
            "8080:3000",
        ),
    ],
)
def test_read(entry: Entry, port: Port, text: str) -> None:
    found = read(entry, {"PORT": "8080", "TARGET": "3000"})
    assert found == port
    assert str(found) == text
    assert found.single == ("-" not in text)


def test_without_values_variables_stay() -> None:
    assert read("${PORT:-80}:3000") == Port("${PORT:-80}", "3000", "tcp")
    assert read({"target": "3000", "published": "$P"}) == Port("$P", "3000", "tcp")
