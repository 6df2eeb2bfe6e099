"""Runs a command and writes what it used: `python -I -S usage.py RESULT COMMAND...`.

A program of its own, with next to nothing imported: on Linux the peak memory of a process is at
least that of the process that started it, and the bench itself is as large as what it measures.
"""

import json
import os
import sys
import time


def main(result: str, command: list[str]) -> int:
    """Run the command to its end, write seconds, CPU seconds and peak bytes as JSON to `result`.

    The CPU time and the peak are those of the command and of what it started and waited for.

    Returns:
        The command's exit code, or 128 + the number of the signal that ended it.
    """
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    with open(result, "w", encoding="utf-8") as file:
        json.dump(
            {
                "seconds": seconds,
                "cpu": used.ru_utime + used.ru_stime,
                "peak": used.ru_maxrss * 1024,  # Linux counts in kilobytes
            },
            file,
        )
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
