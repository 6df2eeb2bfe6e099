"""What can befall a host of the sandbox, and the shell that does it and mends it. Pure.

The shell is POSIX sh for the VPS's root. Doing a fault twice is doing it once, and mending what is
not broken does nothing. None fills the machine's own disk or sets its clock: a disk that is full is
a small one of its own, over the folder in question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

APPLICATION = "/srv/shop"
"""The folder of the sandbox's application on each host."""

HEADWAY = f"{APPLICATION}/.headway"
BACKUPS = f"{APPLICATION}/backups"
DOCKER = tuple(f"/var/lib/docker/{name}" for name in ("tmp", "image", "containers"))
"""Where its engine writes what it pulls, and what it has to know of an image and of a container."""
CLOCK = "/usr/local/bin/date"
"""Before /usr/bin in the PATH that sshd gives."""
RUNTIME = "/usr/local/sbin/runc"
"""Before /usr/sbin in the PATH of what starts containers."""

SLOW_KILOBYTES = 16
"""Per second, each way: 128 kbit/s."""
LATE_SECONDS = 0.05
"""Each way: a tenth of a second there and back."""
MEGABYTES = 16
"""Less than what the shop's server starts with."""


@dataclass(frozen=True)
class Fault:
    """One fault: what it does in a line, the shell that makes it, and the shell that mends it.

    `outside` stands for both where it is done from outside the VPS, by the engine that it runs in:
    (word after `docker`, state that makes it needless), to make and to mend.
    """

    name: str
    does: str
    make: str = ""
    mend: str = ""
    outside: tuple[tuple[str, str], tuple[str, str]] | None = None


def _rules(*rules: str, table: str = "filter") -> tuple[str, str]:
    """Shell that puts these rules of iptables first, and shell that takes them away."""
    call = f"iptables -w 10 -t {table}"
    make = [f"{call} -C {rule} 2>/dev/null || {call} -I {rule}" for rule in rules]
    mend = [f"while {call} -D {rule} 2>/dev/null; do :; done" for rule in rules]
    return "\n".join(make), "\n".join(mend)


def small(folder: str, limit: Literal["size", "nr_inodes"]) -> tuple[str, str]:
    """Shell that puts a full disk over a folder, with what is in it, and shell that takes it away.

    `limit` is what there is none of any more. What changed meanwhile is in the folder afterwards.
    Folders keep their inodes, since containers may have them mounted.
    """
    over = f'grep -q " {folder} tmpfs " /proc/mounts'
    full = {
        "size": f"dd if=/dev/zero of={folder}/.full bs=4k 2>/dev/null || :",
        "nr_inodes": f"""\
used=$(df -Pi {folder} | awk 'NR == 2 {{ print $3 }}')
mount -o remount,nr_inodes="$used" {folder}""",
    }[limit]
    # What has no inode left has room enough.
    more = {"size": 256, "nr_inodes": 1024 * 1024}[limit]
    make = f"""\
if ! {over}; then
    [ -d {folder} ] || install -d -o deploy -g deploy {folder}
    kilobytes=$(du -sk {folder} | cut -f 1)
    mkdir -p /run/headway-full
    room=$((kilobytes * 2 + {more}))
    mount -t tmpfs -o "size=${{room}}k,mode=755,uid=1000,gid=1000" tmpfs /run/headway-full
    cp -a {folder}/. /run/headway-full/
    mount --move /run/headway-full {folder}
    {full}
fi"""
    mend = f"""\
if {over}; then
    rm -rf /run/headway-kept {folder}/.full
    cp -a {folder} /run/headway-kept
    umount -l {folder}
    cp -a /run/headway-kept/. {folder}/
    (cd {folder} && find . -depth) | while IFS= read -r path; do
        [ -e "/run/headway-kept/$path" ] || rm -rf "{folder}/$path"
    done
    rm -rf /run/headway-kept
fi"""
    return make, mend


def _both(folders: tuple[str, ...], limit: Literal["size", "nr_inodes"]) -> tuple[str, str]:
    """The same over each of these folders."""
    makes, mends = zip(*(small(folder, limit) for folder in folders), strict=True)
    return "\n".join(makes), "\n".join(mends)


def _late() -> tuple[str, str]:
    """What comes for the port of SSH goes by way of one that keeps it for a while, each way.

    No kernel module for it is everywhere; what is open already goes its old way.
    """
    make, mend = _rules("PREROUTING -p tcp --dport 22 -j REDIRECT --to-ports 5022", table="nat")
    keep = f"while (sysread STDIN, $_, 65536) {{ select undef, undef, undef, {LATE_SECONDS}; "
    keep += "syswrite STDOUT, $_ }"
    listener = "TCP-LISTEN:5022,fork,reuseaddr"
    stop = f'pkill -f "^socat {listener}" || :'
    return (
        f"""\
cat >/run/headway-late <<'END'
#!/bin/sh
late() {{ perl -e '{keep}'; }}
late | socat - TCP:127.0.0.1:22 | late
END
chmod 755 /run/headway-late
{stop}
setsid socat {listener} EXEC:/run/headway-late </dev/null >/dev/null 2>&1 &
# 5022 is 139E, and 0A listens
timeout 10 sh -c 'until grep -q ":139E 00000000:0000 0A " /proc/net/tcp; do sleep 0.05; done'
{make}""",
        f"{mend}\n{stop}",
    )


