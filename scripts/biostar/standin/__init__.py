"""A stand-in for Amazon Redshift on one machine: the real driver and the real dbt adapter connect to it, unmodified.

An embedded Postgres does the work; a server on loopback speaks Redshift's start-up and wire protocol in front of it,
rewrites the SQL that Redshift has and Postgres has not, refuses what Redshift refuses, and keeps what it can't do
(distribution, sort order, encoding, declared keys) so that a test can assert what was sent.

This package imports nothing from the rest of the project and can be published alone. What it emulates, only records
and cannot know is listed in its README. A run that passes here is not a run on Redshift.
"""

from biostar.standin.daemon import StandIn, start, status, stop
from biostar.standin.errors import StandInError
from biostar.standin.settings import Settings

__all__ = ["Settings", "StandIn", "StandInError", "start", "status", "stop"]
