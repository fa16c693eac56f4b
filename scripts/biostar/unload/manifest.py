"""The manifest: Redshift's own verbose layout, so that COPY, our loader and any script read one document.

https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html and …/loading-data-files-using-manifest.html. Beyond it:
each entry is mandatory, since COPY passes over a missing file without a word where it is not; record_count counts rows,
never a header line; and `biostar` says which run it is and which one came before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from biostar.errors import DataError
from biostar.parity.types import ColumnType
from biostar.unload.request import Options, OutColumn

NAME = "manifest.json"
RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}", re.ASCII)
"""How the folder of a run is called; nothing else is ever removed."""

_BASES = {"timestamp": "timestamp without time zone", "timestamptz": "timestamp without time zone"}
WIDEST = 65535


@dataclass(frozen=True)
class DataFile:
    """One file of a run: its key, bytes and rows."""

    key: str
    url: str
    size: int
    rows: int


@dataclass(frozen=True)
class Published:
    """What a manifest says of its run."""

    run: str
    previous: str
    stamp: str


def document(
    run: str, previous: str, columns: Sequence[OutColumn], files: Sequence[DataFile], options: Options
) -> bytes:
    """The manifest of a run."""
    size, rows = sum(file.size for file in files), sum(file.rows for file in files)
    manifest = {
        "entries": [
            {
                "url": file.url,
                "mandatory": True,
                "meta": {"content_length": file.size, "record_count": file.rows},
            }
            for file in files
        ],
        "schema": {"elements": [{"name": column.name, "type": _type(column.type)} for column in columns]},
        "meta": {"content_length": size, "record_count": rows},
        "author": {"name": "biostar", "version": version("biostar")},
        "biostar": {
            "run": run,
            "previous_run": previous,
            "format": options.format,
            "compression": options.packed,
            "partition_by": list(options.partition_by),
        },
    }
    return json.dumps(manifest, indent=1).encode()


def _type(kind: ColumnType) -> dict[str, object]:
    if kind.name == "numeric":
        return {"base": "numeric", "precision": kind.precision, "scale": kind.scale}
    if kind.family == "text":
        return {"base": "character varying", "max_length": kind.width or WIDEST}
    return {"base": _BASES.get(kind.name, kind.name)}


def read_published(found: tuple[bytes, str] | None, where: str) -> Published | None:
    """The run that a manifest names; None where there is none.

    Raises:
        DataError: there is a manifest, and it is none of ours.
    """
    if found is None:
        return None
    try:
        told = json.loads(found[0])["biostar"]
        run, previous = str(told["run"]), str(told["previous_run"])
    except (ValueError, KeyError, TypeError):
        run = previous = ""
    if not RUN.fullmatch(run) or (previous and not RUN.fullmatch(previous)):
        raise DataError(
            f"'{where}' was not written by biostar unload, and is left alone",
            undone="nothing was unloaded",
            next_step="choose another --to",
        )
    return Published(run, previous, found[1])


def entries_of(manifest: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Bytes and rows of each address that a verbose manifest lists."""
    return {
        str(entry["url"]): (int(entry["meta"]["content_length"]), int(entry["meta"]["record_count"]))
        for entry in manifest["entries"]
    }
