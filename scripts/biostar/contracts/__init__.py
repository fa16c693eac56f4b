"""What a raw table must look like, read from the one place that declares it: the source YAML that dbt reads too.

The YAML is parsed here without dbt, because a load must start in a blink and dbt takes seconds to import. Only what the
loader needs is read; of Jinja only `env_var` is understood, and only in names.
"""

from biostar.contracts.limits import DEFAULT_LIMIT, ErrorLimit
from biostar.contracts.model import Column, Compression, FileFormat, Layout, RawTable, Source
from biostar.contracts.reading import read_sources

__all__ = [
    "DEFAULT_LIMIT",
    "Column",
    "Compression",
    "ErrorLimit",
    "FileFormat",
    "Layout",
    "RawTable",
    "Source",
    "read_sources",
]
