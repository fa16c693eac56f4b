"""Every statement of the corpus gets the verdict that stands beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from biostar.check import Options, check_sql, rules

CORPUS = Path(__file__).parents[1] / "corpus"


def _entries() -> list[Any]:
    found = []
    for file in sorted(CORPUS.glob("*.yml")):
        for number, entry in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")), start=1):
            found.append(pytest.param(entry, id=f"{file.stem}-{number}"))
    return found


ENTRIES = _entries()


@pytest.mark.parametrize("entry", ENTRIES)
def test_verdict(entry: dict[str, Any]) -> None:
    options = Options(strict=entry.get("strict", False))
    reports = check_sql(entry["sql"], options, in_transaction=entry.get("transaction", False))
    found = [finding for report in reports for finding in report.findings]
    refused = {finding.rule for finding in found if finding.level == "refused"}
    warned = {finding.rule for finding in found if finding.level == "warning"}
    said = [f"{finding.rule}: {finding.message}" for finding in found]
    if "refused" in entry:
        assert set(entry["refused"]) <= refused, said
    else:
        assert not refused, said
        assert warned == set(entry.get("warned", [])), said


def test_the_corpus_is_large_and_even() -> None:
    accepted = [entry for entry in (param.values[0] for param in ENTRIES) if "refused" not in entry]
    assert len(ENTRIES) >= 250
    assert 0.4 < len(accepted) / len(ENTRIES) < 0.6


def test_every_statement_names_a_page() -> None:
    for param in ENTRIES:
        page = param.values[0]["page"]
        assert re.fullmatch(r"[\w-]+", page), page


def test_every_refusing_rule_has_a_statement() -> None:
    """A rule without an example may be broken for years. What no statement can hold is tested on its own."""
    shown = {rule for param in ENTRIES for key in ("refused", "warned") for rule in param.values[0].get(key, [])}
    elsewhere = {
        "construct",
        "statement-too-long",
        "too-many-columns",
        "clock",
        "not-portable",
        "contract-type",
        "contract-missing",
        "uncast-aggregate",
        "untyped-literal",
    }
    assert set(rules()) - shown - elsewhere == set()
