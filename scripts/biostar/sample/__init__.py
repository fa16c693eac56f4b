"""A sample of any size: the 27 shipped patients, cloned inside DuckDB, delivered as a vendor would deliver them."""

from biostar.sample.run import SampleOptions, SampleResult, add_day, write_sample

__all__ = ["SampleOptions", "SampleResult", "add_day", "write_sample"]
