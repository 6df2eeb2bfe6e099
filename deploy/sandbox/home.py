"""`.sandbox/`: keys, pinned host keys, secrets, hosts and the edge's address of the sandbox.

Everything is made once, on first use, and then kept: a VPS that is made anew has the same host key,
so that known_hosts is right by construction and nobody ever gets used to accepting a changed key.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import UsageError
from deploy.sandbox.machines import OUTSIDE_PORT

if TYPE_CHECKING:
    from deploy.sandbox.machines import Machine

ROOT = Path(__file__).resolve().parents[2]
"""The repository, which holds the application of the sandbox and `.sandbox/`."""


class Home:
    """The folder `.sandbox/` (0700) and the files in it, by what they are for."""

    def __init__(self, path: Path = ROOT / ".sandbox") -> None:
        self.path = path
        self.key = path / "id_ed25519"
        self.known_hosts = path / "known_hosts"
        self.hosts = path / "hosts.yaml"
        self.url = path / "url.yaml"
        self.env = path / "env"

    @property
    def complete(self) -> bool:
        """Whether what can't be made a second time is there: the key and the secrets."""
        return self.key.is_file() and self.env.is_file()

    @property
    def name(self) -> str:
        """A short name for this key, by which a sandbox that another one made is told apart."""
        return hashlib.sha256(public_key(self.key.read_bytes()).encode()).hexdigest()[:16]

    def prepare(self) -> None:
        """Make the key, and those of the secrets that are not there."""
        if not self.key.is_file():
            write(self.key, new_key(), 0o600)
        held = self.env.read_text().splitlines() if self.env.is_file() else []
        names = {line.partition("=")[0] for line in held}
        more = [f"{name}={value}" for name, value in new_secrets().items() if name not in names]
        if more:
            write(self.env, "\n".join([*held, *more, ""]).encode(), 0o600)

    def secret(self, name: str) -> str:
        """One of the values in `env`."""
        for line in self.env.read_text().splitlines():
            key, _, value = line.partition("=")
            if key == name:
                return value
        raise KeyError(name)

    def outside_secrets(self) -> bytes:
        """What Slack, Cloudflare and the webhook of the sandbox must be shown, as JSON."""
        held = {
            "slack_token": self.secret("SANDBOX_SLACK_TOKEN"),
            "slack_webhook": self.secret("SANDBOX_SLACK_WEBHOOK").rpartition("/")[2],
            "cloudflare_token": self.secret("SANDBOX_CLOUDFLARE_TOKEN"),
            "webhook_key": self.secret("SANDBOX_WEBHOOK_KEY"),
        }
        return json.dumps(held).encode()

    def registry_login(self, user: str) -> bytes:
        """The registry's htpasswd with that user, made once from the password in `env`."""
        path = self.path / "htpasswd"
        if not path.is_file():
            import bcrypt

            hashed = bcrypt.hashpw(self.secret("REGISTRY_PASSWORD").encode(), bcrypt.gensalt(6))
            write(path, f"{user}:{hashed.decode()}\n".encode(), 0o600)
        return path.read_bytes()

    def host_key(self, name: str) -> bytes:
        """The private host key of a VPS in OpenSSH's format, made on first use."""
        path = self.path / "host_keys" / name
        if not path.is_file():
            write(path, new_key(), 0o600)
        return path.read_bytes()

    def write_hosts(self, machines: Sequence[Machine]) -> None:
        """Write known_hosts, hosts.yaml and url.yaml for these machines."""
        vpss = [machine for machine in machines if machine.kind == "vps"]
        pinned = [
            f"[127.0.0.1]:{vps.ssh_port} {public_key(self.host_key(vps.name))}\n" for vps in vpss
        ]
        write(self.known_hosts, "".join(pinned).encode(), 0o600)
        hosts = [
            f"{vps.name}: "
            f"{{address: 127.0.0.1, port: {vps.ssh_port}, roles: [{', '.join(vps.roles)}]}}\n"
            for vps in vpss
        ]
        head = "# Written by `inv sandbox.up`: the mapping under `hosts:` in hosts/sandbox.yaml.\n"
        write(self.hosts, (head + "".join(hosts)).encode(), 0o600)
        edge = next(machine for machine in machines if machine.kind == "edge")
        write(self.url, f"http://127.0.0.1:{edge.ports[0][0]}\n".encode(), 0o600)

    def host_names(self) -> list[str]:
        """The hosts in `hosts.yaml`, in their order; none before the first `up`."""
        if not self.hosts.is_file():
            return []
        lines = self.hosts.read_text().splitlines()
        return [line.partition(":")[0] for line in lines if not line.startswith("#")]

    def address(self) -> str:
        """Where the edge answers.

        Raises:
            UsageError: there was no `up` yet.
        """
        if not self.url.is_file():
            raise UsageError("The sandbox is not up.", mend="inv sandbox.up")
        return self.url.read_text().strip()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second `up` or `down` waiting until this one is through."""
        while True:
            self.path.mkdir(mode=0o700, exist_ok=True)
            with (self.path / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                # While this one waited, `down` may have removed the file that it waited for.
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(lock.fileno()), os.stat(self.path / "lock")):
                        yield
                        return


def write(path: Path, content: bytes, mode: int) -> None:
    """Write a whole file or none, readable for nobody before it has its mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    beside.replace(path)


def new_secrets() -> dict[str, str]:
    """A value for each secret of the sandbox.

    Those of Slack and the like have names of their own: the real ones may be in the environment of
    whoever types, and what is there comes before what is in a file.
    """
    password = secrets.token_hex(16)
    webhook = f"http://127.0.0.1:{OUTSIDE_PORT}/slack/services/{secrets.token_hex(12)}"
    return {
        "REGISTRY_PASSWORD": secrets.token_hex(16),
        "DATABASE_PASSWORD": password,
        "DATABASE_URL": f"postgresql://shop:{password}@10.231.3.1:5432/shop",
        "SESSION_KEY": secrets.token_hex(32),
        "SANDBOX_SLACK_TOKEN": f"sandbox-{secrets.token_hex(16)}",
        "SANDBOX_SLACK_WEBHOOK": webhook,
        "SANDBOX_CLOUDFLARE_TOKEN": f"sandbox-{secrets.token_hex(16)}",
        "SANDBOX_WEBHOOK_KEY": secrets.token_hex(32),
    }


def new_key() -> bytes:
    """A new Ed25519 private key in OpenSSH's format, without a passphrase."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )


def public_key(private: bytes) -> str:
    """The public half of a private key, as it stands in known_hosts and authorized_keys."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_ssh_private_key(private, password=None)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return public.decode()
