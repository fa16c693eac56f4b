"""What a run did, as values; the command line prints them, as a table or as JSON."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from biostar.errors import BiostarError


@dataclass(frozen=True)
class BatchResult:
    """One batch that is loaded."""

    table: str
    ingest_date: datetime.date
    load_id: int
    objects: int
    size: int
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """The batch as JSON carries it."""
        return {
            "table": self.table,
            "ingest_date": self.ingest_date.isoformat(),
            "load_id": self.load_id,
            "objects": self.objects,
            "bytes": self.size,
            "rows_read": self.rows_read,
            "rows_loaded": self.rows_loaded,
            "rows_rejected": self.rows_rejected,
            "seconds": round(self.seconds, 3),
        }


@dataclass
class LoadReport:
    """A whole run."""

    landing: str
    target: str
    batches: list[BatchResult] = field(default_factory=list)
    failures: list[BiostarError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    missing_tables: tuple[str, ...] = ()
    skipped: int = 0
    seconds: float = 0.0

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
            "landing": self.landing,
            "target": self.target,
            "exit_code": self.exit_code,
            "batches": [batch.as_dict() for batch in self.batches],
            "objects_skipped": self.skipped,
            "objects_loaded": self.total("objects"),
            "rows_read": self.total("rows_read"),
            "rows_loaded": self.total("rows_loaded"),
            "rows_rejected": self.total("rows_rejected"),
            "bytes": self.total("size"),
            "seconds": round(self.seconds, 3),
            "missing_tables": list(self.missing_tables),
            "warnings": self.warnings,
            "failures": [failure.as_dict() for failure in self.failures],
        }
