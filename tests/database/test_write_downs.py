"""Downs proposed for what drizzle-kit itself has made; up, down and up on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.database.catalogue.catalogue import read
from deploy.database.catalogue.shape import Shape, differences, shape
from deploy.database.downs.down import down_of
from deploy.database.downs.effects import Class
from deploy.database.downs.write import write_downs
from deploy.database.migrations.folder import Folder, Format, read_folder

from .conftest import asked
from .drizzle_histories import RENAMES, STEPS, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .shells import Near

pytestmark = pytest.mark.fleet

KITS = {Format.V0: ("0.31.11", "0.45.4"), Format.V1: ("1.0.0-rc.5", "1.0.0-rc.5")}
GENERATE = Path(__file__).with_name("drizzle_generate.mjs")
HEAD = """const pg = { ...require("drizzle-orm/pg-core") };
const { sql } = require("drizzle-orm");
"""
QUESTION = b"created or renamed from another"
KEYS = {"create": b"\r", "rename": b"\x1b[B\r"}


@dataclass(frozen=True)
class Project:
    """A project of npm's with drizzle-kit, and folders of migrations in it."""

    home: Path
    form: Format

    def generate(self, name: str, steps: Sequence[Step]) -> Path:
        """Make a folder of migrations from a history."""
        out, told = self.home / name, self.home / f"{name}.json"
        shutil.rmtree(out, ignore_errors=True)
        told.write_text(json.dumps([asdict(one) for one in steps]))
        node(GENERATE, self.home, out, told)
        return out


def node(*words: object) -> None:
    argv = ["node", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Project]:
    """Both versions, from the npm registry or npm's own cache."""
    assert shutil.which("npm"), "these tests need Node with npm"
    flags = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"]
    found = {}
    for form, (kit, orm) in KITS.items():
        home = tmp_path_factory.mktemp(form.value)
        (home / "package.json").write_text('{"private": true}')
        packages = [f"drizzle-kit@{kit}", f"drizzle-orm@{orm}"]
        done = subprocess.run(
            ["npm", "install", *flags, "--legacy-peer-deps", *packages],
            cwd=home,
            capture_output=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        found[form] = Project(home, form)
    return found


def of_disk(folder: Path) -> Folder:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return read_folder({name: path.read_bytes() for name, path in files.items() if path.is_file()})


def now(postgres: Near) -> Shape:
    return shape(read(postgres))


def run(postgres: Near, sql: str) -> None:
    asked(postgres, f"begin;\n{sql}\n;commit;")


def proven(postgres: Near, folder: Folder) -> dict[str, Class]:
    """Go up, down and up with each migration, and return the classes of their downs."""
    found = {}
    before = now(postgres)
    for one in folder.migrations:
        down = down_of(one)
        assert down
        found[one.name] = down.klass
        run(postgres, one.sql)
        after = now(postgres)
        run(postgres, down.text)
        left = differences(before, now(postgres))
        if down.klass is Class.D:
            # Only the enum's values have stayed, and the migration does not run again.
            assert [line.partition(":")[0] for line in left] == ["- type mood", "+ type mood"]
        else:
            assert left == (), one.name
            # If it leads elsewhere than before, the next one's way back does not lead to `after`.
            run(postgres, one.sql)
        before = after
    assert now(postgres) == before
    return found


@pytest.mark.parametrize("form", list(Format))
def test_every_kind_of_change_there_and_back(
    postgres: Near, projects: dict[Format, Project], form: Format
) -> None:
    place = projects[form].generate("steps", STEPS)
    written = write_downs(place)
    assert [one.missing for one in written.proposals if one.missing] == []
    assert (written.complete, written.there, written.version) == (True, 0, KITS[form][0])
    classes = proven(postgres, of_disk(place))
    assert list(classes.values()) == [Class(step.klass) for step in STEPS]


def test_renames_of_drizzle_1(postgres: Near, projects: dict[Format, Project]) -> None:
    place = projects[Format.V1].generate("renames", RENAMES)
    renamed(postgres, place)


def test_renames_of_drizzle_0(postgres: Near, projects: dict[Format, Project]) -> None:
    """drizzle-kit 0.x asks in a terminal, so that it is given one, and the keys."""
    project = projects[Format.V0]
    place = project.generate("renames", RENAMES[:1])
    pressed(project, RENAMES[1], "rename", "rename", "create")
    pressed(project, RENAMES[2], "rename")
    renamed(postgres, place)


def renamed(postgres: Near, place: Path) -> None:
    assert write_downs(place).complete
    folder = of_disk(place)
    assert [down.klass for one in folder.migrations if (down := down_of(one))] == ["A", "C", "A"]
    run(postgres, folder.migrations[0].sql)
    asked(postgres, "insert into users (name, old) values ('ana', 'b')")
    for one in folder.migrations[1:]:
        run(postgres, one.sql)
        run(postgres, one.down or "")
        assert asked(postgres, f"select * from {'users'}")[0].startswith("1|")  # noqa: S608 - ours
        run(postgres, one.sql)
    for one in reversed(folder.migrations[1:]):
        run(postgres, one.down or "")
    # What was renamed has kept its values; one that was dropped and made again would have none.
    assert asked(postgres, "select name, old from users") == ["ana|b"]
    asked(postgres, "drop schema public cascade; create schema public")
    proven(postgres, folder)


def pressed(project: Project, step: Step, *answers: str) -> None:
    schema = project.home / f"{step.name}.cjs"
    schema.write_text(HEAD + step.code)
    flags = ["--dialect=postgresql", f"--schema={schema}", "--out=renames", f"--name={step.name}"]
    ours, theirs = pty.openpty()
    kit = subprocess.Popen(
        ["node_modules/.bin/drizzle-kit", "generate", *flags],
        cwd=project.home,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said, left, deadline = b"", list(answers), time.monotonic() + 60
    while kit.poll() is None and time.monotonic() < deadline:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                said += os.read(ours, 65536)
            except OSError:
                break
        if left and said.count(QUESTION) == len(answers) - len(left) + 1:
            # The question is drawn before the keys are listened to.
            time.sleep(0.1)
            os.write(ours, KEYS[left.pop(0)])
    kit.wait(60)
    os.close(ours)
    assert (kit.returncode, left) == (0, []), said.decode()
