"""The names of environments and tags, and what it costs to ask for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.errors import UsageError
from deploy.settings import environments, load, valid_tag

from .repository import GOOD, write


def test_environments_are_the_file_names(tmp_path: Path) -> None:
    for name in ("staging", "production", "reference", "smoke", "Odd", "-x", "with space"):
        write(tmp_path, GOOD, name)
    (tmp_path / "hosts/known_hosts").touch()
    (tmp_path / "hosts/notes.yml").touch()
    assert environments(tmp_path) == ["production", "staging"]
    assert environments(tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("prodution", "there is no environment 'prodution'; did you mean production?"),
        ("zzz", "there is no environment 'zzz'"),
        ("reference", "there is no environment 'reference'"),
        (
            "../hosts/production",
            "there is no environment '../hosts/production'; did you mean production?",
        ),
        ("", "there is no environment ''"),
    ],
)
def test_an_environment_that_does_not_exist(tmp_path: Path, name: str, message: str) -> None:
    for known in ("staging", "production", "reference"):
        write(tmp_path, GOOD, known)
    with pytest.raises(UsageError) as caught:
        load(tmp_path, name, {})
    assert str(caught.value).splitlines() == [
        message,
        "Nothing has been changed.",
        "The environments are: production, staging",
    ]
    assert caught.value.exit_code == 2


def test_no_environment_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none at all") as caught:
        load(tmp_path, "production", {})
    assert caught.value.mend == "inv init writes a first one"


@pytest.mark.parametrize("tag", ["v1", "v1.4.2", "_", "3c1f9ab", "A-b_c.d", "a" * 128])
def test_tags(tag: str) -> None:
    assert valid_tag(tag)


@pytest.mark.parametrize(
    "tag",
    ["", "x;rm -rf /", "-v", "--help", ".hidden", "v1\n", "v1\nx", "\nv1", "v 1", "a" * 129,
     "a" * 300, "v1@sha256", "a/b", "a:b", "$(id)", "é", "٣", "v1\0"],
)  # fmt: skip
def test_what_is_no_tag(tag: str) -> None:
    assert not valid_tag(tag)


def test_names_cost_no_heavy_import() -> None:
    code = (
        "import sys; from deploy.settings import environments, valid_tag; "
        "print(*{'pydantic', 'yaml', 'dotenv'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_what_the_package_does_not_have() -> None:
    import deploy.settings

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(deploy.settings, "noth" + "ing")
    for name in deploy.settings.__all__:
        assert callable(getattr(deploy.settings, name))
