"""Every kind of fault: its file and line, its path, what it is, and the mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import SettingsError
from deploy.settings.document import parse
from deploy.settings.loader import read

from .repository import GOOD, loaded, refused

DATABASE = "database:\n  kind: postgres\n  service: db\n  host: web-1\n"
AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

ADDED = {
    "unknown key": (
        "urll: https://shop.example",
        "8  urll: no such key; did you mean url?",
    ),
    "unknown key, nothing near": (
        "rollout:\n  zzz: 1",
        "9  rollout.zzz: no such key; the keys here are strategy, canary, "
        "max_parallel, min_healthy_time, healthy_deadline, probe_timeout, probe_deadline, bake, "
        "pull_deadline, stop_deadline, script_deadline, reconnect_deadline, progress_deadline, "
        "auto_revert, keep_releases",
    ),
    "a key of the values, not of the file": (
        "file: /",
        "8  file: no such key; did you mean files?",
    ),
    "a word without likeness": (
        "xyz: /",
        "8  xyz: no such key; the keys here are app, path, compose, image, registry, url, env, "
        "secrets, files, ssh, hosts, services, rollout, proxy, database, lease, approvers, smoke, "
        "cdn, notify, dotenv",
    ),
    "text for a number": (
        "rollout: {canary: abc}",
        "8  rollout.canary: is 'abc', expected a whole number",
    ),
    "a number in quotes": (
        "ssh: {gateway: {address: b.example, port: '22'}}",
        "8  ssh.gateway.port: is '22', expected a whole number; take the quotes away",
    ),
    "a boolean for a number": (
        "rollout: {max_parallel: true}",
        "8  rollout.max_parallel: is true, expected a whole number",
    ),
    "a half for a whole": (
        "rollout: {canary: 1.5}",
        "8  rollout.canary: is 1.5, expected a whole number",
    ),
    "too small a number": (
        "rollout: {keep_releases: 1}",
        "8  rollout.keep_releases: is 1, expected 2 or more",
    ),
    "too large a number": (
        "ssh: {gateway: {address: b.example, port: 70000}}",
        "8  ssh.gateway.port: is 70000, expected 65535 or less",
    ),
    "text for a boolean": (
        "rollout:\n  auto_revert: perhaps",
        "9  rollout.auto_revert: is 'perhaps', expected true or false",
    ),
    "text for a list": (
        "files: Caddyfile",
        "8  files: is 'Caddyfile', expected a list; put it in [ ]",
    ),
    "text for a mapping": (
        "ssh: deploy",
        "8  ssh: is 'deploy', expected a mapping",
    ),
    "a number for text": (
        "registry: {server: ghcr.io, username: 12, password: TOKEN}",
        "8  registry.username: is 12, expected text; put it in quotes",
    ),
    "nothing for a mapping": (
        "rollout:",
        "8  rollout: is empty, expected a mapping",
    ),
    "a word that is none of the choices": (
        "rollout: {strategy: blue-gren}",
        "8  rollout.strategy: is 'blue-gren', expected rolling or blue-green; "
        "did you mean blue-green?",
    ),
    "a key that is missing": (
        "registry: {server: ghcr.io, username: acme}",
        "8  registry.password: is missing; write password: REGISTRY_TOKEN",
    ),
    "no duration": (
        "rollout: {bake: 10 seconds}",
        "8  rollout.bake: is '10 seconds', expected a duration such as 500ms, 30s, 1m30s or 2h",
    ),
    "a negative duration": (
        "rollout: {bake: -1}",
        "8  rollout.bake: is -1, expected a duration from 0 to 24h",
    ),
    "no time for a connection": (
        "ssh: {connect_timeout: 0}",
        "8  ssh.connect_timeout: is 0, expected more than 0",
    ),
    "a deadline before its time": (
        "rollout: {min_healthy_time: 60s}",
        "8  rollout: min_healthy_time (60 s) leaves no time before "
        "healthy_deadline (60 s); make healthy_deadline longer",
    ),
    "an option for a user": (
        "ssh: {user: -oProxyCommand=x}",
        "8  ssh.user: is '-oProxyCommand=x', expected the name of a user of the host",
    ),
    "a gateway without an address": (
        "ssh: {gateway: 'ana@'}",
        "8  ssh.gateway: is 'ana@', expected user@address:port or a part of it",
    ),
    "a file outside": (
        "files:\n  - Caddyfile\n  - ../.ssh/id",
        "10  files[1]: is '../.ssh/id', expected a path below the compose file's folder",
    ),
    "an absolute file": (
        "files: [/etc/passwd]",
        "8  files[0]: is '/etc/passwd', expected a path below the compose file's folder",
    ),
    "a file that is an option": (
        "files: [--privileged]",
        "8  files[0]: is '--privileged', which a command would take for an option",
    ),
    "a file of Headway's": (
        "files: [./.env]",
        "8  files[0]: is './.env', which is Headway's own in the folder on the host",
    ),
    "the root for the path": (
        "path: /",
        "8  path: is '/', expected a folder such as /srv/shop",
    ),
    "a path that climbs": (
        "path: /srv/../etc",
        "8  path: is '/srv/../etc', expected a folder such as /srv/shop",
    ),
    "a path that is a command": (
        "path: /srv/shop;reboot",
        "8  path: is '/srv/shop;reboot', expected a folder such as /srv/shop",
    ),
    "no address of a site": (
        "url: shop.example",
        "8  url: is 'shop.example', expected an address such as https://shop.example",
    ),
    "an address's file that isn't there": (
        "url: site.yaml\nsmoke: {probes: {home: {kind: home}}}",
        "8  url: hosts/site.yaml does not exist; create it, or write the address here",
    ),
    "a variable's name": (
        "env: {1ST: x}",
        "8  env.1ST: is '1ST', expected the name of a variable: letters, 0-9 and _",
    ),
    "a variable without a value": (
        "env:\n  EMPTY:",
        '9  env.EMPTY: has no value; write "" for an empty one',
    ),
    "a variable of Headway's": (
        "env: {COMPOSE_FILE: x.yaml}",
        "8  env.COMPOSE_FILE: is set by Headway itself; choose another name, or leave it out",
    ),
    "a proxy without its service": (
        "proxy: own-caddy",
        "8  proxy: own-caddy needs the name of its service in the compose "
        "file; write proxy: {kind: own-caddy, service: NAME}",
    ),
    "a proxy that is none": (
        "proxy: nginx",
        "8  proxy.kind: is 'nginx', expected caddy, own-caddy or haproxy",
    ),
    "a service of Headway's proxy": (
        "proxy: {kind: caddy, service: web}",
        "8  proxy: service is only for own-caddy and haproxy; leave one of them out",
    ),
    "an image of the team's proxy": (
        "proxy: {kind: haproxy, service: lb, image: haproxy:3}",
        "8  proxy: image is only for kind: caddy; your compose file names the image",
    ),
    "a proxy that rolls": (
        "proxy: {kind: haproxy, service: web}",
        "7  services.web: is the proxy, and can't roll; leave it out",
    ),
    "a database on no host": (
        "database: {kind: postgres, service: db, host: db-1}",
        "8  database.host: there is no host 'db-1'; the hosts are web-1, web-2",
    ),
    "a database without its host": (
        "database: {kind: postgres, service: db}",
        "8  database: has service, but no host; write host:",
    ),
    "migrations of nothing": (
        "database: {kind: postgres, migrations: drizzle}",
        "8  database: has migrations, but no way to the database; write service: and host:",
    ),
    "a folder of nothing": (
        "database: {kind: postgres, folder: /app/drizzle}",
        "8  database: has folder, but no migrations; write migrations: drizzle",
    ),
    "a host for nothing": (
        "database: {kind: postgres, host: web-1}",
        "8  database: has host, but no service; write service:, or url:",
    ),
    "an image for a service": (
        "database: {kind: postgres, service: db, host: web-1, image: postgres:17}",
        "8  database: has image, but no url; a service has its programs in its own image",
    ),
    "no image of a client": (
        "database: {kind: postgres, service: db, host: web-1, image: 'postgres:{minor}'}",
        "8  database.image: is 'postgres:{minor}', expected an image's name such as "
        "postgres:{major}",
    ),
    "a version started on no copy": (
        f"{DATABASE}  migrations: drizzle\n  rehearsal:\n    mode: off\n"
        "    application: {service: web, url: DATABASE_URL}",
        "13  database.rehearsal: has application, and is off; leave one of them out",
    ),
    "a service that is not there started on a copy": (
        f"{DATABASE}  migrations: drizzle\n  rehearsal:\n"
        "    application: {service: site, url: DATABASE_URL}",
        "14  database.rehearsal.application.service: there is no service 'site' under services; "
        "the services are web",
    ),
    "a URL in the place of its variable's name": (
        f"{DATABASE}  migrations: drizzle\n  rehearsal:\n"
        "    application: {service: web, url: 'postgres://db/shop'}",
        "14  database.rehearsal.application.url: is 'postgres://db/shop', expected the name of a "
        "variable: letters, 0-9 and _",
    ),
    "a backup of nothing": (
        "database: {kind: postgres, backup: {required: true}}",
        "8  database: has backup, but no way to the database; write service: and host:",
    ),
    "a backup of too few": (
        f"{DATABASE}  backup: {{keep: 1}}",
        "12  database.backup.keep: is 1, expected 2 or more",
    ),
    "a word for required": (
        f"{DATABASE}  backup: {{required: production}}",
        "12  database.backup.required: is 'production', expected true or false",
    ),
    "a copy to nowhere": (
        f"{DATABASE}  backup:\n    copy_to:\n      - {{to: locl, folder: x}}",
        "14  database.backup.copy_to[0].to: is 'locl', expected local, host or command; "
        "did you mean local?",
    ),
    "a copy without its folder": (
        f"{DATABASE}  backup:\n    copy_to:\n      - {{to: local}}",
        "14  database.backup.copy_to[0]: goes to local, but has no folder; write folder:",
    ),
    "a copy with too much": (
        f"{DATABASE}  backup:\n    copy_to:\n      - {{to: local, folder: x, command: y}}",
        "14  database.backup.copy_to[0]: goes to local, which takes no command; "
        "leave one of them out",
    ),
    "a copy to no host": (
        f"{DATABASE}  backup:\n    copy_to:\n      - {{to: host, host: web-3, folder: /x}}",
        "14  database.backup.copy_to[0].host: there is no host 'web-3'; the hosts are web-1, web-2",
    ),
    "a copy to where it is": (
        f"{DATABASE}  backup:\n    copy_to:\n      - {{to: host, host: web-1, folder: /x}}",
        "14  database.backup.copy_to[0].host: is the host of the database itself; "
        "a copy is for when that is gone",
    ),
    "a copy to a folder that is nowhere": (
        f"{DATABASE}  backup:\n    copy_to:\n      - {{to: host, host: web-2, folder: x}}",
        "14  database.backup.copy_to[0]: is 'x', expected an absolute folder on web-2",
    ),
    "no key of age": (
        f"{DATABASE}  backup: {{copy_to: [], encrypt_to: AGE-SECRET-KEY-1}}",
        "12  database.backup.encrypt_to: is no public key of age (age1 and 58 characters); "
        "the private one is for whoever reads the copies, and does not belong here",
    ),
    "encrypted for nobody": (
        f"{DATABASE}  backup: {{encrypt_to: {AGE}}}",
        "12  database.backup: has encrypt_to, but no copy_to; only what leaves the host is "
        "encrypted",
    ),
    "verified by nothing": (
        f"{DATABASE}  backup: {{verify: pgbackrest check}}",
        "12  database.backup: has verify, but no command; a dump is verified by itself",
    ),
    "a rehearsal of nothing": (
        f"{DATABASE}  rehearsal: {{mode: schema}}",
        "8  database: has rehearsal, but no migrations; write migrations: drizzle",
    ),
    "a rehearsal in another way": (
        f"{DATABASE}  migrations: drizzle\n  rehearsal: {{mode: shema}}",
        "13  database.rehearsal.mode: is 'shema', expected data, schema or off; "
        "did you mean schema?",
    ),
    "a server without memory": (
        f"{DATABASE}  migrations: drizzle\n  rehearsal: {{memory: 64MB}}",
        "13  database.rehearsal.memory: is less than 128MB",
    ),
    "no size": (
        f"{DATABASE}  migrations: drizzle\n  rehearsal: {{disk: 20G}}",
        "13  database.rehearsal.disk: is '20G', expected a size such as 512MB, 20GB or 2GiB",
    ),
    "no way to apply": (
        f"{DATABASE}  migrations: drizzle\n  apply: pusch",
        "13  database.apply.by: is 'pusch', expected headway, command or push; did you mean push?",
    ),
    "applied, and no migrations": (
        f"{DATABASE}  apply: headway",
        "8  database: has apply, but no migrations; write migrations: drizzle",
    ),
    "a command for Headway": (
        f"{DATABASE}  migrations: drizzle\n  apply: {{by: headway, timeout: 5m}}",
        "13  database.apply: has timeout, and Headway applies; write by: command, or push",
    ),
    "by a command that is none": (
        f"{DATABASE}  migrations: drizzle\n  apply: command",
        "13  database.apply: is by command, but has no command; write command:",
    ),
    "a push in production": (
        f"{DATABASE}  migrations: drizzle\n  apply: push",
        "13  database.apply: pushes, and nobody can say beforehand what drizzle-kit push would do; "
        "apply migrations in production: leave it out, or write a command",
    ),
    "a push that is a command": (
        f"{DATABASE}  migrations: drizzle\n  apply: {{command: drizzle-kit push --force}}",
        "13  database.apply: has drizzle-kit push as its command, which applies no migrations; "
        "write by: push, or let it run drizzle-kit migrate",
    ),
    "a push by force": (
        f"{DATABASE}  migrations: drizzle\n  apply: {{by: push, command: npm run push -- --force}}",
        "13  database.apply: has --force, with which drizzle-kit push empties tables; "
        "leave --force out: what push then asks makes the deploy fail instead",
    ),
    "a folder for a push": (
        f"{DATABASE}  migrations: drizzle\n  apply: push\n  folder: /app/drizzle",
        "8  database: has folder, and push knows no migrations; leave one of them out",
    ),
    "a command and copies": (
        f"{DATABASE}  backup: {{command: x, copy_to: [{{to: local, folder: x}}]}}",
        "12  database.backup: has command and copy_to; let your command make the copies",
    ),
    "a key for a later day": (
        "traces: otlp",
        "8  traces: no such key; the keys here are app, path, compose, image, registry, url, env, "
        "secrets, files, ssh, hosts, services, rollout, proxy, database, lease, approvers, smoke, "
        "cdn, notify, dotenv",
    ),
    "a key written twice": (
        "app: other",
        "8  app: is written twice, first on line 1; keep one of them",
    ),
    "a secret with a value": (
        "env: {TOKEN: x}\nsecrets: [TOKEN]",
        "8  env.TOKEN: is among the secrets too; leave one of them out; a secret has no value here",
    ),
    "a secret named twice": (
        "secrets:\n  - TOKEN\n  - TOKEN",
        "10  secrets[1]: TOKEN stands here twice; keep one of them",
    ),
}


@pytest.mark.parametrize(("added", "line"), ADDED.values(), ids=ADDED)
def test_what_is_added_to_a_good_file(tmp_path: Path, added: str, line: str) -> None:
    assert (
        refused(tmp_path, f"{GOOD}{added}\n", {"TOKEN": "t"})[0] == f"hosts/production.yaml:{line}"
    )


CHANGED = {
    "a service that answers nothing started on a copy": (
        (
            ", port: 3000}\n",
            f"}}\n{DATABASE}  migrations: drizzle\n  rehearsal:\n"
            "    application: {service: web, url: DATABASE_URL}\n",
        ),
        "14  database.rehearsal.application.service: web is not rolled, or has no port to ask on; "
        "name a service that answers",
    ),
    "no application": (
        ("app: shop\n", ""),
        "1  app: is missing; write app: shop",
    ),
    "an application's name": (
        ("app: shop", "app: Shop"),
        "1  app: is 'Shop', expected a-z, 0-9 and -, beginning with a letter, 39 at most",
    ),
    "an application's name with its end of line": (
        ("app: shop", 'app: "shop\\n"'),
        "1  app: is 'shop\\n', expected a-z, 0-9 and -, beginning with a letter, 39 at most",
    ),
    "a tag": (
        ("acme/shop", "acme/shop:v1"),
        "2  image: holds the tag 'v1'; write ghcr.io/acme/shop: the tag is given with --tag",
    ),
    "a digest": (
        ("acme/shop", f"acme/shop@sha256:{'0' * 64}"),
        "2  image: holds a digest; write ghcr.io/acme/shop: a release's digest is found by its tag",
    ),
    "an image's name": (
        ("ghcr.io/acme/shop", "--rm"),
        "2  image: is '--rm', expected an image's name such as ghcr.io/acme/shop",
    ),
    "a list of images": (
        ("ghcr.io/acme/shop", "[a, b]"),
        "2  image: is a list, expected text",
    ),
    "an image of no service": (
        ("image: ghcr.io/acme/shop", "image: {web: acme/web, wep: acme/wep}"),
        "2  image.wep: there is no service 'wep' under services; the services are web",
    ),
    "no hosts": (
        (GOOD[GOOD.index("hosts:") : GOOD.index("services:")], "hosts: {}\n"),
        "3  hosts: is empty; write at least one",
    ),
    "a host's name": (
        ("web-2:", "Web_2:"),
        "5  hosts.Web_2: is 'Web_2', expected a host's name: a-z, 0-9, . and -, 63 at most",
    ),
    "a host's name that is an option": (
        ("web-2:", "-2:"),
        "5  hosts.-2: is '-2', expected a host's name: a-z, 0-9, . and -, 63 at most",
    ),
    "an address that is an option": (
        ("203.0.113.12", "-oProxyCommand=reboot"),
        "5  hosts.web-2.address: is '-oProxyCommand=reboot', expected an IP address or a DNS name",
    ),
    "an address with a port": (
        ("203.0.113.12", "'203.0.113.12:22'"),
        "5  hosts.web-2.address: is '203.0.113.12:22', expected an address "
        "alone; write the port as port:",
    ),
    "an address with a user": (
        ("203.0.113.12", "ana@203.0.113.12"),
        "5  hosts.web-2.address: is 'ana@203.0.113.12', expected an address "
        "alone; write the user as user:",
    ),
    "two hosts with one address": (
        ("203.0.113.12", "203.0.113.11"),
        "5  hosts.web-2.address: the same as web-1's, 203.0.113.11; each host stands here once",
    ),
    "no role": (
        ("113.12, roles: [web]", "113.12, roles: []"),
        "5  hosts.web-2.roles: is empty; write at least one",
    ),
    "a role that no host has": (
        ("{role: web", "{role: wbe"),
        "7  services.web.role: no host has the role 'wbe'; the hosts' roles are web",
    ),
    "a key of a service": (
        ("port: 3000}", "port: 3000, heath: /healthz}"),
        "7  services.web.heath: no such key; did you mean health?",
    ),
    "a key of a version": (
        ("port: 3000}", "port: 3000, version: {path: /v, json: v, jsn: v}}"),
        "7  services.web.version.jsn: no such key; did you mean json?",
    ),
    "half a version": (
        ("port: 3000}", "port: 3000, version: {path: /v}}"),
        "7  services.web.version.json: is missing; write json: version",
    ),
    "a probe's path": (
        ("port: 3000}", "port: 3000, health: healthz}"),
        "7  services.web.health: is 'healthz', expected a path that begins with /",
    ),
    "a probe without a port": (
        ("port: 3000}", "health: /healthz}"),
        "7  services.web: has health, but no port to ask on; write port:",
    ),
    "a service that is an option": (
        ("  web: {role", "  -v: {role"),
        "7  services.-v: is '-v', expected the name of a service: a-z, A-Z, 0-9, ., _ and -",
    ),
    "no mapping at all": (
        (GOOD, "- app\n"),
        "1  is a list, expected keys such as app, image and hosts",
    ),
    "an empty file": (
        (GOOD, "# later\n"),
        "1  is empty, expected keys such as app, image and hosts",
    ),
    "no YAML": (
        ("{role: web, port: 3000}", "{role: web, port: 3000"),
        "8  is not YAML: while parsing a flow mapping expected ',' or '}', but got '<stream end>'",
    ),
    "an object": (
        ("app: shop", "app: !!python/object/apply:os.system [reboot]"),
        "1  is not YAML: the tag "
        "tag:yaml.org,2002:python/object/apply:os.system is not allowed here",
    ),
    "a file of hosts that isn't there": (
        (GOOD[GOOD.index("hosts:") : GOOD.index("services:")], "hosts: fleet.yml\n"),
        "3  hosts: hosts/fleet.yml does not exist; create it, or write the hosts here",
    ),
    "a file of hosts that the sandbox makes": (
        (GOOD[GOOD.index("hosts:") : GOOD.index("services:")], "hosts: ../.sandbox/hosts.yaml\n"),
        "3  hosts: .sandbox/hosts.yaml does not exist; inv sandbox.up",
    ),
}


@pytest.mark.parametrize(("change", "line"), CHANGED.values(), ids=CHANGED)
def test_what_is_changed_in_a_good_file(tmp_path: Path, change: tuple[str, str], line: str) -> None:
    assert change[0] in GOOD
    assert refused(tmp_path, GOOD.replace(*change, 1))[0] == f"hosts/production.yaml:{line}"


@pytest.mark.parametrize(
    ("images", "service", "line"),
    [
        (
            "{web: acme/web, api: acme/api}",
            "{rolled: false}",
            "2  image.api: is for a service with rolled: false; leave one of them out",
        ),
        (
            "{web: acme/web}",
            "{port: 80}",
            "8  services.api: is rolled, but has no image; add it under image, or write rolled: "
            "false",
        ),
    ],
)
def test_images_and_rolled_services_go_together(
    tmp_path: Path, images: str, service: str, line: str
) -> None:
    text = GOOD.replace("ghcr.io/acme/shop", images) + f"  api: {service}\n"
    assert refused(tmp_path, text) == [f"hosts/production.yaml:{line}"]


def test_a_fault_brings_no_others_with_it(tmp_path: Path) -> None:
    assert (
        len(refused(tmp_path, GOOD.replace("address: 203.0.113.12, roles: [web]", "roles: web")))
        == 2
    )
    assert len(refused(tmp_path, GOOD.replace("{role: web, port: 3000}", "web"))) == 1


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = """\
app: Shop
image: {web: acme/web:v1}
secrets: [SESSION_KEY]
hosts:
  web-1: {address: 203.0.113.11, roles: [web], prot: 22}
  web-2: {address: 203.0.113.11, roles: [web]}
