"""Clone a sample of patients, and all that belongs to them, from one target into another.

plan    which tables, which rows, how many bytes
cost    what S3 will ask for it, roughly
run     unload from the one, load into the other
"""

from biostar.clone.cost import Estimate, estimate
from biostar.clone.plan import ClonePlan, make_plan, read_share
from biostar.clone.run import Cloned, Target, clone

__all__ = ["ClonePlan", "Cloned", "Estimate", "Target", "clone", "estimate", "make_plan", "read_share"]
