"""The statements that bring a group from S3 into a raw table of Redshift. Text only; nothing is sent from here.

COPY goes into a temporary table that has the columns of the files' header, in their order. Its options make it read
what DuckDB reads:

- `null as ''`: an empty field is null. Without it the two characters \\N would be null, and an empty one an empty text
  (https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html#copy-null-as, #copy-emptyasnull).
  A quoted empty field becomes null on the way into the raw table, `nullif(…, '')`: the manual does not speak of it.
- `ignoreblanklines`: a blank line is no record (#copy-ignoreblanklines) where a record has more than one field.
- `ignoreheader`: as many lines as the header has, in each file (#copy-ignoreheader).
- `maxerror`: the largest allowed (https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-load.html#copy-maxerror);
  how many bad records are too many is decided by the loader, for each table.
- `compupdate off statupdate off`: a temporary table that is read once needs neither.

A column of the temporary table is one byte wider than declared. A longer value is then still an error of COPY; only one
that is longer by blanks alone would be cut without a word
(https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html#r_Character_types-significance-of-trailing-blanks),
and what remains of it is longer than declared, so that it is found before the rows are published.

Which objects COPY gets as they lie, and what JSON and Parquet pass through, says redshift_formats.
"""

from __future__ import annotations

import datetime
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from biostar.contracts import Compression, FileFormat, RawTable
from biostar.errors import ConfigurationError
from biostar.warehouse.base import FileToLoad, LoadGroup, quote_identifier, quote_literal
from biostar.warehouse.redshift_formats import PARQUET_TYPES, WIDEST, StageColumn, copied_as, stage_columns

MAX_ERRORS = 100_000
STANDIN_ROLE = "arn:aws:iam::123456789012:role/biostar-standin"
"""The stand-in takes any role; its S3 asks for none."""

_FORMATS: tuple[FileFormat, ...] = ("csv", "json", "parquet")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}")
_PLAIN = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class CopySettings:
    """What a COPY says that is not of the data.

    Attributes:
        role: an ARN, several joined by commas for chained roles, or `default`.
        region: the region of the bucket where it is another than the cluster's, else empty.
    """

    role: str
    region: str = ""

    @property
    def authorization(self) -> str:
        """The parameter IAM_ROLE; never keys."""
        return "iam_role default" if self.role == "default" else f"iam_role {quote_literal(self.role)}"


def check_role(role: str) -> str:
    """The role, if it can be one.

    Raises:
        ConfigurationError: it is not set or no ARN of a role.
    """
    if not role:
        raise ConfigurationError(
            "COPY needs a role: BIOSTAR_REDSHIFT_IAM_ROLE is not set",
            undone="nothing was loaded",
            next_step="set it to the ARN of a role that is attached to the cluster, or to 'default'",
        )
    if role != "default" and not all(_ROLE.fullmatch(part) for part in role.split(",")):
        raise ConfigurationError(
            "BIOSTAR_REDSHIFT_IAM_ROLE is no ARN of a role",  # without it: somebody may have set a key by mistake
            undone="nothing was loaded",
            next_step="give it as arn:aws:iam::<account>:role/<name>, or 'default'",
        )
    return role


def role_of(target: str, environment: Mapping[str, str]) -> str:
    """The role that COPY and UNLOAD take, from BIOSTAR_REDSHIFT_IAM_ROLE.

    Raises:
        ConfigurationError: it is not set or no ARN of a role.
    """
    role = environment.get("BIOSTAR_REDSHIFT_IAM_ROLE", "").strip()
    return check_role(role or STANDIN_ROLE if target == "standin" else role)


def tag(group: LoadGroup) -> str:
    """A comment that says in the cluster's query log whose statement it is; of plain characters only."""
    words = (group.table.name, group.ingest_date.isoformat(), group.run)
    return "/* biostar load " + " ".join(_PLAIN.sub("", word) for word in words if word) + " */"


def create_stage(name: str, columns: Sequence[StageColumn]) -> str:
    """The temporary table; what it holds is read once, so it is neither sorted nor compressed."""
    listed = ", ".join(column.definition for column in columns)
    return f"create temp table {quote_identifier(name)} ({listed}) diststyle even"


