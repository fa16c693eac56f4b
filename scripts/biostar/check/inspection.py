"""What a check knows and has found: options in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from biostar.check.lexer import column_of
from biostar.check.model import Finding, Level, page_url, rules


@dataclass(frozen=True)
class Options:
    """How to check.

    Attributes:
        strict: the project's own rules refuse too; otherwise they warn.
        allow_functions: names of user-defined functions, `schema.name` or `name`, lower case.
        columns: the types of known relations' columns: relation to column to type, all lower case, so that the gate
            can see what `avg` averages.
        contract: where the text is a model's query, the type that its contract declares for each column.
        portable: the text is a query of this project, which also has to run on the stand-in.
    """

    strict: bool = False
    allow_functions: frozenset[str] = frozenset()
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    contract: Mapping[str, str] | None = None
    portable: bool = False


@dataclass
class Inspection:
    """The findings on one statement, while it is looked at."""

    sql: str
    options: Options
    findings: list[Finding] = field(default_factory=list)

    def report(
        self,
        rule: str,
        place: Token | exp.Expr | tuple[int, int],
        detail: str = "",
        *,
        page: str = "",
        instead: str = "",
    ) -> None:
        """Record a finding; the same thing on the same line is said once."""
        known = rules()[rule]
        level: Level = "refused"
        if known.by == "advice" or (known.by == "project" and not self.options.strict):
            level = "warning"
        line, column = _position(place)
        finding = Finding(
            rule=rule,
            by=known.by,
            level=level,
            line=line,
            column=column,
            message=f"{detail}: {known.title}" if detail else known.title,
            page=page_url(page) if page else known.page,
            instead=instead or known.instead,
        )
        said = {(other.rule, other.line, other.message) for other in self.findings}
        if (finding.rule, finding.line, finding.message) not in said:
            self.findings.append(finding)


def _position(place: Token | exp.Expr | tuple[int, int]) -> tuple[int, int]:
    if isinstance(place, tuple):
        return place
    if isinstance(place, exp.Expr):
        return _node_position(place)
    return place.line, column_of(place)


def _node_position(node: exp.Expr) -> tuple[int, int]:
    """The place of a node, else of the first thing in it that has one, else of what it stands in."""
    current: exp.Expr | None = node
    while current is not None:
        places = [_meta_position(part.meta) for part in current.walk() if "line" in part.meta]
        if places:
            return min(places)
        current = current.parent
    return 1, 1


def _meta_position(meta: Mapping[str, Any]) -> tuple[int, int]:
    return meta["line"], max(meta["col"] - (meta["end"] - meta["start"]), 1)
