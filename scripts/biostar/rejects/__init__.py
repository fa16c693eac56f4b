"""Records that the loader refused: which they are, and another try once the declaration was mended."""

from biostar.rejects.retry import plan_retry
from biostar.rejects.select import RejectGroup, choose, grouped

__all__ = ["RejectGroup", "choose", "grouped", "plan_retry"]
