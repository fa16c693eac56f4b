"""What can be wrong with a delivery, and how a wrong row is written.

A defect hits a row by lot: each kind hits each row that it can hit with the stated rate, at most one kind per row.
Only rows that are delivered once, and whose natural key no other row shares, are hit: so the answer key is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from biostar.sample.tables import TableSpec

Fate = Literal["stands", "rejected", "structural", "twice", "conflict"]

# Characters of the private use area; the file writer turns them into bytes that no CSV writer would write.
BAD_BYTE = "\ue000"
EXTRA_COMMA = "\ue001"
LOST_COMMA = "\ue002"


@dataclass(frozen=True)
class Defect:
    """One kind of defect.

    Attributes:
        fate: stands (loaded and staged), rejected (by staging), structural (rejected by the loader), twice (a second
            equal row, superseded), conflict (a second, different row with the same id, one of the two is rejected).
        about: what it is, as the answer key says it.
    """

    kind: str
    fate: Fate
    about: str


DEFECTS: tuple[Defect, ...] = (
    Defect("exact_copy", "twice", "the row stands twice in its file"),
    Defect("conflicting_copy", "conflict", "the file holds a second row with the same id and another value"),
    Defect("unparsable_number", "rejected", "a number reads 'n/a'"),
    Defect("unparsable_date", "rejected", "a date reads 'unknown'"),
    Defect("impossible_date", "rejected", "a date reads 2023-02-30"),
    Defect("missing_value", "rejected", "a required value is empty"),
    Defect("missing_parent", "stands", "the row refers to a patient that is never delivered"),
    Defect("overlong_text", "structural", "a text is wider than its column"),
    Defect("surplus_column", "structural", "the row has one value too many"),
    Defect("lost_column", "structural", "the row has one value too few"),
    Defect("invalid_utf8", "structural", "a text holds bytes that are not UTF-8"),
    Defect("late_row", "stands", "the row comes one or two drops late"),
    Defect("child_before_parent", "stands", "the patient comes one or two drops after what refers to it"),
)
LATE_KINDS = ("late_row", "child_before_parent")
BY_KIND = {defect.kind: defect for defect in DEFECTS}
RESENT_FILE = "resent_file"
RESENT_TABLES = ("claims_transactions", "immunizations", "observations", "payer_transitions", "supplies")
"""Tables whose rows no later event changes, so that a file of theirs can come again and mean nothing."""

MAX_RATE = 1 / len(DEFECTS)
LOTS = 1_000_000_007
"""A lot is a whole number from 0 to below it."""

OVERLONG = 1200
"""Characters of an over-long text: more than the widest column declares (1024)."""


def kinds_of(table: TableSpec, drops: int) -> tuple[str, ...]:
    """The kinds that can hit a table; with one drop nothing comes late."""
    patient_rows = table.entity == "patient"
    possible = {
        "exact_copy": table.name != "payers",
        "conflicting_copy": table.has_id and table.correction is not None and patient_rows,
        "unparsable_number": table.number is not None,
        "unparsable_date": table.day is not None,
        "impossible_date": table.day is not None,
        "missing_value": table.required is not None,
        "missing_parent": table.orphan,
        "overlong_text": table.text is not None,
        "surplus_column": table.name != "payers",
        "lost_column": table.name != "payers",
        "invalid_utf8": table.text is not None,
        "late_row": drops > 1 and patient_rows and table.name != "patients",
        "child_before_parent": drops > 1 and table.name == "patients",
    }
    return tuple(defect.kind for defect in DEFECTS if possible[defect.kind])


def defect_lot(table: TableSpec, rate: float, seed: int) -> str:
    """SQL over clone and row: the lot that decides whether a defect hits it, and which."""
    return f"roll('{seed}|{table.name}|' || c_i || '|' || rn || '|defect')" if rate else "null"


def defect_kind(table: TableSpec, rate: float, drops: int) -> str:
    """SQL over the column lot: the kind that may hit the row, or null."""
    kinds = kinds_of(table, drops) if rate else ()
    branches = " ".join(
        f"when lot < {round((number + 1) * rate * LOTS)} then '{kind}'" for number, kind in enumerate(kinds)
    )
    return f"case {branches} end" if kinds else "cast(null as varchar)"