def copy_csv(
    group: LoadGroup,
    name: str,
    columns: Sequence[StageColumn],
    manifest: str,
    settings: CopySettings,
    *,
    compression: Compression,
    header_lines: int,
) -> str:
    """The COPY of CSV objects that a manifest lists."""
    options = ["format as csv", f"ignoreheader {header_lines}"] if header_lines else ["format as csv"]
    options.append("null as ''")
    if len(columns) > 1:
        options.append("ignoreblanklines")
    return _copy(group, name, columns, manifest, settings, options, compression)


def copy_json(
    group: LoadGroup,
    name: str,
    columns: Sequence[StageColumn],
    manifest: str,
    settings: CopySettings,
    *,
    compression: Compression,
    paths: str,
) -> str:
    """The COPY of JSON objects that a manifest lists; `paths` is the address of the JSONPaths object."""
    return _copy(group, name, columns, manifest, settings, [f"format as json {quote_literal(paths)}"], compression)


def copy_parquet(group: LoadGroup, name: str, manifest: str, settings: CopySettings) -> str:
    """The COPY of Parquet objects that a manifest lists, with what COPY takes along with Parquet."""
    return (
        f"{tag(group)} copy {quote_identifier(name)} from {quote_literal(manifest)} {settings.authorization}"
        " manifest format as parquet statupdate off"
    )


def _copy(
    group: LoadGroup,
    name: str,
    columns: Sequence[StageColumn],
    manifest: str,
    settings: CopySettings,
    options: Sequence[str],
    compression: Compression,
) -> str:
    listed = ", ".join(quote_identifier(column.name) for column in columns)
    parts = [
        f"{tag(group)} copy {quote_identifier(name)} ({listed})",
        f"from {quote_literal(manifest)}",
        settings.authorization,
        "manifest",
        *options,
        *([compression] if compression != "none" else []),
        *([f"region {quote_literal(settings.region)}"] if settings.region else []),
        f"maxerror {MAX_ERRORS}",
        "compupdate off statupdate off",
    ]
    return " ".join(parts)


def insert_from(group: LoadGroup, name: str, columns: Sequence[StageColumn]) -> str:
    """The INSERT from a temporary table into the raw table.

    It binds what the folders say (`group.constants`), the load id, the ingest date and the time of loading.
    """
    kept = [column for column in columns if column.target is not None]
    listed = ", ".join(
        quote_identifier(name) for name in (*(column.target or "" for column in kept), *dict(group.constants))
    )
    values = [column.as_text for column in kept]
    values += [f"cast(? as varchar({WIDEST}))" for _ in group.constants]
    return (
        f"insert into {quote_identifier(group.table.schema, group.table.name)}"
        f" ({listed}, _load_id, _ingest_date, _loaded_at)"
        f" select {', '.join(values)}, cast(? as bigint), cast(? as date), cast(? as timestamp)"
        f" from {quote_identifier(name)}"
    )


def look_over(
    name: str, columns: Sequence[StageColumn], file_format: FileFormat, *, may_span_lines: bool = False
) -> str:
    """The query that judges a filled temporary table.

    Its rows, those with a value that is longer than declared or that may be spelled otherwise elsewhere, and of CSV
    those whose last field ends with a carriage return (a line end that was taken for a character), and the line ends
    within values where those may have any: to count them takes as long as the COPY.
    """
    misfits = " or ".join(column.misfit for column in columns if column.misfit)
    counts = f"count(*), coalesce(sum(case when {misfits or 'false'} then 1 else 0 end), 0)"
    if file_format != "csv":
        return f"select {counts}, 0, 0 from {quote_identifier(name)}"
    last = quote_identifier(columns[-1].name)
    inside = " + ".join(
        f"coalesce(len({each}) - len(replace({each}, chr(10), '')), 0)"
        for each in (quote_identifier(column.name) for column in columns if may_span_lines)
    )
    return (
        f"select {counts},"
        f" coalesce(sum(case when right({last}, 1) = chr(13) then 1 else 0 end), 0),"
        f" coalesce(sum({inside or '0'}), 0) from {quote_identifier(name)}"
    )


def copy_statement(
    group: LoadGroup,
    name: str,
    columns: Sequence[StageColumn],
    address: str,
    settings: CopySettings,
    *,
    file_format: FileFormat,
    compression: Compression,
    header_lines: int,
) -> str:
    """The COPY of objects of some format; `address` is that of manifest and JSONPaths without their endings."""
    manifest = f"{address}.manifest"
    if file_format == "parquet":
        return copy_parquet(group, name, manifest, settings)
    if file_format == "json":
        paths = f"{address}.jsonpaths"
        return copy_json(group, name, columns, manifest, settings, compression=compression, paths=paths)
    return copy_csv(group, name, columns, manifest, settings, compression=compression, header_lines=header_lines)


