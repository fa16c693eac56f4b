"""What the gate says: rules, findings, and the verdict on each statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml

GUIDE = "https://docs.aws.amazon.com/redshift/latest/dg/"

Authority = Literal["manual", "project", "advice"]
Level = Literal["refused", "warning"]


def page_url(page: str) -> str:
    """The address of a page of the Database Developer Guide; a full address stays as it is."""
    return page if page.startswith("https://") else f"{GUIDE}{page}.html"


def read_yaml(path: Path) -> Any:
    """A YAML document of the package, with libyaml where it is there: ten times faster, and the gate reads four."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)


@dataclass(frozen=True)
class Rule:
    """One thing that is refused: who forbids it, where that is written, and what to write instead."""

    name: str
    by: Authority
    title: str
    page: str
    instead: str


@dataclass(frozen=True)
class Finding:
    """One place where a rule is broken. `line` and `column` count from 1."""

    rule: str
    by: Authority
    level: Level
    line: int
    column: int
    message: str
    page: str
    instead: str

    def as_dict(self) -> dict[str, object]:
        """The finding as the JSON document carries it."""
        return {
            "rule": self.rule,
            "by": self.by,
            "level": self.level,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "page": self.page,
            "instead": self.instead,
        }


@dataclass
class StatementReport:
    """The verdict on one statement of a text."""

    line: int
    kind: str
    page: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """`refused`, `warning` or `accepted`."""
        levels = {finding.level for finding in self.findings}
        return "refused" if "refused" in levels else "warning" if levels else "accepted"

    def as_dict(self) -> dict[str, object]:
        """The verdict as the JSON document carries it."""
        return {
            "line": self.line,
            "statement": self.kind,
            "verdict": self.verdict,
            "page": self.page,
            "findings": [finding.as_dict() for finding in self.findings],
        }


@lru_cache(maxsize=1)
def rules() -> dict[str, Rule]:
    """Every rule by its name, in the order of `rules.yml`."""
    document = read_yaml(Path(__file__).with_name("rules.yml"))
    return {
        name: Rule(name, entry["by"], entry["title"], page_url(entry["page"]), entry["instead"])
        for name, entry in document.items()
    }
