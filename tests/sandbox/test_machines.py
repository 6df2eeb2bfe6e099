"""Names, addresses and ports of the sandbox."""

import dataclasses
import ipaddress

from deploy.sandbox.machines import SUBNET, File, config_hash, create_argv, fleet, vps


def test_three_web_hosts_and_all_that_goes_with_them():
    machines = {machine.container: machine for machine in fleet(3, 8080)}
    assert {name: (m.address, m.ports, m.roles) for name, m in machines.items()} == {
        "headway-registry": ("10.231.5.1", ((5050, 5050),), ()),
        "headway-web-1": ("10.231.1.1", ((22001, 22),), ("web",)),
        "headway-web-2": ("10.231.1.2", ((22002, 22),), ("web",)),
        "headway-web-3": ("10.231.1.3", ((22003, 22),), ("web",)),
        "headway-worker-1": ("10.231.2.1", ((22101, 22),), ("worker",)),
        "headway-db-1": ("10.231.3.1", ((22201, 22),), ("db",)),
        "headway-edge": ("10.231.4.1", ((8080, 80),), ()),
        "headway-outside": ("10.231.6.1", ((5051, 5051),), ()),
    }


def test_forty_web_hosts_share_no_address_port_or_volume():
    machines = fleet(40, 8080)
    addresses = [machine.address for machine in machines]
    ports = [port for machine in machines for port, _ in machine.ports]
    volumes = [volume for machine in machines for volume, _ in machine.volumes]
    for names in (addresses, ports, volumes):
        assert len(set(names)) == len(names)
    assert all(
        ipaddress.ip_address(address) in ipaddress.ip_network(SUBNET) for address in addresses
    )


def test_every_port_is_published_on_loopback_only():
    for machine in fleet(2, 8080):
        argv = create_argv(machine, "image", "aa")
        published = [argv[i + 1] for i, word in enumerate(argv) if word == "--publish"]
        assert published
        assert all(port.startswith("127.0.0.1:") for port in published)


def test_only_a_vps_is_privileged():
    privileged = [m.kind for m in fleet(1, 8080) if "--privileged" in create_argv(m, "image", "aa")]
    assert privileged == ["vps"] * 3


def test_the_hash_changes_with_whatever_the_container_is_made_of():
    machine, files = vps("web", 1, 22001), {"etc/key": File(b"one", 0o600)}
    hashes = {
        config_hash(machine, "image:1", files),
        config_hash(machine, "image:2", files),
        config_hash(machine, "image:1", {"etc/key": File(b"two", 0o600)}),
        config_hash(machine, "image:1", {"etc/key": File(b"one", 0o644)}),
        config_hash(machine, "image:1", {}),
        config_hash(dataclasses.replace(machine, ports=((22002, 22),)), "image:1", files),
    }
    assert len(hashes) == 6
    assert config_hash(machine, "image:1", dict(files)) == config_hash(machine, "image:1", files)
