"""docs/migrations.md: a section for every rule, and rewrites that pass their own rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.database.lint.lint import File, is_contract, lint
from deploy.database.lint.rules import RULES, Level
from deploy.database.lint.verdict import refused, verdict

PAGE = Path(__file__).resolve().parents[2] / "docs/migrations.md"
SECTIONS = {
    found["id"]: found["text"]
    for found in re.finditer(
        r"^### (?P<id>\S+)\n(?P<text>.*?)(?=^#|\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
}
GROUPS = {
    Level.BREAKS: "What breaks the running version",
    Level.DATA: "What destroys rows",
    Level.LOCK: "What holds locks",
    Level.OPAQUE: "What cannot be told",
    Level.UNREADABLE: "What cannot be told",
    Level.BACK: "What has no way back",
    Level.WARNS: "What is said, and not refused",
}


def rewrites(rule: str) -> list[str]:
    return re.findall(r"^```sql\n(.*?)^```", SECTIONS[rule], re.DOTALL | re.MULTILINE)


def test_every_rule_has_its_section_and_no_other_has_one() -> None:
    assert set(SECTIONS) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_section_stands_below_its_level(rule: str) -> None:
    before = PAGE.read_text().split(f"### {rule}\n")[0]
    assert re.findall(r"^## (.+)$", before, re.MULTILINE)[-1] == GROUPS[RULES[rule].level]


@pytest.mark.parametrize("rule", RULES)
def test_a_section_says_what_it_catches_and_why(rule: str) -> None:
    before, block, _ = SECTIONS[rule].partition("```sql\n")
    catches, *why = [" ".join(one.split()) for one in before.strip().split("\n\n")]
    assert catches.startswith("Catches ")
    assert block
    # What only leads to the block ends with a colon.
    sentences = [one for text in why for one in re.findall(r"[^.:]+[.:](?=\s|$)", text)]
    assert any(len(one.split()) > 2 and one.endswith(".") for one in sentences)


AS_IT_IS = {"update", "insert", "add-enum-value"}
"""Their rewrite is the statement itself: what makes it safe is what it says, or when it comes."""


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in AS_IT_IS])
def test_the_rewrite_is_not_the_hazard(rule: str) -> None:
    """What still meets the rule waits for the hosts, or somebody has written why it may run."""
    files = [File(f"{at}.sql", text) for at, text in enumerate(rewrites(rule))]
    waits = {one.path for one in files if is_contract(one)}
    bare = {
        one.file
        for one in lint(files, apart=True)
        if one.rule == rule and not one.allowed and one.file not in waits
    }
    assert bare == set()


def test_each_statement_that_locks_a_table_has_a_form_that_does_not() -> None:
    catches, _, rest = SECTIONS["lock-table"].strip().partition("\n\n")
    named = re.findall(r"`([A-Z ]+)`", " ".join(catches.split()))
    assert len(named) == 6
    leads = [one for one in rest.split("\n\n") if re.match("`[A-Z]", one)]
    assert all(any(f"`{one}`" in lead for lead in leads) for one in named)
    assert len(rewrites("lock-table")) > len(leads)


@pytest.mark.parametrize("rule", RULES)
def test_the_rewrite_passes(rule: str) -> None:
    """Each block is a file, deployed after those above it; none of them is refused."""
    files = [File(f"{at}.sql", text) for at, text in enumerate(rewrites(rule))]
    findings = lint(files, apart=True)
    judged = verdict(findings, contract={one.path for one in files if is_contract(one)})
    assert refused(judged) == []
    if RULES[rule].level in {Level.LOCK, Level.OPAQUE, Level.UNREADABLE}:
        # Safe on a table of any size, and read to its end: not one that is only allowed.
        assert rule not in {one.rule for one in findings}
