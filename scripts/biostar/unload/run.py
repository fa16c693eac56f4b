"""One unload from its beginning to its end.

The order is what makes it safe: say who and why in the ledger; write into a folder that nobody knows of; read the files
back and compare them with what the source held in the same transaction; only then put the one object that readers begin
with. Whoever reads the manifest sees the run before or this one, never half of one.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from biostar.contracts import RawTable
from biostar.errors import BiostarError, DataError, UsageError, WarehouseError
from biostar.parity.types import ColumnType, redshift_type
from biostar.unload.engine import QUERY_TABLE, Engine
from biostar.unload.ledger import Entry, begin_entry, end_entry
from biostar.unload.manifest import NAME, RUN, DataFile, Published, document, read_published
from biostar.unload.phi import personal_columns, refuse_personal
from biostar.unload.projection import Measure, differences, measures, read_measure
from biostar.unload.readback import measure_files
from biostar.unload.request import Options, OutColumn, Subject, Unloaded, check_columns, check_options
from biostar.unload.store import LONGEST_KEY, ChangedMeanwhile, Store, open_store
from biostar.warehouse import quote_identifier

STEPS = ("recorded", "written", "verified", "before_publish", "published", "ended")
"""Names of the steps, as `at` is called with them."""

_HEADER_LINE = (0, 1)


def open_engine(target: str, database: Path | None = None, *, read_only: bool = False) -> Engine:
    """Connect to a target.

    Raises:
        UsageError: a database file is given for a target that has none.
        ConfigurationError: the file does not exist, or the profile is wrong.
        WarehouseError: it does not answer.
    """
    if target == "duckdb":
        from biostar.unload.duckdb_engine import DuckDBEngine

        return DuckDBEngine(database, read_only=read_only)
    if database is not None:
        raise UsageError(f"a database file is given for '{target}'", next_step="leave it out; the profile says where")
    from biostar.unload.redshift_engine import RedshiftEngine

    return RedshiftEngine(target)


def plan(engine: Engine, subject: Subject, options: Options) -> tuple[list[str], tuple[OutColumn, ...]]:
    """The statements that an unload would send, and the columns that would go out; nothing is written.

    Raises:
        UsageError: it cannot be unloaded as asked for.
    """
    check_options(options, engine.name)
    store = open_store(options.to)
    run = new_run(now())
    engine.begin()
    try:
        source, columns = _prepare(engine, subject, options)
        _check_place(store, columns, options)
        refuse_personal(subject.name, columns, options.reason)
        kept = [f"create temp table {QUERY_TABLE} as (\n{subject.query}\n)"] if subject.query else []
        measured = measures(engine.texts, columns, options.format, options.partition_by)
        written = engine.statements(source, columns, options, store, run)
        return [*kept, f"select {measured} from {source}", *written], columns
    finally:
        engine.rollback()


def unload(
    engine: Engine,
    subject: Subject,
    options: Options,
    ledger: RawTable,
    *,
    at: Callable[[str], None] = lambda step: None,
    clock: Callable[[], datetime.datetime] | None = None,
    folder: str = "",
    manifest: str = NAME,
) -> Unloaded:
    """Unload, verify, publish.

    Args:
        engine: a connection to the target.
        subject: what.
        options: how, and where to.
        ledger: the declared table that it is recorded in.
        at: called with the name of each step when it is done.
        clock: the time in UTC without zone.
        folder: where below `to` the data go; empty for a folder of the run's own.
        manifest: where below `to` the manifest goes.

    Raises:
        UsageError: it cannot be unloaded as asked for; columns about persons without a reason are one case.
        DataError: the files do not hold what was read.
        WarehouseError: the target or the store fails, or somebody else publishes there at the same time.
    """
    began = time.monotonic()
    clock = clock or now
    check_options(options, engine.name)
    store = open_store(options.to)
    place = f"{store.uri}/{manifest}"
    before = read_published(store.read(manifest), place)
    if before is not None and not options.replace:
        raise UsageError(
            f"'{place}' is published already",
            undone="nothing was unloaded",
            next_step="give --replace, or another --to",
        )
    engine.reach(store)
    run = new_run(clock())
    folder = folder or run
    if store.files(folder):
        raise UsageError(f"'{store.address(folder)}' is not empty", next_step="choose another --to")

    # The columns are looked at before the ledger is written, since it names them.
    engine.begin()
    try:
        source, columns = _prepare(engine, subject, options)
        _check_place(store, columns, options)
        refuse_personal(subject.name, columns, options.reason)
    except BaseException:
        engine.rollback()
        raise
    engine.commit()  # Nothing but the temporary table of a query, which is kept for what follows.
    entry = begin_entry(engine, ledger, run, subject, columns, options, store.uri, clock())
    at("recorded")

    published = False
    try:
        engine.begin()
        if not subject.query and _prepare(engine, subject, options)[1] != columns:
            raise WarehouseError(
                f"the columns of '{subject.name}' changed meanwhile",
                undone="nothing is published",
                next_step="run the same command again",
            )
        files = _write_and_verify(engine, source, columns, options, store, folder, at)
        at("before_publish")
        content = document(run, before.run if before else "", columns, files, options)
        published = True  # From here on only the manifest can say that it is not.
        try:
            store.publish(manifest, content, before.stamp if before else "")
        except ChangedMeanwhile:
            published = False
            raise
        except BaseException as fault:
            # The answer may be lost and the manifest be there; then the run must stay.
            named = _names(store, manifest, run)
            published = named is not False
            if named is not True or not isinstance(fault, BiostarError):
                raise
        at("published")
    except BaseException:
        if not published:
            _undo(engine, entry, store, folder, clock())
        raise
    rows, size = sum(file.rows for file in files), sum(file.size for file in files)
    end_entry(engine, entry, "published", clock(), rows=rows, size=size, files=len(files), manifest=place)
    at("ended")
    return Unloaded(
        subject.name,
        run,
        place,
        len(files),
        rows,
        size,
        tuple(column.name for column in columns),
        personal_columns(columns),
        time.monotonic() - began,
        tuple(_clean(store, run, before) if folder == run else ()),
    )


def now() -> datetime.datetime:
    """The time in UTC, without zone."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def new_run(moment: datetime.datetime) -> str:
    """A name for a run's folder that no other run has, whatever the clock does."""
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}"


