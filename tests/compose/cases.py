"""The golden cases in `cases/`, each laid out as on its hosts.

`python -m tests.compose.cases` writes what is expected anew, for a person to read the difference.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.bundle import Beside, beside, given_values, image_values, rolled_services
from deploy.compose.file import ComposeFile, read
from deploy.compose.override import override
from deploy.compose.placement import Placement, place
from deploy.release import Release, dotenv
from deploy.settings import Environment, load

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.name for path in CASES.iterdir())
SHOP = Path(__file__).parent.parent.parent / "examples/shop"
OF_THE_SHOP = {"shop": "compose.yaml", "plain": "compose.plain.yaml"}
SECRETS = {
    "DATABASE_URL": "postgres://shop:x@db/shop",
    "DATABASE_PASSWORD": "p'$w",
    "SESSION_KEY": "kkk-secret",
}


@dataclass(frozen=True)
class Case:
    """A case in a folder of its own, read as a deploy reads it."""

    name: str
    environment: Environment
    compose: ComposeFile
    placements: dict[str, Placement]
    carried: Beside
    values: dict[str, str]

    @classmethod
    def read(cls, name: str, root: Path) -> Case:
        shutil.copytree(CASES / name, root, dirs_exist_ok=True)
        if name in OF_THE_SHOP:
            shutil.copy(SHOP / OF_THE_SHOP[name], root / "compose.yaml")
            shutil.copy(SHOP / "Caddyfile", root)
        (root / "hosts").mkdir()
        (root / "hosts.yaml").rename(root / "hosts/production.yaml")
        environment = load(root, "production", SECRETS)
        compose = read(environment.compose, root)
        given = given_values(environment)
        images = cls._images(environment, compose)
        return cls(
            name,
            environment,
            compose,
            place(environment, compose, given),
            beside(environment, compose),
            given | image_values(compose, images, "v2", given),
        )

    @staticmethod
    def _images(environment: Environment, compose: ComposeFile) -> dict[str, str]:
        repositories = rolled_services(environment, compose)
        digests = {
            name: f"{index + 1}" * 64 for index, name in enumerate(sorted({*repositories.values()}))
        }
        return {service: f"{name}@sha256:{digests[name]}" for service, name in repositories.items()}

    @property
    def images(self) -> dict[str, str]:
        return self._images(self.environment, self.compose)

    def override(self, host: str, release: str = "v2-0a1b2c3d") -> str:
        shipped = self.carried.shipped
        placement = self.placements[host]
        return override(self.environment, self.compose, placement, self.images, release, shipped)

    def lay_out(self, host: str, folder: Path, release: str = "v2-0a1b2c3d") -> None:
        """Make the application's folder as it is on a host once the release has settled there."""
        state = folder / ".headway"
        mine = state / "releases" / release
        env = dotenv(
            Release(release, "v2", self.images, "2026-01-01T00:00:00Z"),
            self.environment.app,
            {**self.values, "HOST_NAME": host, **self.environment.hosts[host].env},
        )
        for here in (folder, mine):
            here.mkdir(parents=True, exist_ok=True)
            (here / "compose.yaml").write_text(self.compose.text)
            (here / ".env").write_text(env)
        for here in (state, mine):
            (here / "host.yaml").write_text(self.override(host, release))
        for path, (content, _) in self.carried.files.items():
            for here in (folder, mine / "beside"):
                (here / path).parent.mkdir(parents=True, exist_ok=True)
                (here / path).write_bytes(content)


def main() -> None:
    for name in NAMES:
        with tempfile.TemporaryDirectory() as root:
            case = Case.read(name, Path(root))
            for host in case.placements:
                (CASES / name / f"expected-{host}.yaml").write_text(case.override(host), "utf-8")


if __name__ == "__main__":
    main()
