"""Objects inspected ahead of the batch that is being loaded, in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from biostar.contracts import RawTable
from biostar.errors import DataError, ObjectError
from biostar.landing import Inspection, LandedObject, Landing, inspect_object
from biostar.landing.layouts import is_full_load
from biostar.load.match import Match, match_object
from biostar.load.plan import Batch

AHEAD = 4
"""Objects inspected ahead for each connection; each costs a few MiB while it is read."""


@dataclass(frozen=True)
class InspectedObject:
    """An object that was read to its end, and the columns that its fields go to."""

    landed: LandedObject
    inspection: Inspection
    match: Match
    etag: str

    @property
    def key(self) -> str:
        """Its path below the landing."""
        return self.landed.key


def inspect(landing: Landing, landed: LandedObject, table: RawTable) -> InspectedObject:
    """Read an object to its end and match its header.

    Raises:
        ObjectError: it cannot be loaded.
        WarehouseError: the store failed.
    """
    with at_fault(landed.key):
        with landing.open(landed.key) as stream:
            inspection = inspect_object(
                stream,
                landed.key,
                table.file_format,
                None if table.has_header else _names_in_order(landed, table),
            )
        match = match_object(inspection.header, landed.partitions, table, landed.key)
        return InspectedObject(landed, inspection, match, landing.etag(landed, inspection.content_hash))


def _names_in_order(landed: LandedObject, table: RawTable) -> Callable[[int], tuple[str, ...] | None]:
    return partial(
        table.names_in_order,
        without_operation=table.layout == "dms" and is_full_load(landed.key),
        in_folders=tuple(name for name, _ in landed.partitions),
    )


@contextmanager
def at_fault(key: str) -> Iterator[None]:
    """Fault of the data in the block is that of one object."""
    try:
        yield
    except ObjectError:
        raise
    except DataError as fault:
        raise ObjectError(fault.message, key, undone="nothing of it is loaded", next_step=fault.next_step) from fault


class InspectionAhead:
    """Inspections of all batches in order, begun a few objects before they are asked for. Safe to ask from threads."""

    def __init__(
        self,
        batches: Sequence[Batch],
        look: Callable[[LandedObject, RawTable], InspectedObject],
        threads: int,
    ) -> None:
        self._look = look
        self._batches = batches
        self._number = {id(batch): number for number, batch in enumerate(batches)}
        self._futures: list[list[Future[InspectedObject]]] = [[] for _ in batches]
        self._queue = iter([(number, landed) for number, batch in enumerate(batches) for landed in batch.objects])
        self._ahead = 0
        self._most_ahead = AHEAD * threads
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="inspect")
        self._lock = threading.Lock()

    def of(self, batch: Batch) -> list[Future[InspectedObject]]:
        """The inspections of a batch, some of which may still be under way; to be asked once for each batch."""
        number = self._number[id(batch)]
        with self._lock:
            mine = self._futures[number]
            while len(mine) < len(batch.objects) or self._ahead < self._most_ahead:
                following = next(self._queue, None)
                if following is None:
                    break
                owner, landed = following
                self._futures[owner].append(self._pool.submit(self._look, landed, self._batches[owner].table))
                self._ahead += 1
            self._ahead -= len(batch.objects)
            return mine

    def close(self) -> None:
        """Give up what was not begun, and wait for what was."""
        self._pool.shutdown(cancel_futures=True)
