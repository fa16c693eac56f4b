"""The docs site: dbt's own, as one file that opens without a server, with diagrams made from the declared keys."""

from biostar.site.publish import Site, publish

__all__ = ["Site", "publish"]