def _memory() -> tuple[str, str]:
    """The runtime that containers are started by is given a limit with each, as by `mem_limit`.

    Not by `docker update`, which meets containers that are being restarted or removed: an engine
    was seen to list one for good that it no longer knew.
    """
    limit = f'"memory":{{"limit":{MEGABYTES << 20},"swap":{MEGABYTES << 20}}}'
    return (
        f"""\
cat >{RUNTIME}.new <<'END'
#!/bin/sh
before=
for word; do
    [ "$before" != --bundle ] ||
        sed -i 's/"resources":{{/"resources":{{{limit},/' "$word/config.json"
    before=$word
done
exec /usr/sbin/runc "$@"
END
chmod 755 {RUNTIME}.new
mv -f {RUNTIME}.new {RUNTIME}""",
        f"rm -f {RUNTIME}",
    )


def _registry(status: str, *headers: str) -> tuple[str, str]:
    """The registry gives one answer to this host alone, whatever it is asked."""
    lines = [f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""]
    answer = r"\r\n".join(lines)
    make, mend = _rules("OUTPUT -o lo -p tcp --dport 5050 -j REDIRECT --to-ports 5059", table="nat")
    listener = "TCP-LISTEN:5059,bind=127.0.0.1,fork,reuseaddr"
    stop = f'pkill -f "^socat {listener}" || :'
    return (
        f"""\
printf '{answer}' >/run/headway-answer
{stop}
setsid socat {listener} SYSTEM:'sed "/^.$/q" >/dev/null; cat /run/headway-answer' \\
    </dev/null >/dev/null 2>&1 &
# 5059 is 13C3, and 0A listens
timeout 10 sh -c 'until grep -q ":13C3 00000000:0000 0A " /proc/net/tcp; do sleep 0.05; done'
{make}""",
        f"{mend}\n{stop}",
    )


def _every() -> list[Fault]:
    above = f"-m hashlimit --hashlimit-above {SLOW_KILOBYTES}kb/s --hashlimit-mode"
    ssh = "-p tcp --dport 22", "-p tcp --sport 22"
    return [
        Fault(
            "ssh-cut",
            "no packet of SSH goes in or out, and nobody is told",
            *_rules(f"INPUT {ssh[0]} -j DROP", f"OUTPUT {ssh[1]} -j DROP"),
        ),
        Fault(
            "ssh-reset",
            "each packet of SSH is answered by a reset",
            *_rules(f"INPUT {ssh[0]} -j REJECT --reject-with tcp-reset"),
        ),
        Fault(
            "vanish",
            "everything on the host stands still: connections are taken, and nothing answers",
            outside=(("pause", "paused"), ("unpause", "running")),
        ),
        Fault(
            "restart",
            "the host is shut down and starts again",
            outside=(("restart", ""), ("start", "running")),
        ),
        Fault(
            "docker",
            "its dockerd is killed; the init starts it again, and mending waits for that",
            "pkill -9 -x dockerd || :",
            "timeout 90 sh -c 'until docker version >/dev/null 2>&1; do sleep 0.2; done'",
        ),
        Fault(
            "disk-full",
            f"{HEADWAY} is on a disk of its own that has no room left",
            *small(HEADWAY, "size"),
        ),
        Fault(
            "inodes-full",
            f"{HEADWAY} is on a disk of its own that takes no further file",
            *small(HEADWAY, "nr_inodes"),
        ),
        Fault(
            "docker-full",
            "Docker has no room left, neither for what it pulls nor for another container",
            *_both(DOCKER, "size"),
        ),
        Fault(
            "docker-inodes-full",
            "Docker's disk takes no further file, neither of an image nor of another container",
            *_both(DOCKER, "nr_inodes"),
        ),
        Fault(
            "backup-full",
            f"{BACKUPS} is on a disk of its own that has no room left",
            *small(BACKUPS, "size"),
        ),
        Fault(
            "backup-inodes-full",
            f"{BACKUPS} is on a disk of its own that takes no further file",
            *small(BACKUPS, "nr_inodes"),
        ),
        Fault(
            "oom",
            f"each container that is started has {MEGABYTES} MB of memory, and is killed when it "
            "wants more",
            *_memory(),
        ),
        Fault(
            "read-only",
            f"{APPLICATION} can be read and not written",
            f"""\
grep -q " {APPLICATION} .* ro," /proc/mounts || {{
    mount --bind {APPLICATION} {APPLICATION} && mount -o remount,ro,bind {APPLICATION}
}}""",
            f'while grep -q " {APPLICATION} .* ro," /proc/mounts; do umount -l {APPLICATION}; done',
        ),
        Fault(
            "clock",
            "`date` says that it is three days ago, and so does each script that asks it; "
            "other programs, and files, have the machine's time",
            rf"""printf '#!/bin/sh\nexec /usr/bin/date --date="3 days ago" "$@"\n' >{CLOCK}
chmod 755 {CLOCK}""",
            f"rm -f {CLOCK}",
        ),
        Fault(
            "slow",
            f"of SSH {SLOW_KILOBYTES} kB a second arrive each way, and what is more is lost",
            *_rules(
                f"INPUT {ssh[0]} {above} dstport --hashlimit-name in -j DROP",
                f"OUTPUT {ssh[1]} {above} srcport --hashlimit-name out -j DROP",
            ),
        ),
        Fault(
            "latency",
            f"what SSH sends arrives {LATE_SECONDS * 1000:g} ms late, each way",
            *_late(),
        ),
        Fault(
            "registry-503",
            "to this host the registry says that it is not available",
            *_registry("503 Service Unavailable"),
        ),
        Fault(
            "registry-401",
            "to this host the registry refuses the login, as after a change of the password",
            *_registry("401 Unauthorized", 'WWW-Authenticate: Basic realm="sandbox"'),
        ),
    ]


FAULTS = {fault.name: fault for fault in _every()}
