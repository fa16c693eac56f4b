"""Build and test the models: dbt in this process, with progress, and a result that a script can read."""

from biostar.build.runner import BuildResult, NodeResult, invoke_dbt, run_build

__all__ = ["BuildResult", "NodeResult", "invoke_dbt", "run_build"]