services:
  web: {role: wbe, port: 3000}
  web: {role: wbe, heath: /healthz}
rollout: {canary: -1}
"""
    assert [line.removeprefix("hosts/production.yaml:") for line in refused(tmp_path, text)] == [
        "1  app: is 'Shop', expected a-z, 0-9 and -, beginning with a letter, 39 at most",
        "2  image.web: holds the tag 'v1'; write acme/web: the tag is given with --tag",
        "3  secrets[0]: the secret SESSION_KEY is not set; set SESSION_KEY in "
        "the environment or in .env.production",
        "5  hosts.web-1.prot: no such key; did you mean port?",
        "6  hosts.web-2.address: the same as web-1's, 203.0.113.11; each host stands here once",
        "9  services.web: is written twice, first on line 8; keep one of them",
        "9  services.web.heath: no such key; did you mean health?",
        "9  services.web.role: no host has the role 'wbe'; the hosts' roles are web",
        "10  rollout.canary: is -1, expected 0 or more",
    ]


def test_two_hosts_may_share_an_address_but_not_the_port_too(tmp_path: Path) -> None:
    shared = GOOD.replace("203.0.113.12", "203.0.113.11, port: 2222")
    assert loaded(tmp_path, shared).hosts["web-2"].port == 2222


@pytest.mark.parametrize(
    ("one", "other"),
    [("WEB.shop.example", "web.shop.example"), ("'2001:DB8::1'", "'2001:db8:0:0::1'")],
)
def test_one_address_is_known_however_it_is_written(tmp_path: Path, one: str, other: str) -> None:
    text = GOOD.replace("203.0.113.11", one).replace("203.0.113.12", other)
    assert "the same as web-1's" in refused(tmp_path, text)[0]


WITH_A_SECRET = [
    "secrets: postgres://shop:hunter2@db/shop",
    "secrets: {SESSION_KEY: hunter2}",
    "secrets: [SESSION_KEY=hunter2]",
    "secrets: [[hunter2]]",
    "database: {kind: postgres, url: 'postgres://shop:hunter2@db/shop'}",
    "registry: {server: ghcr.io, username: acme, password: hunter2}",
    "registry: {server: ghcr.io, username: acme, password: [hunter2]}",
    "url: https://shop:hunter2@shop.example",
    "url: [https://shop:hunter2@shop.example]",
    "env: SESSION_KEY=hunter2",
    "env: {SESSION_KEY: [hunter2]}",
]


@pytest.mark.parametrize("added", WITH_A_SECRET)
def test_a_secret_written_into_the_hosts_file_is_refused_and_not_shown(
    tmp_path: Path, added: str
) -> None:
    lines = refused(tmp_path, f"{GOOD}{added}\n")
    assert lines[0].startswith("hosts/production.yaml:8  ")
    assert not any("hunter2" in line for line in lines)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys: Any = value if isinstance(value, dict) else ()
    keys = range(len(value)) if isinstance(value, list) else keys
    return [path, *(found for key in keys for found in _paths(value[key], (*path, key)))]


REFERENCE = (Path(__file__).resolve().parents[2] / "hosts/reference.yaml").read_text()
PLACES = [path for path in _paths(parse(REFERENCE, "").data) if path]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(PLACES), anything=ANYTHING)
def test_whatever_stands_anywhere_ends_in_words(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], anything: Any
) -> None:
    data = parse(REFERENCE, "").data
    around = data
    for part in place[:-1]:
        around = around[part]
    around[place[-1]] = anything
    root = tmp_path_factory.getbasetemp() / "anything"
    root.mkdir(exist_ok=True)
    file = root / "reference.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    # No secret is set, so there is always something to tell.
    with pytest.raises(SettingsError) as caught:
        read(file, root=root, name="reference", environ={})
    assert all(fault.where and fault.message for fault in caught.value.faults)
