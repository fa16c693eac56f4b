"""What a run would send, without sending it: each object is read and its header matched, as a run does first."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from biostar.errors import BiostarError, ObjectError
from biostar.landing import Landing
from biostar.load.books import Books
from biostar.load.groups import Files, groups_of
from biostar.load.objects import InspectedObject, inspect
from biostar.load.plan import Batch, Plan
from biostar.load.scratch import scratch_folder
from biostar.warehouse import Warehouse


def preview(
    plan: Plan, landing: Landing, books: Books, warehouse: Warehouse, now: datetime.datetime
) -> tuple[Mapping[Batch, list[str]], list[BiostarError]]:
    """The statements of each batch that load its rows, and what is wrong with objects of it.

    Not among them are the few that write the books, which follow from what the engine answers, and the rewriting of an
    object that the engine cannot read as it lies, which shows only when it is read.
    """
    if plan.batches:
        warehouse.read_from(landing.uri, landing.warehouse_settings())
    statements: dict[Batch, list[str]] = {}
    faults: list[BiostarError] = []
    for batch in plan.batches:
        members: list[InspectedObject] = []
        with scratch_folder() as scratch:
            files = Files(landing, warehouse, scratch)
            for landed in batch.objects:
                try:
                    one = inspect(landing, landed, batch.table)
                    files.add(one)
                except ObjectError as fault:
                    faults.append(fault)
                else:
                    members.append(one)
            groups = groups_of(
                batch.table, batch.ingest_date, members, files, books=books.schema, loaded_at=now, run="dry-run"
            )
            statements[batch] = [statement for group in groups for statement in warehouse.statements(group)]
    return statements, faults
