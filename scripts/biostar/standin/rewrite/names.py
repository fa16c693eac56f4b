"""Functions that the embedded Postgres has and Redshift has not: refused by name, as if they did not exist."""

from __future__ import annotations

REFUSED_FUNCTIONS: frozenset[str] = frozenset()
