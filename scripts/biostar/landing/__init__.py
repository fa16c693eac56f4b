"""What lies under the landing: a folder or an s3:// prefix, listed, verified and its headers read, never changed."""

from __future__ import annotations

import os
from collections.abc import Mapping

from biostar.landing.header import Header
from biostar.landing.inspect import Inspection, inspect_object, rewrite_object
from biostar.landing.listing import LandedObject, Landing, Listing, list_landing
from biostar.landing.local import LocalLanding

__all__ = [
    "Header",
    "Inspection",
    "LandedObject",
    "Landing",
    "Listing",
    "inspect_object",
    "list_landing",
    "open_landing",
    "rewrite_object",
]


def open_landing(uri: str, environment: Mapping[str, str] = os.environ) -> Landing:
    """The landing that `uri` names: `s3://bucket/prefix`, or else a folder."""
    if uri.startswith("s3://"):
        from biostar.landing.s3 import S3Landing  # boto3 takes a third of a second to import

        return S3Landing.connect(uri, environment)
    return LocalLanding(uri)
