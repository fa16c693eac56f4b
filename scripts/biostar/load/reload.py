"""What `--reload` would do: the loads that some objects belong to, taken anew from what the landing holds now."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from biostar.contracts import Source
from biostar.errors import DataError, UsageError
from biostar.landing import Landing, list_landing
from biostar.load.books import LedgerEntry
from biostar.load.plan import Batch, Plan, nearest


def named_objects(text: Sequence[str], landing: Landing, ledger: Sequence[LedgerEntry]) -> frozenset[str]:
    """The keys that the values of the option name: each value is one key, or several with commas between.

    A key may be written with the landing before it, as a shell completes it.

    Raises:
        UsageError: an object was never loaded.
    """
    known = {entry.key for entry in ledger}
    start = landing.uri.rstrip("/") + "/"
    found = set()
    for value in text:
        # A key may hold a comma itself.
        whole = value.removeprefix(start)
        for name in [whole] if whole in known else [part.strip().removeprefix(start) for part in value.split(",")]:
            if name not in known:
                raise UsageError(
                    f"'{name}' is no object that is loaded{nearest(name, known)}",
                    undone="nothing was loaded",
                    next_step="name it as object_key of raw_meta.load_ledger has it; a new object is loaded without"
                    " --reload",
                )
            found.add(name)
    return frozenset(found)


def plan_reload(
    landing: Landing, sources: Sequence[Source], named: frozenset[str], ledger: Sequence[LedgerEntry]
) -> Plan:
    """One batch for each load, or knot of loads, that holds a named object; nothing else is loaded.

    Loads are knotted where they share an object: a retry of rejects is a load of its own, of objects of another.

    Raises:
        ConfigurationError: the landing does not exist.
        DataError: part of it cannot be listed.
    """
    batches: list[Batch] = []
    failures: list[DataError] = []
    warnings: list[str] = []
    for source in sources:
        mine = [entry for entry in ledger if entry.source == source.name]
        if source.landing is None or not any(entry.key in named for entry in mine):
            continue
        tables = {table.name: table for table in source.tables}
        there = {(found.table, found.key): found for found in list_landing(landing, source.landing, tables).objects}
        for knot in _knots(mine, named):
            entries = [entry for entry in mine if entry.load_id in knot]
            first = entries[0]
            keys = sorted({entry.key for entry in entries})
            gone = [key for key in keys if (first.table, key) not in there]
            unnamed = [key for key in gone if key not in named]
            if unnamed:
                failures.append(_unnamed(first, unnamed, sorted(named & set(keys)) + unnamed))
                continue
            objects = [there[first.table, key] for key in keys if key not in gone]
            moved = [found.key for found in objects if found.ingest_date != first.ingest_date]
            if moved:
                failures.append(
                    DataError(
                        f"'{moved[0]}' was loaded as of {first.ingest_date}, and the landing says another day now",
                        undone="the reload",
                        next_step="set the day back, or deliver it under another name",
                    )
                )
                continue
            warnings += [
                f"'{found.key}' has changed too; its new content is loaded with the rest of its load"
                for found in objects
                if found.key not in named
                and not all(landing.is_same(found, one.size, one.etag) for one in entries if one.key == found.key)
            ]
            batches.append(
                Batch(tables[first.table], first.ingest_date, tuple(objects), tuple(sorted(knot)), tuple(gone))
            )
    batches.sort(key=lambda batch: (batch.ingest_date, batch.table.name, batch.replaces))
    return Plan(tuple(batches), tuple(failures), tuple(warnings))


def _knots(entries: Sequence[LedgerEntry], named: frozenset[str]) -> list[frozenset[int]]:
    """The loads of each named object, with all that share an object with them, each set once."""
    loads_of: dict[str, set[int]] = {}
    keys_of: dict[int, set[str]] = {}
    for entry in entries:
        loads_of.setdefault(entry.key, set()).add(entry.load_id)
        keys_of.setdefault(entry.load_id, set()).add(entry.key)
    found: dict[frozenset[int], None] = {}
    for key in sorted(named & loads_of.keys()):
        knot: set[int] = set()
        open_ends = set(loads_of[key])
        while open_ends:
            load_id = open_ends.pop()
            knot.add(load_id)
            open_ends |= {other for neighbour in keys_of[load_id] for other in loads_of[neighbour]} - knot
        found[frozenset(knot)] = None
    return list(found)


def _unnamed(first: LedgerEntry, unnamed: Sequence[str], all_named: Sequence[str]) -> DataError:
    more = f" and {len(unnamed) - 3:,} more" if len(unnamed) > 3 else ""
    command = " ".join(f"--reload {shlex.quote(key)}" for key in all_named[:20])
    return DataError(
        f"load {first.load_id} ({first.table} of {first.ingest_date}) also took "
        + ", ".join(f"'{key}'" for key in unnamed[:3])
        + f"{more}, no longer in the landing; a reload would remove their rows",
        undone="the reload; the rows loaded before stand",
        next_step=f"put them back, or name them as well: biostar load {command}",
    )
