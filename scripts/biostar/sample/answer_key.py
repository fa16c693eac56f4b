"""The answer key: what must become of every row that was written, so that a warehouse can be compared with it.

For each table and drop: rows written, defects by kind, and what is expected once all drops are loaded and built.

    written = structural_rejects + raw
    raw     = staged + rejected + superseded
    exact_copies are part of superseded
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from biostar.sample.defects import BY_KIND, RESENT_FILE


@dataclass
class DropCount:
    """Rows of one table in one drop."""

    files: int = 0
    bytes: int = 0
    written: int = 0
    new: int = 0
    changed: int = 0
    structural_rejects: int = 0
    staged: int = 0
    rejected: int = 0
    superseded: int = 0
    exact_copies: int = 0
    defects: dict[str, int] = field(default_factory=dict)

    @property
    def raw(self) -> int:
        """Rows that the loader puts into the raw table."""
        return self.written - self.structural_rejects

    def as_dict(self) -> dict[str, object]:
        """The drop as the answer key carries it."""
        return {
            "files": self.files,
            "bytes": self.bytes,
            "rows_written": self.written,
            "new_rows": self.new,
            "changed_rows": self.changed,
            "defects": dict(sorted(self.defects.items())),
            "expected": {
                "structural_rejects": self.structural_rejects,
                "raw": self.raw,
                "staged": self.staged,
                "rejected": self.rejected,
                "superseded": self.superseded,
                "exact_copies": self.exact_copies,
            },
        }


@dataclass(frozen=True)
class Group:
    """Rows that share a fate: how many were written of one kind, changed or new, replaced by a later drop or not."""

    kind: str | None
    is_change: bool
    is_replaced: bool
    rows: int


def count_drop(groups: Iterable[Group]) -> DropCount:
    """Add up what staging makes of the rows of one table in one drop."""
    count = DropCount()
    for group in groups:
        count.written += group.rows
        fate = BY_KIND[group.kind].fate if group.kind else "stands"
        records = group.rows // 2 if fate in ("twice", "conflict") else group.rows
        if group.kind:
            count.defects[group.kind] = count.defects.get(group.kind, 0) + records
        if group.is_change:
            count.changed += records
        else:
            count.new += records
        if fate == "structural":
            count.structural_rejects += records
        elif fate == "rejected":
            count.rejected += records
        elif group.is_replaced:
            count.superseded += group.rows
        else:
            count.staged += records
            if fate == "twice":
                count.superseded += records
                count.exact_copies += records
            elif fate == "conflict":
                count.rejected += records
    return count


def resend(sent: DropCount, into: DropCount, size: int) -> None:
    """Count a file that comes a second time: all its good rows are superseded by themselves.

    Args:
        sent: the drop of which the only file is sent again; what stood there no longer does.
        into: the drop in which it comes again.
        size: bytes of the file.
    """
    conflicts = sent.defects.get("conflicting_copy", 0)
    into.files += 1
    into.bytes += size
    into.written += sent.written
    into.structural_rejects += sent.structural_rejects
    into.staged += sent.staged
    into.rejected += sent.rejected
    into.superseded += sent.superseded
    into.exact_copies += sent.exact_copies
    into.defects[RESENT_FILE] = into.defects.get(RESENT_FILE, 0) + 1
    sent.superseded += sent.staged + conflicts
    sent.rejected -= conflicts
    sent.staged = 0
    sent.exact_copies = 0
