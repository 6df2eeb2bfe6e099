"""What `--write-downs` has written, and what it could not propose, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.views.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.database.downs.propose import Proposal
    from deploy.database.downs.write import Written


def said(written: Written, prefix: str) -> Iterator[str]:
    """Yield the lines, a file each with what there is to know of it; the sum comes last.

    `prefix` stands before the paths.
    """
    for one in written.proposals:
        yield from _written(one, prefix) if one.down else _missing(one, prefix)
    yield _sum(written)


def _written(one: Proposal, prefix: str) -> Iterator[str]:
    down = one.down
    assert down is not None  # noqa: S101 - the caller has looked
    yield f"✓ {one_line(prefix + one.path)}  class {down.klass}"
    for reason in down.reasons:
        yield f"    {one_line(str(reason))}"
    for kept in one.kept:
        values = ", ".join(kept.values)
        yield f"    stays: {one_line(f'{values} in the enum {kept.enum}')}"
    for corrected in one.corrected:
        yield f"    corrected: {corrected}"


def _missing(one: Proposal, prefix: str) -> Iterator[str]:
    yield f"✗ {one_line(prefix + one.path)}  not written, since it would not be the whole way back"
    for missing in one.missing:
        path = prefix + one.migration.path
        where = f"{path}:{missing.line}" if missing.line else path
        yield f"    {one_line(where)}: {one_line(missing.why)}"
    for statement in one.known:
        yield f"    known: {one_line(statement)}"


def _sum(written: Written) -> str:
    count = len(written.proposals)
    done = sum(1 for one in written.proposals if one.down)
    parts = [f"{written.there} had a down"] if written.there or not count else []
    if done:
        parts.append(f"{done} written")
    if done < count:
        parts.append(f"{count - done} to be written by hand")
    total = written.there + count
    migrations = f"{total} migration{'' if total == 1 else 's'}"
    code = 0 if written.complete else 3
    by = f" (drizzle-kit {written.version})" if written.version else ""
    return f"{migrations}: {', '.join(parts)}{by}    exit {code}"
