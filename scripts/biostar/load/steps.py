"""The steps of a batch by name, so that a test can stop a load at each of them.

`run_plan` calls its hook with the name of each step when it is done. Nothing in the product sets a hook: a fault comes
from a test that passes one, never from the environment.
"""

from __future__ import annotations

from collections.abc import Callable

STEPS = (
    "inspected",  # each object was read to its end and its header matched
    "copied",  # the rows are where the warehouse keeps what is not visible yet
    "locked",  # the transaction has begun, nobody else can publish, and the batch is still ours
    "superseded",  # of a reload: the rows of the load before are gone
    "inserted",  # the rows are in the raw table, and the bad records in load_rejects
    "lines_written",  # the lines of the bad records are in the restricted table
    "ledger_written",  # the objects are in the ledger
    "verified",  # what is in the tables was counted against the ledger
    "before_commit",
    "committed",
)

At = Callable[[str], None]
"""Called with one of STEPS."""


def nowhere(step: str) -> None:
    """The hook of a run that nobody watches."""
