"""What Headway costs, measured on the sandbox: `script/bench`.

- A roll: five rounds, in each of which one new version is rolled over the fleet by `inv deploy` and
  another by `floor.sh`, the same steps written by hand over OpenSSH. Wall time of both and their
  ratio, SSH executions counted in the logs of the hosts' own sshd, CPU seconds and peak memory of
  the process that deploys.
- `inv --list` in this repository, against the same over an empty `tasks.py`.
- Reading the facts of all hosts, against connecting to one.

Timings of one machine on one afternoon say little; ratios of things done in turn say more. So all
that is compared is done in turn, and of everything the median is told.

`figures.py` and `table.py` decide and have no I/O; `rounds.py` and `short.py` measure; `fleet.py`
is what they ask of the sandbox; `usage.py` is a program of its own that starts what is measured.
"""
