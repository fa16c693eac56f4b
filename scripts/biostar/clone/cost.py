"""What a clone costs in S3, before it begins: an estimate on the high side, from a table of prices with a date.

Bytes are those of the rows as CSV without compression; files come out smaller. Each file is read back once by DuckDB
and, by the loader, looked at once and loaded once. Transfer counts as if this machine were outside of the bucket's
region. The time of a Redshift cluster, which is paid by the hour or by the second whatever it does, is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from biostar.clone.plan import ClonePlan

GIGABYTE = 10**9
READS = 3
"""Times that each file is read."""

READ_REQUESTS = 4
"""GET and HEAD requests for each reading of a file: footer or first bytes, body, checks."""


@dataclass(frozen=True)
class Estimate:
    """Requests, bytes and dollars; all zero where the files lie in a folder.

    Attributes:
        files: data files.
        size: bytes, uncompressed.
        requests: dollars for requests.
        transfer: dollars for transfer out, if this machine is outside of the bucket's region.
        storage_month: dollars for leaving the files there for a month.
        prices_as_of: the day of the prices.
        source: the page that they are from.
    """

    files: int
    size: int
    requests: float
    transfer: float
    storage_month: float
    prices_as_of: str
    source: str

    @property
    def dollars(self) -> float:
        """Requests and transfer."""
        return self.requests + self.transfer

    def as_dict(self) -> dict[str, object]:
        """The estimate as the JSON document carries it."""
        return {
            "is_an_estimate": True,
            "files": self.files,
            "bytes_uncompressed": self.size,
            "request_dollars": round(self.requests, 4),
            "transfer_dollars": round(self.transfer, 4),
            "dollars": round(self.dollars, 4),
            "storage_dollars_a_month": round(self.storage_month, 4),
            "prices_as_of": self.prices_as_of,
            "source": self.source,
        }


def estimate(plan: ClonePlan, via: str) -> Estimate:
    """What a plan costs through `via`."""
    prices: dict[str, Any] = yaml.safe_load(files("biostar.clone").joinpath("prices.yml").read_text(encoding="utf-8"))
    size = sum(table.size for table in plan.tables)
    count = sum(table.files for table in plan.tables)
    paid = 1 if via.startswith("s3://") else 0
    puts = count + 2 * len(plan.tables)
    gets = count * READS * READ_REQUESTS
    return Estimate(
        count,
        size,
        paid * (puts * prices["put_per_thousand"] + gets * prices["get_per_thousand"]) / 1000,
        paid * READS * size / GIGABYTE * prices["transfer_out_per_gb"],
        paid * size / GIGABYTE * prices["storage_gb_month"],
        str(prices["as_of"]),
        str(prices["source"]),
    )
