"""New objects of a landing into the raw tables, each exactly once.

A load is a table and an ingest date: all its new objects, their rejects and their ledger rows go in with one
transaction, so that whatever kills the loader, an object is loaded and in the ledger, or neither.
"""

from biostar.load.plan import Batch, Plan, make_plan
from biostar.load.report import BatchResult, LoadReport
from biostar.load.run import run_plan

__all__ = ["Batch", "BatchResult", "LoadReport", "Plan", "make_plan", "run_plan"]
