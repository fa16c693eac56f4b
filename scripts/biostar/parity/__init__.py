"""Compare the marts and snapshots of two targets, row by row, without moving the rows that agree.

Each engine cuts a table into buckets by the digest of the row's key and sums one number per row, computed from the
canonical text of its columns. Equal counts and sums mean equal rows; only of buckets that differ are rows fetched, and
then each column is compared and its difference named. So memory and network depend on what differs, not on what is
there. The canonical text of each type is in `biostar.parity.types`, the SQL for it in `biostar.parity.sides`.
"""

from biostar.parity.compare import Limits, compare_sides
from biostar.parity.model import Difference, Relation, Report, TableResult
from biostar.parity.relations import relations_of, select_relations
from biostar.parity.sides import TARGETS, Side, open_side

__all__ = [
    "TARGETS",
    "Difference",
    "Limits",
    "Relation",
    "Report",
    "Side",
    "TableResult",
    "compare_sides",
    "open_side",
    "relations_of",
    "select_relations",
]
