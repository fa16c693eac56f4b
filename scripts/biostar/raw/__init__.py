"""The raw tables: their DDL, and the making of them."""

from biostar.raw.create import create_tables, ddl_statements

__all__ = ["create_tables", "ddl_statements"]
