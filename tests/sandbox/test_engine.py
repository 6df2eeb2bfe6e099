"""Whether Docker can be used here, and what is done or said when it can't."""

import pytest

from deploy.errors import UsageError
from deploy.sandbox.engine import Found, Recipe, System, decide, number, parse_release

BOOKWORM = {"ID": "debian", "VERSION_ID": "12"}
TRIXIE = {"ID": "debian", "VERSION_ID": "13"}
TESTING = {"ID": "debian", "VERSION_CODENAME": "forky"}
NOBLE = {"ID": "ubuntu", "VERSION_ID": "24.04", "ID_LIKE": "debian"}
FOCAL = {"ID": "ubuntu", "VERSION_ID": "20.04", "PRETTY_NAME": "Ubuntu 20.04 LTS"}
BULLSEYE = {"ID": "debian", "VERSION_ID": "11", "PRETTY_NAME": "Debian 11"}
MINT = {"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "VERSION_ID": "22"}
FEDORA = {"ID": "fedora", "VERSION_ID": "41", "PRETTY_NAME": "Fedora Linux 41"}

WHOLE = Found(answers=True, dockerd=True, compose=(2, 26), buildx=True)
STOPPED = Found(dockerd=True, compose=(2, 26), buildx=True)
CLIENT_ONLY = Found(compose=(2, 30), buildx=True)
OLD_COMPOSE = Found(answers=True, dockerd=True, compose=(2, 23), buildx=True)

EVERYWHERE = ("iptables", "ca-certificates")
DEBIAN = ("docker.io", "docker-cli", "docker-compose", "docker-buildx")


@pytest.mark.parametrize("release", [BOOKWORM, TRIXIE, NOBLE, FEDORA, {}])
@pytest.mark.parametrize("root", [True, False])
def test_what_works_is_left_alone(release, root):
    assert decide(WHOLE, System(release, root=root)) == Recipe()


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (BOOKWORM, Recipe((*EVERYWHERE, *DEBIAN), trixie=True, start=True)),
        (TRIXIE, Recipe((*EVERYWHERE, *DEBIAN), start=True)),
        (TESTING, Recipe((*EVERYWHERE, *DEBIAN), start=True)),
        (
            NOBLE,
            Recipe(
                (*EVERYWHERE, "docker.io", "docker-compose-v2", "docker-buildx"),
                start=True,
            ),
        ),
    ],
)
@pytest.mark.parametrize("found", [Found(), CLIENT_ONLY])
def test_without_an_engine_the_distributions_is_installed_and_started(found, release, expected):
    assert decide(found, System(release, root=True)) == expected


@pytest.mark.parametrize("release", [FOCAL, BULLSEYE, MINT, FEDORA, {}])
def test_any_other_system_is_told_exactly_what_to_install(release):
    with pytest.raises(UsageError) as refused:
        decide(Found(), System(release, root=True))
    assert refused.value.exit_code == 2
    assert release.get("PRETTY_NAME", "this system") in refused.value.message
    assert "Docker Compose 2.24" in refused.value.mend


def test_without_root_the_command_is_said():
    with pytest.raises(UsageError) as refused:
        decide(Found(), System(TRIXIE))
    assert refused.value.mend == "sudo apt-get install " + " ".join((*EVERYWHERE, *DEBIAN))


def test_an_engine_that_is_there_is_started_and_nothing_installed():
    assert decide(STOPPED, System(FEDORA, root=True)) == Recipe(start=True)
    with pytest.raises(UsageError, match="neither root nor has a sudo"):
        decide(STOPPED, System(TRIXIE))


def test_beside_an_engine_that_runs_only_the_client_is_installed():
    expected = Recipe((*EVERYWHERE, "docker-cli", "docker-compose", "docker-buildx"), trixie=True)
    assert decide(OLD_COMPOSE, System(BOOKWORM, root=True)) == expected


def test_dockers_own_packages_are_not_thrown_out():
    with pytest.raises(UsageError, match=r"Docker Compose is 2\.23, older than 2\.24") as refused:
        decide(OLD_COMPOSE, System(TRIXIE, root=True, foreign=True))
    assert "docker-compose-plugin" in refused.value.mend


def test_an_engine_that_this_user_may_not_use():
    found = Found(forbidden=True, dockerd=True, compose=(2, 26), buildx=True)
    with pytest.raises(UsageError) as refused:
        decide(found, System(TRIXIE))
    assert "usermod -aG docker" in refused.value.mend


def test_an_engine_elsewhere_is_nothing_to_install_here():
    with pytest.raises(UsageError, match=r"tcp://10\.0\.0\.9"):
        decide(CLIENT_ONLY, System(TRIXIE, root=True, elsewhere="tcp://10.0.0.9"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.26.1-4", (2, 26)),
        ("v2.24.0", (2, 24)),
        ("2.40.3+ds1", (2, 40)),
        ("24.04", (24, 4)),
        ("13", (13, 0)),
        ("", None),
        ("sid", None),
    ],
)
def test_numbers_of_versions(text, expected):
    assert number(text) == expected


def test_os_release_with_both_kinds_of_quotes_and_none():
    text = "ID=debian\nVERSION_ID=\"12\"\nNAME='Debian GNU/Linux'\n# comment\n\n"
    assert parse_release(text) == {"ID": "debian", "VERSION_ID": "12", "NAME": "Debian GNU/Linux"}
