"""The comparison itself: count, sum by bucket, and fetch only the buckets that differ."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from biostar.parity.finder import DIGEST_SHOWN, Finder, Row
from biostar.parity.model import Relation, Report, TableResult
from biostar.parity.plan import Plan, plan_of
from biostar.parity.sides import Catalog, Side

Progress = Callable[[int, TableResult], None]
"""Called with (tables finished, what came of the last one)."""


@dataclass(frozen=True)
class Limits:
    """What bounds memory and time.

    Attributes:
        examples: differences shown for each table.
        bucket_rows: rows of a bucket on average; the number of buckets follows, 16 to 65,536.
        batch_cells: values fetched at once from each side.
        read_rows: rows fetched of a table, both sides together, before the rest is only counted.
    """

    examples: int = 10
    bucket_rows: int = 2_000
    batch_cells: int = 300_000
    read_rows: int = 200_000


def compare_sides(
    left: Side,
    right: Side,
    relations: Sequence[Relation],
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compare the relations one after the other.

    Raises:
        WarehouseError: a side fails on the way.
    """
    began = time.perf_counter()
    schemas = sorted({relation.schema for relation in relations})
    catalogs = (left.catalog(schemas), right.catalog(schemas))
    secret = secrets.token_bytes(16)
    results = []
    for number, relation in enumerate(relations, start=1):
        result = _compare_table((left, right), relation, catalogs, limits or Limits(), secret)
        results.append(result)
        if progress:
            progress(number, result)
    return Report(left.name, right.name, tuple(results), time.perf_counter() - began)


def _compare_table(
    sides: tuple[Side, Side], relation: Relation, catalogs: tuple[Catalog, Catalog], limits: Limits, secret: bytes
) -> TableResult:
    began = time.perf_counter()
    result = TableResult(relation)
    left, right = (catalog.get(relation.address) for catalog in catalogs)
    if left is None:
        result.schema.append(f"there is no such table on the left ({sides[0].name})")
    if right is None:
        result.schema.append(f"there is no such table on the right ({sides[1].name})")
    if left is not None and right is not None:
        plan = plan_of(relation, left, right, result)
        _compare_rows(sides, plan, result, limits, secret)
        for side in sides:
            side.end()
    result.seconds = time.perf_counter() - began
    return result


def _compare_rows(sides: tuple[Side, Side], plan: Plan, result: TableResult, limits: Limits, secret: bytes) -> None:
    left, right = (int(side.query(f"select count(*) from {plan.table}")[0][0]) for side in sides)
    result.rows = (left, right)
    if not plan.columns:
        return
    digits = 1
    while digits < 4 and max(left, right) / 16**digits > limits.bucket_rows:
        digits += 1
    sums = [_buckets(side, which, plan, digits) for which, side in enumerate(sides)]
    buckets = sums[0].keys() | sums[1].keys()
    unread = {
        bucket: max(counted.get(bucket, (0, 0))[0] for counted in sums)
        for bucket in sorted(buckets)
        if sums[0].get(bucket) != sums[1].get(bucket)
    }
    if not unread:
        return
    finder = Finder(plan, result, limits.examples, secret)
    read = 0
    for batch in _batches(dict(unread), max(1, limits.batch_cells // len(plan.columns))):
        if read >= limits.read_rows:
            break
        fetched = [_rows(side, which, plan, digits, batch) for which, side in enumerate(sides)]
        for digest in sorted(fetched[0].keys() | fetched[1].keys()):
            finder.pair(digest, fetched[0].get(digest, []), fetched[1].get(digest, []))
        read += sum(len(rows) for found in fetched for rows in found.values())
        for bucket in batch:
            del unread[bucket]
    finder.finish()
    result.unread_rows = sum(unread.values())
    if not result.equal:
        for which, place in enumerate(("left", "right")):
            where = f"substring({plan.key_digest(sides[which], which)}, 1, {DIGEST_SHOWN}) = '<row>'"
            result.find[place] = f"select * from {plan.table} where {where}"


def _buckets(side: Side, which: int, plan: Plan, digits: int) -> dict[str, tuple[int, int]]:
    """Number of rows and sum of their numbers, by the first digits of the key's digest."""
    rows = side.query(
        f"select bucket, count(*) as row_count, {side.total('row_number')} as row_sum from ("
        f"select substring({plan.key_digest(side, which)}, 1, {digits}) as bucket,"
        f" {plan.row_number(side, which)} as row_number from {plan.table}"
        ") as numbered_rows group by bucket"
    )
    return {str(bucket): (int(count), int(total)) for bucket, count, total in rows}


def _rows(side: Side, which: int, plan: Plan, digits: int, buckets: Sequence[str]) -> dict[str, list[Row]]:
    """Rows of some buckets, by the digest of their key."""
    key = plan.key_digest(side, which)
    wanted = ", ".join(f"'{bucket}'" for bucket in buckets)
    rows: dict[str, list[Row]] = defaultdict(list)
    for digest, *values in side.query(
        f"select {key}, {', '.join(plan.values(side, which))} from {plan.table}"
        f" where substring({key}, 1, {digits}) in ({wanted})"
    ):
        rows[str(digest)].append(tuple(values))
    return rows


def _batches(sizes: dict[str, int], most: int) -> Iterator[list[str]]:
    """Buckets in batches of about `most` rows; one of four times as many, whose rows share a key, is left out."""
    batch: list[str] = []
    rows = 0
    for bucket, size in sizes.items():
        if size > 4 * most:
            continue
        if batch and (rows + size > most or len(batch) >= 500):
            yield batch
            batch, rows = [], 0
        batch.append(bucket)
        rows += size
    if batch:
        yield batch
