"""Unload a model, a raw table or a query to Parquet or CSV, verified by reading it back, published by one manifest.

request     what is unloaded, and how: columns, types, options
phi         which columns are about a person, and the refusal
lineage     from which columns those of a query come
projection  the SQL of the rows as they go out, and of the sums that prove them
store       a folder or a prefix in S3: list, remove, publish
manifest    the document that readers begin with
readback    what the files really hold
duckdb_engine, redshift_engine   how each target writes the files
ledger      who unloaded what, and why
run         all of it in order
"""

from biostar.unload.request import Options, OutColumn, Subject, Unloaded
from biostar.unload.run import open_engine, unload

__all__ = ["Options", "OutColumn", "Subject", "Unloaded", "open_engine", "unload"]
