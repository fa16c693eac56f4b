"""A manifest in the folder of a table: the list of the objects that make one whole, as UNLOAD of Redshift writes it.

`entries` name each object by `url`, with `meta.content_length` and, in a verbose manifest, `meta.record_count`
(https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html). The addresses are absolute; a set of files that was
copied elsewhere with its manifest is still that set, so an entry is found by the end of its address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

MANIFEST = "manifest.json"

LONGEST_MANIFEST = 64 << 20
"""Bytes; some 300,000 entries."""


class ManifestError(Exception):
    """A manifest cannot be read, or what it lists is not there as it says."""


@dataclass(frozen=True)
class Entry:
    """An object by its address; bytes and records where the manifest says them."""

    url: str
    size: int | None
    records: int | None


def read_manifest(stream: BinaryIO) -> list[Entry]:
    """The entries of a manifest.

    Raises:
        ManifestError: it is not one.
    """
    chunks = []
    size = 0
    while size <= LONGEST_MANIFEST and (chunk := stream.read(1 << 20)):
        chunks.append(chunk)
        size += len(chunk)
    if size > LONGEST_MANIFEST:
        raise ManifestError(f"it has more than {LONGEST_MANIFEST >> 20} MiB")
    try:
        document = json.loads(b"".join(chunks))
    except (ValueError, RecursionError):
        raise ManifestError("it is no JSON document") from None
    entries = document.get("entries") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ManifestError("it has no list 'entries'")
    return [_entry(entry, number) for number, entry in enumerate(entries, start=1)]


def _entry(entry: Any, number: int) -> Entry:
    url = entry.get("url") if isinstance(entry, dict) else None
    if not isinstance(url, str) or not url:
        raise ManifestError(f"its entry {number} has no 'url'")
    meta = entry.get("meta") or {}
    counts = [meta.get(name) if isinstance(meta, dict) else None for name in ("content_length", "record_count")]
    for count in counts:
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
            raise ManifestError(f"the 'meta' of its entry {number} holds no counts")
    return Entry(url, *counts)


def resolve(entries: list[Entry], home: str, sizes: Mapping[str, int]) -> dict[str, int | None]:
    """Key of each listed object, with its records where the manifest says them.

    Args:
        entries: what the manifest lists.
        home: the folder of the manifest below the landing, with its slash.
        sizes: bytes of every object in that folder by key.

    Raises:
        ManifestError: an object is not there, or has another size.
    """
    found: dict[str, int | None] = {}
    for entry in entries:
        parts = entry.url.split("/")
        # The longest end of the address that is an object here; a shorter one would be another object's name.
        ends = ("/".join(parts[place:]) for place in range(len(parts)))
        key = next((home + end for end in ends if end and home + end in sizes), None)
        if key is None:
            raise ManifestError(f"it lists '{entry.url}', which is not there")
        if key in found:
            raise ManifestError(f"it lists '{entry.url}' twice")
        if entry.size is not None and entry.size != sizes[key]:
            raise ManifestError(f"it lists '{entry.url}' with {entry.size:,} bytes, which has {sizes[key]:,}")
        found[key] = entry.records
    return found
