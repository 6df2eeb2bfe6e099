"""The edge's configuration."""

from deploy.sandbox import edge


def servers(text):
    return [line.split()[1:] for line in text.splitlines() if line.strip().startswith("server ")]


def test_every_host_is_there_once_for_each_port_that_the_compose_files_publish():
    text = edge.configuration({"web-1": "10.231.1.1", "web-2": "10.231.1.2"})
    assert servers(text) == [
        ["web-1", "10.231.1.1:80"],
        ["web-1-plain", "10.231.1.1:3000", "backup"],
        ["web-2", "10.231.1.2:80"],
        ["web-2-plain", "10.231.1.2:3000", "backup"],
    ]


def test_nothing_that_a_host_does_wrong_is_mended_by_the_edge():
    settings = [line.strip() for line in edge.configuration({}).splitlines()]
    assert "retries 0" in settings
    assert not [line for line in settings if line.startswith(("retry-on", "option redispatch"))]


def test_one_slow_answer_takes_no_host_out():
    settings = [line.strip() for line in edge.configuration({}).splitlines()]
    assert "default-server check inter 1s fall 3 rise 1 maxconn 100" in settings
    assert not [line for line in settings if line.startswith("option httpchk")]
