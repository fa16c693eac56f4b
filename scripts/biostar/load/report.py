"""What a run did, as values; the command line prints them, as a table or as JSON."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from biostar.errors import BiostarError


@dataclass(frozen=True)
class BatchResult:
    """One batch that is loaded.

    Attributes:
        table: where its rows went.
        ingest_date: the day of delivery.
        load_id: the number of the load.
        objects: how many objects went in.
        size: their bytes as they lie in the landing.
        rows_read: records found.
        rows_loaded: records that became a row.
        rows_rejected: records that did not.
        seconds: from the begin of the batch to its commit.
        kind: `new`, `reload` or `retry`.
        replaced: the loads whose rows went away.
        rows_removed: how many rows those were.
        objects_erased: objects whose rows went and did not come again.
    """

    table: str
    ingest_date: datetime.date
    load_id: int
    objects: int
    size: int
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    seconds: float
    kind: str = "new"
    replaced: tuple[int, ...] = ()
    rows_removed: int = 0
    objects_erased: int = 0

    def as_dict(self) -> dict[str, object]:
        """The batch as JSON carries it."""
        return {
            "kind": self.kind,
            "table": self.table,
            "ingest_date": self.ingest_date.isoformat(),
            "load_id": self.load_id,
            "objects": self.objects,
            "bytes": self.size,
            "rows_read": self.rows_read,
            "rows_loaded": self.rows_loaded,
            "rows_rejected": self.rows_rejected,
            "seconds": round(self.seconds, 3),
            "replaced_load_ids": list(self.replaced),
            "rows_removed": self.rows_removed,
            "objects_erased": self.objects_erased,
        }


@dataclass
class LoadReport:
    """A whole run.

    Attributes:
        run: its mark in the log and in the statements.
        landing: where it read.
        target: where it wrote.
        batches: what is loaded, by load id.
        failures: what is not, in the order in which it was found.
        unplanned: those of the failures that belong to no batch.
        warnings: what is odd.
        missing_tables: declared tables of which there is nothing.
        skipped: objects that were loaded before.
        vanished: objects that were loaded before and are not in the landing any more.
        seconds: how long it took.
        is_broken_off: whether it ended before its plan did, by a signal, say.
    """

    run: str
    landing: str
    target: str
    batches: list[BatchResult] = field(default_factory=list)
    failures: list[BiostarError] = field(default_factory=list)
    unplanned: list[BiostarError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    missing_tables: tuple[str, ...] = ()
    skipped: int = 0
    vanished: tuple[str, ...] = ()
    seconds: float = 0.0
    is_broken_off: bool = False

    @property
    def exit_code(self) -> int:
        """0, or the code of the gravest failure."""
        return max((failure.exit_code for failure in self.failures), default=0)

    def total(self, what: str) -> int:
        """Sum of a count over the batches."""
        return sum(int(getattr(batch, what)) for batch in self.batches)

    def as_dict(self) -> dict[str, object]:
        """The run as JSON carries it."""
        return {
            "run": self.run,
            "landing": self.landing,
            "target": self.target,
            "exit_code": self.exit_code,
            "batches": [batch.as_dict() for batch in self.batches],
            "objects_skipped": self.skipped,
            "objects_vanished": len(self.vanished),
            "vanished": list(self.vanished),
            "objects_erased": self.total("objects_erased"),
            "objects_loaded": self.total("objects"),
            "rows_read": self.total("rows_read"),
            "rows_loaded": self.total("rows_loaded"),
            "rows_rejected": self.total("rows_rejected"),
            "rows_removed": self.total("rows_removed"),
            "bytes": self.total("size"),
            "seconds": round(self.seconds, 3),
            "missing_tables": list(self.missing_tables),
            "warnings": self.warnings,
            "failures": [failure.as_dict() for failure in self.failures],
        }