def _prepare(engine: Engine, subject: Subject, options: Options) -> tuple[str, tuple[OutColumn, ...]]:
    """The FROM clause to read, and the columns that go out."""
    phi = dict(subject.phi)
    if subject.query:
        # Redshift folds names to lower case, so they are lower case everywhere.
        kept = engine.keep_query(subject.query)
        columns = tuple(
            OutColumn(name.lower(), kind, phi.get(name.lower(), "unknown"), "" if name == name.lower() else name)
            for name, kind in kept.items()
        )
        check_columns(columns, options)
        return QUERY_TABLE, columns
    found = engine.columns(subject.schema, subject.table)
    if not found:
        raise UsageError(
            f"'{subject.schema}.{subject.table}' is not in {engine.name}",
            undone="nothing was unloaded",
            next_step="biostar build" if "." not in subject.name else "biostar load",
        )
    declared, renamed = dict(subject.declared), dict(subject.renamed)
    for name in subject.columns or ():
        if name not in found:
            raise UsageError(f"'{subject.name}' has no column '{name}'", next_step="biostar raw create")
    columns = tuple(
        OutColumn(
            renamed.get(name, name),
            _with_width(found[name], declared.get(name)),
            phi.get(name, "unknown"),
            name if name in renamed else "",
        )
        for name in (subject.columns or tuple(found))
    )
    check_columns(columns, options)
    source = quote_identifier(subject.schema, subject.table)
    return (f"{source} where {subject.where}" if subject.where else source), columns


def _with_width(kind: ColumnType, declared: str | None) -> ColumnType:
    """The type with the width that the contract declares, where the engine keeps none."""
    if kind.family != "text" or kind.width is not None or declared is None:
        return kind
    known = redshift_type(declared)
    return replace(kind, width=known.width) if known.family == "text" else kind


def _check_place(store: Store, columns: Sequence[OutColumn], options: Options) -> None:
    names = {column.name for column in columns}
    for part in store.uri.split("/"):
        name, sign, _ = part.partition("=")
        if sign and name in names:
            raise UsageError(
                f"the folder '{part}' in --to would be read as the value of the column '{name}'",
                next_step="choose another --to",
            )


