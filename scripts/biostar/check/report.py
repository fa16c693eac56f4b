"""Findings as a person reads them, and as a script does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from biostar.check.model import Finding, Rule, StatementReport

_AUTHORITY = {
    "manual": "Amazon Redshift refuses it, or answers differently",
    "project": "this project's own rule",
    "advice": "legal, but likely to surprise",
}


def text_lines(reports: Mapping[str, list[StatementReport]], *, warnings: bool = True) -> Iterable[str]:
    """`file:line:column`, what is wrong, what to write, and where that is written, worst first within a file."""
    for name, statements in reports.items():
        for statement in statements:
            for finding in statement.findings:
                if warnings or finding.level == "refused":
                    yield from _finding_lines(name, finding)


def _finding_lines(name: str, finding: Finding) -> Iterable[str]:
    yield f"{name}:{finding.line}:{finding.column}: {finding.level} [{finding.rule}] {finding.message}"
    if finding.instead:
        yield f"    write: {finding.instead}"
    yield f"    {_AUTHORITY[finding.by]}: {finding.page}"


def summary(reports: Mapping[str, list[StatementReport]]) -> dict[str, int]:
    """Files, statements, and statements by verdict."""
    verdicts = [statement.verdict for statements in reports.values() for statement in statements]
    return {
        "files": len(reports),
        "statements": len(verdicts),
        "accepted": verdicts.count("accepted"),
        "warnings": verdicts.count("warning"),
        "refused": verdicts.count("refused"),
    }


def as_document(reports: Mapping[str, list[StatementReport]]) -> dict[str, object]:
    """The one JSON document: for each statement its verdict, and for each finding rule, place and page."""
    return {
        "summary": summary(reports),
        "files": [
            {"file": name, "statements": [statement.as_dict() for statement in statements]}
            for name, statements in reports.items()
        ],
    }


def rule_lines(rules: Iterable[Rule]) -> Iterable[str]:
    """The rules with who forbids what, one to three lines each."""
    for rule in rules:
        yield f"{rule.name} ({rule.by})"
        yield f"    {rule.title}"
        yield f"    write: {rule.instead}"
        yield f"    {rule.page}"
