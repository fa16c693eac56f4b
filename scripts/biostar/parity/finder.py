"""Pair the fetched rows of two sides by their keys and collect what differs, without showing what is private."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, defaultdict
from itertools import chain, zip_longest

from biostar.parity.diagnose import Value, diagnose, normal_key, values_agree
from biostar.parity.model import Difference, TableResult
from biostar.parity.plan import Plan, PlannedColumn

Row = tuple[Value, ...]
Lost = tuple[str, Row]
"""A row without partner, after the digest of its key."""

DIGEST_SHOWN = 16
_VALUE_SHOWN = 80
_LOST_KEPT = 10_000


class Finder:
    """Collects the differences of one table.

    Args:
        plan: the table's plan.
        result: where the differences go.
        examples: how many are shown.
        secret: of this run; private values are shown as their length and a mark that needs it.
    """

    def __init__(self, plan: Plan, result: TableResult, examples: int, secret: bytes) -> None:
        self._plan = plan
        self._result = result
        self._limit = examples
        self._secret = secret
        self._examples: dict[tuple[str, str], list[Difference]] = defaultdict(list)
        self._lost: tuple[dict[tuple[str, ...], list[Lost]], ...] = (defaultdict(list), defaultdict(list))
        self._lost_kept = 0

    def pair(self, digest: str, left: list[Row], right: list[Row]) -> None:
        """Compare the rows of one key: equal ones first, then as many as both sides have; the rest is missing."""
        if len(left) == len(right) == 1:
            self._rows(digest, left[0], right[0])
            return
        spare = (Counter(left), Counter(right))
        both = spare[0] & spare[1]
        rest = [sorted((side - both).elements(), key=repr) for side in spare]
        for one, other in zip(*rest, strict=False):
            self._rows(digest, one, other)
        for row in rest[0][len(rest[1]) :]:
            self._missing(digest, row, 1)
        for row in rest[1][len(rest[0]) :]:
            self._missing(digest, row, 0)

    def finish(self) -> None:
        """Say of missing rows whether the other side has nearly the same key, and choose the examples."""
        for normal, rows in self._lost[1].items():
            twins = self._lost[0].pop(normal, []) if self._plan.keyed else []
            for (digest, row), (_, twin) in zip(rows, twins, strict=False):
                self._twins(digest, row, twin)
            self._note_missing(rows[len(twins) :], 1)
            self._note_missing(twins[len(rows) :], 0)
        for rows in self._lost[0].values():
            self._note_missing(rows, 0)
        # In turn one of each kind, so that the first kind does not hide the others.
        turns = chain.from_iterable(zip_longest(*self._examples.values()))
        self._result.examples = [example for example in turns if example][: self._limit]

    def _rows(self, digest: str, left: Row, right: Row) -> None:
        different = False
        for column, one, other in zip(self._plan.columns, left, right, strict=True):
            if not values_agree(one, other, column.meeting):
                different = True
                self._note(digest, left, column, diagnose(one, other, column.meeting), one, other)
        self._result.differing_rows += different

    def _missing(self, digest: str, row: Row, where: int) -> None:
        """A row that the left side (0) or the right side (1) lacks."""
        if where == 1:
            self._result.only_left += 1
        else:
            self._result.only_right += 1
        if self._lost_kept >= _LOST_KEPT:
            self._note_missing([(digest, row)], where)
            return
        self._lost_kept += 1
        self._lost[where][normal_key(self._key_of(row))].append((digest, row))

    def _twins(self, digest: str, row: Row, twin: Row) -> None:
        for position in self._plan.key_positions:
            column = self._plan.columns[position]
            if not values_agree(row[position], twin[position], column.meeting):
                diagnosis = f"the key differs: {diagnose(row[position], twin[position], column.meeting)}"
                self._note(digest, row, column, diagnosis, row[position], twin[position])

    def _note_missing(self, rows: list[Lost], where: int) -> None:
        diagnosis = f"row missing on the {('left', 'right')[where]}"
        for digest, row in rows:
            self._result.counts["", diagnosis] += 1
            if len(self._examples["", diagnosis]) < self._limit:
                self._examples["", diagnosis].append(Difference(digest[:DIGEST_SHOWN], self._key(row), "", diagnosis))

    def _note(self, digest: str, row: Row, column: PlannedColumn, diagnosis: str, left: Value, right: Value) -> None:
        kind = (column.name, diagnosis)
        self._result.counts[kind] += 1
        if len(self._examples[kind]) < self._limit:
            shown = (self._shown(column.name, left), self._shown(column.name, right))
            self._examples[kind].append(Difference(digest[:DIGEST_SHOWN], self._key(row), *kind, *shown))

    def _key_of(self, row: Row) -> Row:
        return tuple(row[position] for position in self._plan.key_positions)

    def _key(self, row: Row) -> str:
        if not self._plan.keyed:
            return ""
        parts = []
        for position in self._plan.key_positions:
            column = self._plan.columns[position]
            # A surrogate key is a digest itself, and what people find a row by.
            surrogate = column.name.endswith("_key") and all(kind.name == "bigint" for kind in column.types)
            value = row[position]
            parts.append(f"{column.name}={value if surrogate else self._shown(column.name, value)}")
        return ", ".join(parts)

    def _shown(self, column: str, value: Value) -> str:
        """The value; of a private one its length and a mark, equal for equal values of this run and no other."""
        if value is None:
            return "null"
        text = str(value)
        if column in self._plan.relation.private:
            mark = hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()[:8]
            return f"<private, {len(text)} characters, #{mark}>"
        return repr(text if len(text) <= _VALUE_SHOWN else text[: _VALUE_SHOWN - 1] + "…")
