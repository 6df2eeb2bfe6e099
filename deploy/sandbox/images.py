"""The sandbox's images: what each is built from, and which of them the registry offers.

An image is tagged with the hash of its build folder and of its base, so nothing is built twice and
nothing stale is ever used.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.registry import ACCEPTED
from deploy.sandbox.base import BASE
from deploy.sandbox.machines import REGISTRY, REGISTRY_USER, Kind

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker

FOLDER = Path(__file__).parent / "images"
PREFIX = "headway-sandbox"

MACHINES: dict[Kind, str] = {
    "vps": "vps",
    "registry": "registry",
    "edge": "haproxy",
    "outside": "node",
}
"""The build folder for each kind of machine."""

OFFERED = {
    "node": f"{REGISTRY}/node:20",
    "caddy": f"{REGISTRY}/caddy:2",
    "postgres": f"{REGISTRY}/postgres:17",
    "haproxy": f"{REGISTRY}/haproxy:3",
}
"""What the VPSs can pull, by build folder."""

IMAGE_LABEL = "headway.sandbox.image"
"""On each image that is built here. Not the containers' label, as that would go on from an image to
every container that anybody makes of it."""

OFFERED_BASE = f"{REGISTRY}/{BASE}"

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora and Alpine or macOS keep the certificates that the machine trusts."""


def ca_bundle() -> Path | None:
    """The certificates that this machine trusts, in one file, if it has such a file.

    It goes into builds as the secret `ca`, so that they work behind a proxy with a CA of its own.
    """
    named = [os.environ.get("NODE_EXTRA_CA_CERTS"), os.environ.get("SSL_CERT_FILE")]
    default = ssl.get_default_verify_paths().cafile
    for candidate in [*named, *BUNDLES, default]:
        if candidate and os.path.isfile(candidate):
            return Path(candidate)
    return None


def tag(name: str, base_id: str) -> str:
    """The tag of the image that the folder `name` makes on that base."""
    digest = hashlib.sha256(f"{IMAGE_LABEL} {base_id}".encode())
    for file in sorted(path for path in (FOLDER / name).rglob("*") if path.is_file()):
        digest.update(repr((file.relative_to(FOLDER).as_posix(), file.read_bytes())).encode())
    return f"{PREFIX}/{name}:{digest.hexdigest()[:12]}"


def build(docker: Docker, name: str, base_id: str, say: Callable[[str], None]) -> str:
    """Have the image of one build folder, and return its tag.

    Raises:
        DockerFailed: the build failed; its last lines are in the message.
    """
    wanted = tag(name, base_id)
    if not docker.works("image", "inspect", wanted):
        say(f"building the image {name}")
        docker(*build_argv(FOLDER / name, wanted, {}))
    if name in OFFERED:
        docker("tag", wanted, OFFERED[name])
    return wanted


def tidy(docker: Docker, keep: Iterable[str]) -> None:
    """Remove what earlier build folders made, unless a container still uses it."""
    form = "{{.Repository}}:{{.Tag}}"
    listed = docker.lines("image", "ls", "--filter", f"reference={PREFIX}/*", "--format", form)
    for old in set(listed) - set(keep):
        docker.works("image", "rm", old)


def build_argv(folder: Path, image: str, arguments: dict[str, str]) -> list[str]:
    """The words after `docker` that build `folder` as `image`, with the secret `ca`."""
    argv = ["build", "--tag", image, "--label", f"{IMAGE_LABEL}=1", "--progress", "plain"]
    bundle = ca_bundle()
    if bundle:
        argv += ["--secret", f"id=ca,src={bundle}"]
    for name, value in arguments.items():
        argv += ["--build-arg", f"{name}={value}"]
    return [*argv, str(folder)]


@contextlib.contextmanager
def login(docker: Docker, password: str) -> Iterator[Docker]:
    """Docker with the login of the sandbox's registry, in a configuration that lasts as long."""
    token = base64.b64encode(f"{REGISTRY_USER}:{password}".encode()).decode()
    with tempfile.TemporaryDirectory(prefix="headway-login-") as folder:
        config = Path(folder) / "config.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps({"auths": {REGISTRY: {"auth": token}}}))
        yield docker.logged_in(Path(folder))


def offer(docker: Docker, image: str, password: str, say: Callable[[str], None]) -> None:
    """Have the registry hold what `image` is here; pushed only when it holds something else."""
    repository, _, label = image.removeprefix(f"{REGISTRY}/").partition(":")
    held = digest_in_registry(repository, label, password)
    if held and f"{REGISTRY}/{repository}@{held}" in repo_digests(docker, image):
        return
    say(f"pushing {image}")
    with login(docker, password) as pusher:
        pusher("push", "--quiet", image)


def repo_digests(docker: Docker, image: str) -> list[str]:
    """The names by digest under which registries hold this image, as the engine remembers them."""
    listed = json.loads(docker("image", "inspect", "--format", "{{json .RepoDigests}}", image))
    return [str(name) for name in listed or []]


def digest_in_registry(repository: str, label: str, password: str) -> str | None:
    """The digest that the registry holds under a tag, or None."""
    token = base64.b64encode(f"{REGISTRY_USER}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"http://{REGISTRY}/v2/{repository}/manifests/{label}",
        method="HEAD",
        headers={"Authorization": f"Basic {token}", "Accept": ACCEPTED},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=10) as answer:
            digest: str | None = answer.headers.get("Docker-Content-Digest")
            return digest
    except (urllib.error.URLError, OSError):
        return None