def _write_and_verify(
    engine: Engine,
    source: str,
    columns: Sequence[OutColumn],
    options: Options,
    store: Store,
    folder: str,
    at: Callable[[str], None],
) -> list[DataFile]:
    row = engine.query(f"select {measures(engine.texts, columns, options.format, options.partition_by)} from {source}")
    expected = read_measure(row[0])
    alone = [at for at, column in enumerate(columns) if column.name not in options.partition_by]
    if options.format == "csv" and len(alone) == 1 and expected.values[alone[0]] < expected.rows:
        raise DataError(
            f"'{columns[alone[0]].name}' is the one column of the files and has nulls, which CSV writes as blank lines:"
            " readers take those for nothing",
            undone="nothing is published",
            next_step="unload as Parquet, or another column with it",
        )
    said = engine.write(source, columns, options, store, folder)
    engine.rollback()  # Nothing was changed; to read the files back may take long, and must hold no lock meanwhile.
    at("written")
    sizes = dict(store.files(folder))
    for key in sizes:
        if len(f"{store.uri}/{key}".partition("://")[2].partition("/")[2].encode()) > LONGEST_KEY:
            raise UsageError(
                f"a key under '{store.uri}' has more than {LONGEST_KEY:,} bytes", next_step="choose a shorter --to"
            )
    found = measure_files(store, list(sizes), columns, options)
    _compare_with_engine(said, sizes, found, options)
    total = sum(found.values(), Measure(0, (0,) * len(columns), (0,) * len(columns), 0))
    different = differences(columns, expected, total)
    if different:
        raise DataError(
            f"the files under '{store.address(folder)}' do not hold what was read: {'; '.join(different[:5])}",
            undone="nothing is published",
            next_step="unload as Parquet" if options.format == "csv" else "run the same command again",
        )
    at("verified")
    return [DataFile(key, store.url(key), sizes[key], found[key].rows) for key in sorted(sizes)]


def _compare_with_engine(
    said: Mapping[str, tuple[int, int]] | None,
    sizes: Mapping[str, int],
    found: Mapping[str, Measure],
    options: Options,
) -> None:
    """Hold what the engine says of each file against the files themselves."""
    if said is None:
        return
    wrong = sorted(said.keys() ^ sizes.keys())
    for key in said.keys() & sizes.keys():
        size, rows = said[key]
        # The manual has UNLOAD count a header line as a row.
        header = rows - found[key].rows in (_HEADER_LINE if options.format == "csv" else (0,))
        if size != sizes[key] or not header:
            wrong.append(key)
    if wrong:
        raise DataError(
            f"what UNLOAD says of {len(wrong)} files differs from the files: {', '.join(wrong[:5])}",
            undone="nothing is published",
            next_step="run the same command again",
        )


def _names(store: Store, manifest: str, run: str) -> bool | None:
    """Whether the manifest names the run; None where nobody can tell."""
    try:
        there = read_published(store.read(manifest), store.uri)
    except BiostarError:
        return None
    return there is not None and there.run == run


def _undo(engine: Engine, entry: Entry, store: Store, folder: str, moment: datetime.datetime) -> None:
    """Remove what a failed run wrote, and say in the ledger that it failed; what cannot be done now is left."""
    with contextlib.suppress(BiostarError):
        store.remove(folder)
    with contextlib.suppress(BiostarError):
        engine.rollback()
        end_entry(engine, entry, "failed", moment)


def _clean(store: Store, run: str, before: Published | None) -> list[str]:
    """Remove the run before the previous one, and name the folders that no manifest names.

    Those are of runs that were killed, or that are still under way: nobody but a person can tell.
    """
    warnings = []
    known = {run}
    if before is not None:
        known.add(before.run)
        if before.previous:
            try:
                store.remove(before.previous)
            except BiostarError as fault:
                known.add(before.previous)
                warnings.append(f"the old run {before.previous} could not be removed: {fault.message}")
    left = [name for name in store.folders() if RUN.fullmatch(name) and name not in known]
    if left:
        warnings.append(
            f"no manifest names the runs {', '.join(left)} in '{store.uri}': they were killed or are under way;"
            " remove the folder of one that was killed"
        )
    return warnings
