"""How one table is asked on both sides, and in what its columns differ before any row is read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from biostar.parity.model import Relation, TableResult
from biostar.parity.sides import Side, joined
from biostar.parity.types import WIDEST_ROW, ColumnType, Meeting, meet, redshift_type, type_difference
from biostar.warehouse import quote_identifier


@dataclass(frozen=True)
class PlannedColumn:
    """A column of both sides: its types, left and right, and how its values are compared."""

    name: str
    types: tuple[ColumnType, ColumnType]
    meeting: Meeting


@dataclass(frozen=True)
class Plan:
    """The SQL of a comparison; `which` is 0 for the left side, 1 for the right one."""

    relation: Relation
    columns: tuple[PlannedColumn, ...]
    key: tuple[str, ...]

    @property
    def table(self) -> str:
        """The table's quoted name."""
        return quote_identifier(self.relation.schema, self.relation.table)

    @property
    def keyed(self) -> bool:
        """Whether rows have a key of their own; else the whole row is the key."""
        return self.key == self.relation.grain

    @property
    def key_positions(self) -> list[int]:
        """Where the columns of the key stand among the columns."""
        names = [column.name for column in self.columns]
        return [names.index(name) for name in self.key]

    def key_digest(self, side: Side, which: int) -> str:
        """SQL for the MD5 of a row's key."""
        return f"md5({joined(_text(side, which, self.columns[position]) for position in self.key_positions)})"

    def row_number(self, side: Side, which: int) -> str:
        """SQL for the number of a whole row."""
        return side.row_number(joined(_text(side, which, column) for column in self.columns))

    def values(self, side: Side, which: int) -> list[str]:
        """SQL for each column's value as it is fetched: its canonical text, a float as it is."""
        return [
            f"cast({quote_identifier(column.name)} as double precision)"
            if column.meeting.family == "float"
            else side.text(column.name, column.types[which], column.meeting)
            for column in self.columns
        ]


def _text(side: Side, which: int, column: PlannedColumn) -> str:
    text = side.text(column.name, column.types[which], column.meeting)
    return f"md5({text})" if column.meeting.digest else text


def plan_of(relation: Relation, left: dict[str, ColumnType], right: dict[str, ColumnType], result: TableResult) -> Plan:
    """Compare the columns and decide how their values are compared; what differs in them goes to `result`."""
    result.schema += [f"column {name} is missing on the right" for name in left if name not in right]
    result.schema += [f"column {name} is missing on the left" for name in right if name not in left]
    result.schema += [
        f"column {name}, declared {kind}, is missing on both sides"
        for name, kind in relation.declared.items()
        if name not in left and name not in right
    ]
    common = [name for name in left if name in right]
    if common != [name for name in right if name in left]:
        result.schema.append("the order of the columns differs")
    columns = []
    for name in common:
        declared = redshift_type(relation.declared[name]) if name in relation.declared else None
        if different := type_difference(left[name], right[name], declared):
            result.schema.append(f"type of {name}: {different}")
        treatment = relation.treatments.get(name)
        meeting = Meeting("text", presence=True) if treatment == "presence" else meet(left[name], right[name], declared)
        if treatment == "ignore":
            result.left_out.append(f"{name}: filled by the clock of a run")
        elif meeting is None:
            result.left_out.append(f"{name}: its types have no common text")
        else:
            columns.append(PlannedColumn(name, (left[name], right[name]), meeting))
    result.columns = len(columns)
    names = tuple(column.name for column in columns)
    key = relation.grain if relation.grain and set(relation.grain) <= set(names) else names
    return Plan(relation, tuple(_narrowed(columns)), key)


def _narrowed(columns: list[PlannedColumn]) -> list[PlannedColumn]:
    """All texts by their digests where the text of a row could pass what one text on Redshift may hold."""
    widths = sum(max(kind.width or 64 for kind in column.types) for column in columns if not column.meeting.digest)
    if widths <= WIDEST_ROW:
        return columns
    return [
        replace(column, meeting=replace(column.meeting, digest=True)) if column.meeting.family == "text" else column
        for column in columns
    ]