def load_statements(group: LoadGroup, settings: CopySettings, folder: str) -> list[str]:
    """What loading a group sends where COPY refuses nothing, with the bound values written out.

    Args:
        group: the group; `load_id` is 0 where it is not known yet.
        settings: of the COPY.
        folder: the s3:// prefix of the manifests.
    """
    if not group.fields:
        return []
    as_they_lie = [file for file in group.files if copied_as(group, file, settings.region)]
    lots = [(group.table.file_format, False, files) for files in alike(as_they_lie)]
    # What is read here goes to COPY as clean CSV, each object by itself.
    lots += [("csv", True, [file]) for file in group.files if not copied_as(group, file, settings.region)]
    bound = (
        *("null" if value is None else quote_literal(value) for _, value in group.constants),
        str(group.load_id) if group.load_id else "null /* the next load id */",
        f"'{group.ingest_date}'",
        f"'{group.loaded_at}'",
    )
    sent = []
    for number, (file_format, is_clean, files) in enumerate(lots):
        name = f"biostar_stage_{number}"
        columns = stage_columns(group, files[0].types if file_format == "parquet" else ())
        if is_clean:
            columns = tuple(column for column in columns if column.target is not None)
        insert, *rest = insert_from(group, name, columns).split("?")
        insert += "".join(value + part for value, part in zip(bound, rest, strict=True))
        copy = copy_statement(
            group,
            name,
            columns,
            f"{folder.rstrip('/')}/{number}",
            settings,
            file_format=file_format,
            compression="gzip" if is_clean else files[0].compression,
            header_lines=0 if is_clean else group.header_lines,
        )
        sent += [create_stage(name, columns), copy, look_over(name, columns, file_format)]
        sent += ["begin", f"lock {quote_identifier(group.books, 'load_ledger')}", insert, "commit"]
        sent.append(f"drop table if exists {quote_identifier(name)}")
    return sent


def sample_statements(table: RawTable) -> list[str]:
    """What loading one object with the declared columns of a table sends, for a check without a landing.

    In each format, since a declaration may change it any day.
    """
    return [
        statement
        for file_format in _FORMATS
        for statement in _sample_statements(replace(table, file_format=file_format))
    ]


def _sample_statements(table: RawTable) -> list[str]:
    types = tuple(PARQUET_TYPES[number % len(PARQUET_TYPES)] for number in range(len(table.columns)))
    is_parquet = table.file_format == "parquet"
    file = FileToLoad(
        "part.gz",
        "s3://bucket/landing/part",
        "none" if is_parquet else "gzip",
        2,
        False,
        io.BytesIO,
        size=100,
        types=types if is_parquet else (),
        repeats_keys=False,
        only_texts=True,
    )
    group = LoadGroup(
        table=table,
        books="raw_meta",
        ingest_date=datetime.date(2024, 2, 8),
        loaded_at=datetime.datetime(2024, 2, 9),
        fields=tuple(column.name for column in table.columns),
        names=tuple(column.name for column in table.columns),
        header_lines=int(table.file_format == "csv"),
        files=(file,),
        widths=tuple(column.width for column in table.columns),
        keys=tuple((column.name,) for column in table.columns),
        run="sample",
    )
    settings = CopySettings("arn:aws:iam::123456789012:role/loader", "" if is_parquet else "eu-west-1")
    return load_statements(group, settings, "s3://bucket/landing/_biostar/sample")


def alike(files: Sequence[FileToLoad]) -> list[list[FileToLoad]]:
    """Files by their compression, which a COPY has one of."""
    found: dict[str, list[FileToLoad]] = {}
    for file in files:
        found.setdefault(file.compression, []).append(file)
    return list(found.values())


def manifest_of(files: Sequence[FileToLoad]) -> bytes:
    """The manifest: every object is mandatory, and its size is told where it is known.

    A missing object then ends the COPY, and for Parquet the size is required
    (https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html).
    """
    entries: list[dict[str, object]] = []
    for file in files:
        entry: dict[str, object] = {"url": file.address, "mandatory": True}
        if file.size:
            entry["meta"] = {"content_length": file.size}
        entries.append(entry)
    return json.dumps({"entries": entries}, ensure_ascii=False).encode()
