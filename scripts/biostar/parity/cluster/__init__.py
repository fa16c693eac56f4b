"""The checks that only a cluster can settle, as statements with the answers that this project relies on.

`scripts/verify_on_redshift` prints them, or runs them and writes down what the cluster answered. All it makes lies in
one schema of its own, which it drops; of the project's tables it reads plans, counts and catalog rows, no values.
"""

from biostar.parity.cluster.checks import Check, Step, checks
from biostar.parity.cluster.report import as_markdown, dry_run
from biostar.parity.cluster.run import Verdict, run_checks

__all__ = ["Check", "Step", "Verdict", "as_markdown", "checks", "dry_run", "run_checks"]
