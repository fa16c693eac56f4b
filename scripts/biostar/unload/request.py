"""What is unloaded and how, as values; and what each type becomes in the files.

    column            Parquet, on both targets                        CSV
    smallint          INT32 (16 bits)                                 digits
    integer, bigint   INT32, INT64                                    digits
    numeric(p,s)      DECIMAL(p,s)                                    all decimals of the scale
    real, double      FLOAT, DOUBLE                                   as the engine prints it
    boolean           BOOLEAN                                         true, false
    date              DATE                                            YYYY-MM-DD
    timestamp         TIMESTAMP, microseconds, without zone           YYYY-MM-DD HH:MM:SS.ffffff
    timestamptz       the same, in UTC                                the same, in UTC
    varchar, char     text; a char without the blanks at its end      the text; quoted where CSV needs it

A null is a null in Parquet and an empty field in CSV, where an empty text is one too. The value of a partition column
stands in the name of its folder, as CSV would write it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from biostar.errors import UsageError
from biostar.parity.types import ColumnType

FileFormat = Literal["parquet", "csv"]
Phi = Literal["none", "quasi", "direct", "unknown"]
"""`unknown` is a column of which nobody has said what it holds; it counts as one about a person."""

COMPRESSIONS: dict[str, tuple[str, ...]] = {
    "parquet": ("snappy", "zstd", "gzip", "none"),
    "csv": ("gzip", "zstd", "none"),
}
"""What DuckDB can write; the first is the default. Redshift's Parquet is always SNAPPY."""

FAMILIES = ("integer", "numeric", "float", "boolean", "date", "timestamp", "text")

MEGABYTE = 1 << 20
SMALLEST_FILE, LARGEST_FILE = 5 * MEGABYTE, int(6.2 * 1024 * MEGABYTE)
"""Bounds of Redshift's MAXFILESIZE (https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html), kept on both."""

DEFAULT_FILE = 256 * MEGABYTE

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(mb|gb)?", re.IGNORECASE | re.ASCII)
_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,126}", re.ASCII)


@dataclass(frozen=True)
class OutColumn:
    """One column that goes out.

    Attributes:
        name: its name, lower case.
        type: its type.
        phi: what it says of a person.
        source: its name in the table that is read, where that differs.
    """

    name: str
    type: ColumnType
    phi: Phi = "unknown"
    source: str = ""

    @property
    def read_as(self) -> str:
        """Its name in the table that is read."""
        return self.source or self.name


@dataclass(frozen=True)
class Subject:
    """What is unloaded.

    Attributes:
        name: as it was asked for: a model's name, `raw_ehr.patients`, or `query`.
        schema: schema of the relation; empty for a query.
        table: its name there.
        query: the query; empty for a relation.
        declared: type of each column by the contract; a text's width comes from here, where the engine keeps none.
        phi: what each column says of a person.
        columns: names that go out, None for all.
        renamed: new names of some.
        where: SQL of our own that rows must meet, with no value in it.
    """

    name: str
    schema: str = ""
    table: str = ""
    query: str = ""
    declared: tuple[tuple[str, str], ...] = ()
    phi: tuple[tuple[str, Phi], ...] = ()
    columns: tuple[str, ...] | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    where: str = ""


@dataclass(frozen=True)
class Options:
    """How it is unloaded.

    Attributes:
        to: folder or s3:// prefix.
        format: of the files.
        compression: of the files; empty for the format's default.
        partition_by: columns whose values become folders.
        max_file_size: bytes that a file should not pass; the engines estimate while they write.
        replace: whether what is published there may be replaced.
        reason: why columns about persons may go out; empty where they may not.
    """

    to: str
    format: FileFormat = "parquet"
    compression: str = ""
    partition_by: tuple[str, ...] = ()
    max_file_size: int = DEFAULT_FILE
    replace: bool = False
    reason: str = ""

    @property
    def packed(self) -> str:
        """The compression, the default filled in."""
        return self.compression or COMPRESSIONS[self.format][0]

    @property
    def suffix(self) -> str:
        """How names of files end."""
        if self.format == "parquet":
            return ".parquet"
        return ".csv" + {"gzip": ".gz", "zstd": ".zst", "none": ""}[self.packed]


