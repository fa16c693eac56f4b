"""New objects of a landing into the raw tables, each exactly once.

A load is a table and an ingest date: its new objects, their rejects and their ledger rows go in with one transaction,
so that whatever kills the loader, an object is loaded and in the ledger, or neither.

    plan, reload, preview   what would be done
    run             batches to connections
    loader          one batch: stage, publish, verify, commit
    objects, match  objects read and their headers matched
    groups, lines   what the warehouse is given; copies where it cannot read an object as it lies
    books           ledger, rejects and the lines of rejects
    report, watch, log
"""

from biostar.load.books import LedgerEntry, books_of, read_ledger
from biostar.load.plan import Batch, Plan, choose_tables, make_plan
from biostar.load.preview import preview
from biostar.load.reload import named_objects, plan_reload
from biostar.load.report import BatchResult, LoadReport
from biostar.load.run import run_plan
from biostar.load.watch import Watcher, Watchers

__all__ = [
    "Batch",
    "BatchResult",
    "LedgerEntry",
    "LoadReport",
    "Plan",
    "Watcher",
    "Watchers",
    "books_of",
    "choose_tables",
    "make_plan",
    "named_objects",
    "plan_reload",
    "preview",
    "read_ledger",
    "run_plan",
]
