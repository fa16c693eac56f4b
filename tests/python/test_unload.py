"""biostar unload to a folder: what readers see at every moment, what is refused, and what a name may do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from biostar.contracts import read_sources
from biostar.errors import DataError, UsageError, WarehouseError
from biostar.unload import Options, Subject, Unloaded, open_engine, subjects, unload
from biostar.unload.ledger import ledger_table
from biostar.unload.lineage import phi_of_query
from biostar.unload.phi import names_in_models, phi_of_node
from biostar.unload.readback import literal_path
from biostar.unload.request import read_size
from biostar.unload.run import STEPS
from biostar.unload.store import FolderStore, open_store, split_uri
from conftest import PROJECT, SAMPLE, Lab

PAYERS = SAMPLE / "payers.csv.gz"
ROWS = 10


def manifest_of_yaml() -> dict[str, Any]:
    """What dbt's manifest says of every model, read from their YAML: dbt takes eight seconds to say it."""
    nodes = {}
    for file in sorted((PROJECT / "models").rglob("*.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models") or []:
            columns = {column["name"]: column for column in model.get("columns") or []}
            schema = file.parent.name if "marts" in file.parts else "staging"
            nodes[model["name"]] = {
                "name": model["name"],
                "schema": schema,
                "alias": model["name"],
                "resource_type": "model",
                "config": {},
                "columns": columns,
            }
    return {"nodes": nodes}


MANIFEST = manifest_of_yaml()


@pytest.fixture
def loaded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The payers of the sample in raw_ehr, and dbt's manifest without dbt."""
    path = lab.landing / "ehr" / "payers" / "ingest_date=2024-02-08" / "payers.csv.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(PAYERS.read_bytes())
    assert lab.load("--tables", "payers").code == 0
    monkeypatch.setattr(subjects, "read_manifest", lambda select=(): (MANIFEST, frozenset(MANIFEST["nodes"])))
    return lab


def published(to: Path) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """The manifest of a folder and the rows of all files that it lists."""
    manifest = json.loads((to / "manifest.json").read_text())
    files = [str(to / entry["url"]) for entry in manifest["entries"]]
    for path, entry in zip(files, manifest["entries"], strict=True):
        assert Path(path).stat().st_size == entry["meta"]["content_length"]
    parquet = files[0].endswith(".parquet")
    reader = "read_parquet([?])" if parquet else "read_csv([?], compression = 'gzip', header = true)"
    with duckdb.connect() as connection:
        return manifest, sorted(
            (
                row
                for file in files
                for row in connection.execute(f"select * from {reader}", [literal_path(file)]).fetchall()
            ),
            key=repr,
        )


def run(lab: Lab, to: Path, step: str = "", fault: type[BaseException] = WarehouseError, **more: Any) -> Unloaded:
    """Unload the payers, and raise after a step."""

    def at(name: str) -> None:
        if name == step:
            raise fault("a fault of the test")

    sources = read_sources(PROJECT)
    subject = subjects.raw_subject("raw_ehr.payers", sources)
    assert subject is not None
    with closing(open_engine("duckdb", lab.database)) as engine:
        return unload(engine, subject, Options(str(to), **more), ledger_table(sources), at=at)


def ledger(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.query("select status, row_count, reason from raw_meta.unload_ledger order by started_at, unload_id")


def test_the_command_writes_parquet_and_csv_with_a_manifest_and_a_row_in_the_ledger(
    loaded: Lab, tmp_path: Path
) -> None:
    for number, (file_format, end) in enumerate((("parquet", ".parquet"), ("csv", ".csv.gz"))):
        to = tmp_path / file_format
        outcome = loaded.run("unload", "raw_ehr.payers", "--to", str(to), "--format", file_format)
        (told,) = outcome.document["unloads"]
        assert (outcome.code, told["rows"], told["phi_columns"]) == (0, ROWS, [])
        manifest, rows = published(to)
        assert manifest["meta"]["record_count"] == len(rows) == ROWS
        assert [entry["url"].endswith(end) for entry in manifest["entries"]] == [True]
        names = [element["name"] for element in manifest["schema"]["elements"]]
        assert names[:2] == ["id", "name"]
        assert manifest["schema"]["elements"][0]["type"] == {"base": "character varying", "max_length": 64}
        assert ledger(loaded) == [("published", ROWS, None)] * (number + 1)


def test_readers_of_the_manifest_see_the_old_run_until_the_new_one_is_whole(loaded: Lab, tmp_path: Path) -> None:
    to = tmp_path / "out"
    first = run(loaded, to)
    before = published(to)
    for step in STEPS[: STEPS.index("published")]:
        for fault in (WarehouseError, KeyboardInterrupt):
            with pytest.raises(fault):
                run(loaded, to, step, fault, replace=True)
            if step != "recorded":
                assert published(to) == before, step
                assert [path.name for path in to.iterdir() if path.is_dir()] == [first.run], step
    assert {row[0] for row in ledger(loaded)[1:]} <= {"failed", "started"}
    # After the manifest is there the run stays, whatever happens.
    with pytest.raises(WarehouseError):
        run(loaded, to, "published", replace=True)
    manifest, rows = published(to)
    assert manifest["biostar"]["previous_run"] == first.run
    assert rows == before[1]


def test_a_lost_answer_of_the_publication_is_looked_up(
    loaded: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, read = FolderStore.publish, FolderStore.read

    def lost(store: FolderStore, key: str, content: bytes, stamp: str) -> None:
        publish(store, key, content, stamp)
        raise WarehouseError("the answer is lost")

    monkeypatch.setattr(FolderStore, "publish", lost)
    to = tmp_path / "out"
    first = run(loaded, to)
    assert published(to)[0]["biostar"]["run"] == first.run
    assert ledger(loaded)[0][0] == "published"

    def dead(store: FolderStore, key: str) -> tuple[bytes, str] | None:
        if (to / first.run).exists() and len([path for path in to.iterdir() if path.is_dir()]) > 1:
            raise WarehouseError("the store is gone")
        return read(store, key)

    monkeypatch.setattr(FolderStore, "read", dead)
    with pytest.raises(WarehouseError, match=r"is gone|is lost"):
        run(loaded, to, replace=True)
    manifest = json.loads((to / "manifest.json").read_text())
    # Nobody could tell whether the manifest names the new run, so its files stay.
    assert all((to / entry["url"]).is_file() for entry in manifest["entries"])


def test_a_killed_run_leaves_the_old_one_and_its_own_trace(loaded: Lab, tmp_path: Path) -> None:
    to = tmp_path / "out"
    first = run(loaded, to)
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); import test_unload as t; from pathlib import Path;"
        "from types import SimpleNamespace as S; t.run(S(database=Path(sys.argv[2])), Path(sys.argv[3]), sys.argv[4],"
        " lambda words: os.kill(os.getpid(), signal.SIGKILL), replace=True)"
    )
    arguments = [str(Path(__file__).parent), str(loaded.database), str(to), "before_publish"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert published(to)[0]["biostar"]["run"] == first.run
    assert [row[0] for row in ledger(loaded)] == ["published", "started"]
    again = run(loaded, to, replace=True)
    assert published(to)[0]["biostar"]["run"] == again.run
    assert again.warnings[0].startswith("no manifest names the runs ")


def test_an_old_run_is_removed_only_when_two_newer_ones_are_there_and_strangers_stay(
    loaded: Lab, tmp_path: Path
) -> None:
    to = tmp_path / "out"
    runs = [run(loaded, to, replace=number > 0) for number in range(2)]
    (to / "mine").mkdir()
    killed = "20240101T000000Z-0123456789ab"
    (to / killed).mkdir()
    runs.append(run(loaded, to, replace=True))
    assert {path.name for path in to.iterdir() if path.is_dir()} == {runs[1].run, runs[2].run, "mine", killed}
    assert killed in runs[2].warnings[0]
    with pytest.raises(UsageError, match="published already"):
        run(loaded, to)
    (to / "manifest.json").write_text('{"entries": []}')
    with pytest.raises(DataError, match="not written by biostar unload"):
        run(loaded, to, replace=True)


def test_two_first_publications_at_one_place_do_not_overwrite_each_other(loaded: Lab, tmp_path: Path) -> None:
    to = tmp_path / "out"
    subject = subjects.raw_subject("raw_ehr.payers", read_sources(PROJECT))
    assert subject is not None
    with closing(open_engine("duckdb", loaded.database)) as engine:

        def first(step: str) -> None:
            if step == "before_publish":
                (to / "manifest.json").write_text("another's")

        with pytest.raises(WarehouseError, match="another run published"):
            unload(engine, subject, Options(str(to)), ledger_table(read_sources(PROJECT)), at=first)
    assert (to / "manifest.json").read_text() == "another's"


def test_columns_about_persons_are_refused_by_name_and_let_out_with_a_reason(loaded: Lab, tmp_path: Path) -> None:
    to = tmp_path / "out"
    refused = loaded.run("unload", "raw_ehr.patients", "--to", str(to))
    assert refused.code == 2
    for name in ("ssn (direct)", "birthdate (direct)", "zip (quasi)"):
        assert name in refused.document["message"]
    assert not to.exists()
    assert loaded.run("unload", "raw_ehr.patients", "--to", str(to), "--allow-phi").code == 2
    assert loaded.run("unload", "raw_ehr.patients", "--to", str(to), "--reason", "no flag").code == 2
    let_out = loaded.run("unload", "raw_ehr.patients", "--to", str(to), "--allow-phi", "--reason", "study 12")
    assert let_out.code == 0
    assert ledger(loaded) == [("published", 0, "study 12")]
    assert loaded.query("select phi_columns from raw_meta.unload_ledger")[0][0].startswith("id (direct), birthdate")


def test_a_query_is_traced_to_the_declared_columns(loaded: Lab, tmp_path: Path) -> None:
    query = tmp_path / "q.sql"
    query.write_text(
        "select state_headquartered as state, count(*) as payer_count from raw_ehr.payers group by 1 -- ;\n"
    )
    command = ("unload", "--query", str(query), "--partition-by", "state")
    outcome = loaded.run(*command, "--to", str(tmp_path / "a"))
    assert (outcome.code, outcome.document["unloads"][0]["phi_columns"]) == (0, [])
    query.write_text("select upper(last) as word from raw_ehr.patients")
    refused = loaded.run("unload", "--query", str(query), "--to", str(tmp_path / "b"))
    assert "word (direct)" in refused.document["message"]
    query.write_text("select * from read_csv('/etc/passwd')")
    assert "(unknown)" in loaded.run("unload", "--query", str(query), "--to", str(tmp_path / "b")).document["message"]
    for text in ("drop table raw_ehr.payers", "select 1 as a; select 2 as a", "", "values (1)"):
        query.write_text(text)
        assert loaded.run("unload", "--query", str(query), "--to", str(tmp_path / "b")).code == 2
    assert loaded.query("select count(*) from raw_ehr.payers") == [(ROWS,)]


RELATIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("c", "visit"): {"kind": "none", "amount": "none", "patient_key": "quasi"},
    ("c", "person"): {"last_name": "direct", "patient_key": "quasi", "gender": "quasi"},
    ("c", "undeclared"): {},
}


@pytest.mark.parametrize("dialect", ["duckdb", "redshift"])
@pytest.mark.parametrize(
    ("sql", "classes"),
    [
        ("select kind, count(*) as n, sum(amount) as a from c.visit group by kind", ["none", "none", "none"]),
        ("select * from c.visit", ["none", "none", "quasi"]),
        ("select kind from c.visit where patient_key > 1 order by patient_key", ["none"]),
        ("with p as (select last_name as x from c.person) select x as y from p", ["direct"]),
        (
            "select max(p.last_name) over (partition by kind) as m from c.visit join c.person p using (patient_key)",
            ["direct"],
        ),
        ("select 'a' as k union all select last_name from c.person", ["direct"]),
        ("select (select max(last_name) from c.person) as m from c.visit", ["direct"]),
        ("select exists(select 1 from c.person p where p.last_name = 'X') as e from c.visit", ["direct"]),
        ("select case when gender = 'F' then 1 else 0 end as f from c.person", ["quasi"]),
        ("select p as whole from c.person as p", ["unknown"]),
        ("select x from c.undeclared", ["unknown"]),
        ("select x from elsewhere.t", ["unknown"]),
        ("select never_heard_of('c.person') as f", ["unknown"]),
    ],
)
def test_lineage_errs_on_the_side_of_the_person(sql: str, classes: Sequence[str], dialect: str) -> None:
    assert list(phi_of_query(sql, RELATIONS, dialect).values()) == classes


@pytest.mark.parametrize(
    "sql",
    ["select * from read_csv('x')", "select 1 +", "select x.v from c.person p, lateral (select p.last_name as v) x"],
)
def test_what_cannot_be_traced_is_left_unknown(sql: str) -> None:
    assert "none" not in phi_of_query(sql, RELATIONS, "duckdb").values()


def test_every_mart_about_persons_is_refused_and_no_other() -> None:
    elsewhere = names_in_models(MANIFEST)
    free = {
        name
        for name, node in MANIFEST["nodes"].items()
        if node["schema"] in ("core", "clinical", "claims", "measures")
        and set(phi_of_node(node, elsewhere).values()) <= {"none"}
    }
    assert free == {
        "dim_clinical_code",
        "dim_date",
        "dim_organization",
        "dim_payer",
        "dim_provider",
        "msr_pmpm",
    }
    encounter = phi_of_node(MANIFEST["nodes"]["fct_encounter"], elsewhere)
    said = {name: encounter[name] for name in ("patient_key", "started_date_key", "encounter_class", "_ingest_date")}
    assert said == {
        "patient_key": "quasi",
        "started_date_key": "quasi",
        "encounter_class": "none",
        "_ingest_date": "none",
    }


def test_the_dry_run_prints_the_statements_and_writes_nothing(loaded: Lab, tmp_path: Path) -> None:
    to = tmp_path / "it's"
    outcome = loaded.run("unload", "raw_ehr.payers", "--to", str(to), "--format", "csv", "--dry-run")
    measured, written = outcome.document["unloads"][0]["statements"]
    assert measured.startswith("select count(*)")
    assert "it''s" in written
    assert written.startswith('copy (select case when length("id") > 0')
    assert not to.exists()
    assert loaded.query("select count(*) from raw_meta.unload_ledger") == [(0,)]


@pytest.mark.parametrize("name", ["it's", 'say "x"', "ü 東京", "two\nlines", "a*b[c]?d", "-x; drop", "k=v"])
def test_a_hostile_folder_is_only_a_folder(loaded: Lab, tmp_path: Path, name: str) -> None:
    to = tmp_path / name / "x"
    run(loaded, to, format="csv", partition_by=("state_headquartered",))
    assert published(to)[0]["meta"]["record_count"] == ROWS
    run(loaded, to, replace=True)
    assert len(published(to)[1]) == ROWS


@pytest.mark.parametrize(
    "to",
    [
        "s3://lake",
        "s3://lake/",
        "s3://lake/a/../b",
        "s3://lake/a//b",
        "s3://lake/a\nb",
        "s3://lake/a?b",
        "s3://lake/a*",
        "s3://lake/a\\b",
        "s3://la'ke/a",
        "s3://lake/" + "a" * 800,
    ],
)
def test_a_hostile_prefix_is_refused_before_anything_is_asked(to: str) -> None:
    with pytest.raises(UsageError):
        split_uri(to)


def test_other_addresses_and_options_are_refused(loaded: Lab, tmp_path: Path) -> None:
    assert loaded.run("unload", "raw_ehr.payers").document["message"] == "--to is missing"
    assert loaded.run("unload", "--to", "x").code == 2
    for to in ("gs://x/y", "", "a\0b"):
        with pytest.raises(UsageError):
            open_store(to)
    for size in ("4MB", "7GB", "many", "-5MB"):
        with pytest.raises(UsageError):
            read_size(size)
    assert read_size("6.2 gb") == int(6.2 * 1024 * (1 << 20))
    for more in (
        {"partition_by": ("nothing",)},
        {"partition_by": ("id", "id")},
        {"format": "csv", "compression": "snappy"},
    ):
        with pytest.raises(UsageError):
            run(loaded, tmp_path / "x", **more)
    with pytest.raises(UsageError, match="would be read as the value of the column 'name'"):
        run(loaded, tmp_path / "name=x", partition_by=("name",))
    hostile = [
        'select 1 as "a\'b"',
        'select 1 as "two\nlines"',
        "select [1] as a",
        "select interval 1 day as a",
    ]
    with closing(open_engine("duckdb", loaded.database)) as engine:
        for sql in hostile:
            with pytest.raises(UsageError):
                unload(
                    engine,
                    Subject("query", query=sql),
                    Options(str(tmp_path / "x"), reason="r"),
                    ledger_table(read_sources(PROJECT)),
                )
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_what_is_unloaded_loads_again_into_an_equal_table(
    loaded: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    home = tmp_path / "again"
    command = (
        "unload",
        "raw_ehr.payers",
        "--to",
        str(home / "ehr" / "payers"),
        "--format",
        file_format,
        "--as-landing",
    )
    for more in ((), ("--replace",)):  # the run before stays in the folder, and only the manifest's is loaded
        assert loaded.run(*command, *more).code == 0
    project = tmp_path / "project"
    for name in (
        "dbt_project.yml",
        *(str(path.relative_to(PROJECT)) for path in PROJECT.glob("models/staging/*/_*.yml")),
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text((PROJECT / name).read_text(encoding="utf-8"), encoding="utf-8")
    declared = project / "models/staging/ehr/_ehr__sources.yml"
    text = declared.read_text(encoding="utf-8")
    declared.write_text(
        text.replace("landing: ehr", f"landing: ehr\n        layout: hive\n        format: {file_format}")
    )
    monkeypatch.setenv("DBT_PROJECT_DIR", str(project))
    monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(tmp_path / "again.duckdb"))
    outcome = loaded.run("load", "--landing", str(home), "--tables", "payers")
    assert (outcome.code, [batch["rows_loaded"] for batch in outcome.document["batches"]]) == (0, [ROWS]), outcome.words
    sql = "select * exclude (_load_id, _loaded_at) from raw_ehr.payers order by all"
    with duckdb.connect(str(tmp_path / "again.duckdb"), read_only=True) as connection:
        assert connection.execute(sql).fetchall() == loaded.query(sql)


def test_a_null_alone_on_a_line_of_csv_is_noticed(loaded: Lab, tmp_path: Path) -> None:
    subject = Subject(
        "query", query="select case when i < 2 then 'x' end as a from range(3) as t (i)", phi=(("a", "none"),)
    )
    with closing(open_engine("duckdb", loaded.database)) as engine:
        table = ledger_table(read_sources(PROJECT))
        with pytest.raises(DataError, match="blank lines"):
            unload(engine, subject, Options(str(tmp_path / "x"), "csv"), table)
        assert unload(engine, subject, Options(str(tmp_path / "x")), table).rows == 3