@dataclass(frozen=True)
class Unloaded:
    """What was published.

    Attributes:
        subject: as it was asked for.
        run: name of the run's folder.
        manifest: address of the manifest.
        files: number of data files.
        rows: of all files.
        size: bytes of all files.
        columns: names that went out.
        phi_columns: those of them that are about persons, with their class.
        seconds: wall time.
        warnings: what is odd.
    """

    subject: str
    run: str
    manifest: str
    files: int
    rows: int
    size: int
    columns: tuple[str, ...]
    phi_columns: tuple[str, ...]
    seconds: float
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The result as the JSON document carries it."""
        return {
            "subject": self.subject,
            "run": self.run,
            "manifest": self.manifest,
            "files": self.files,
            "rows": self.rows,
            "bytes": self.size,
            "columns": list(self.columns),
            "phi_columns": list(self.phi_columns),
            "seconds": round(self.seconds, 3),
            "warnings": list(self.warnings),
        }


def read_size(text: str) -> int:
    """Bytes of a size as `64MB` or `1.5 GB`; a bare number is megabytes, as in Redshift.

    Raises:
        UsageError: it is none, or out of Redshift's bounds.
    """
    size = _SIZE.fullmatch(text.strip())
    number = int(float(size[1]) * (1024 if (size[2] or "").lower() == "gb" else 1) * MEGABYTE) if size else 0
    if not SMALLEST_FILE <= number <= LARGEST_FILE:
        raise UsageError(f"the largest size of a file is '{text}'", next_step="give it as 5MB to 6.2GB")
    return number


def check_options(options: Options, target: str) -> None:
    """Refuse what the target cannot write.

    Raises:
        UsageError: an option does not go with the format or the target.
    """
    known = COMPRESSIONS[options.format]
    if options.packed not in known:
        raise UsageError(
            f"{options.format} files cannot be compressed with '{options.packed}'",
            next_step=f"choose one of {', '.join(known)}",
        )
    if target != "duckdb" and options.format == "parquet" and options.packed != "snappy":
        raise UsageError(
            f"Redshift's UNLOAD compresses Parquet with snappy only, not with '{options.packed}'",
            next_step="leave --compression out",
        )
    if target != "duckdb" and not options.to.startswith("s3://"):
        raise UsageError(
            f"'{target}' unloads to S3 only, not to the folder '{options.to}'", next_step="give --to s3://bucket/prefix"
        )
    if len(set(options.partition_by)) != len(options.partition_by):
        raise UsageError("a partition column is named twice", next_step="name each column of --partition-by once")


def check_columns(columns: Sequence[OutColumn], options: Options) -> None:
    """Refuse columns that no file can carry in the same way on both targets.

    Raises:
        UsageError: a name is not plain or stands twice, a type has no equal, or a partition column is not there.
    """
    names = [column.name for column in columns]
    for name in names:
        if not _PLAIN.fullmatch(name):
            raise UsageError(
                f"a column is named {name[:80]!r}; names in the files are plain: letters, digits, underscores",
                next_step="name it in the query: … as plain_name",
            )
        if names.count(name) > 1:
            raise UsageError(f"two columns are named '{name}'", next_step="give one another name in the query")
    for column in columns:
        if column.type.family not in FAMILIES:
            raise UsageError(
                f"column '{column.name}' is of type {column.type}, which no type of the files equals on both targets",
                next_step="cast it in a query, as to numeric(18,2), bigint, timestamp or varchar",
            )
    for name in options.partition_by:
        if name not in names:
            raise UsageError(
                f"there is no column '{name}' to partition by", next_step=f"choose from {', '.join(sorted(names))}"
            )
        if columns[names.index(name)].type.family == "float":
            raise UsageError(
                f"'{name}' is a floating-point number, which is no name for a folder", next_step="cast it to numeric"
            )
    if set(names) <= set(options.partition_by):
        raise UsageError("every column is a partition column", next_step="leave one for the files")
