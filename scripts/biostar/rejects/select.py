"""Open rejects, chosen and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from biostar.load.books import OpenReject


@dataclass(frozen=True)
class RejectGroup:
    """How many records of an object were refused for one reason, by column."""

    table: str
    key: str
    code: str
    column: str | None
    records: int

    def as_dict(self) -> dict[str, object]:
        """The group as JSON carries it."""
        return {
            "table": self.table,
            "object_key": self.key,
            "error_code": self.code,
            "column_name": self.column,
            "records": self.records,
        }


def choose(
    rejects: Iterable[OpenReject],
    *,
    table: str | None = None,
    key: str | None = None,
    code: str | None = None,
    load_id: int | None = None,
) -> list[OpenReject]:
    """Those of a table, an object, an error code, a load; None takes all."""
    return [
        reject
        for reject in rejects
        if table in (None, reject.table)
        and key in (None, reject.key)
        and code in (None, reject.code)
        and load_id in (None, reject.load_id)
    ]


def grouped(rejects: Iterable[OpenReject]) -> list[RejectGroup]:
    """Counts by table, object, code and column, the most frequent of each object first."""
    counts = Counter((reject.table, reject.key, reject.code, reject.column) for reject in rejects)
    groups = [RejectGroup(*what, records) for what, records in counts.items()]
    return sorted(groups, key=lambda group: (group.table, group.key, -group.records, group.code, group.column or ""))
