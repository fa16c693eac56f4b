"""A sample must be sound data: references that hold, ledgers that balance, and the same bytes every time."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from pathlib import Path

import duckdb
import pytest
import yaml

from biostar.cli import main
from biostar.errors import DataError, UsageError, WarehouseError
from biostar.project import project_root
from biostar.sample import SampleOptions, add_day, write_sample
from biostar.sample.tables import TABLES

SHIPPED = project_root() / "sample_data" / "synthea_27"
LAST_DAY = "2024-02-07"

REFERENCES = {
    "patients": [
        ("allergies", "patient"), ("careplans", "patient"), ("claims", "patientid"),
        ("claims_transactions", "patientid"), ("claims_transactions", "patientinsuranceid"),
        ("conditions", "patient"), ("devices", "patient"), ("encounters", "patient"), ("imaging_studies", "patient"),
        ("immunizations", "patient"), ("medications", "patient"), ("observations", "patient"),
        ("payer_transitions", "patient"), ("procedures", "patient"), ("supplies", "patient"),
    ],
    "encounters": [
        ("allergies", "encounter"), ("careplans", "encounter"), ("claims", "appointmentid"),
        ("claims_transactions", "appointmentid"), ("conditions", "encounter"), ("devices", "encounter"),
        ("imaging_studies", "encounter"), ("immunizations", "encounter"), ("medications", "encounter"),
        ("observations", "encounter"), ("procedures", "encounter"), ("supplies", "encounter"),
    ],
    "claims": [("claims_transactions", "claimid")],
    "providers": [
        ("claims", "providerid"), ("claims", "supervisingproviderid"), ("claims_transactions", "providerid"),
        ("claims_transactions", "supervisingproviderid"), ("encounters", "provider"),
    ],
    "organizations": [
        ("claims_transactions", "placeofservice"), ("encounters", "organization"), ("providers", "organization"),
    ],
    "payers": [
        ("encounters", "payer"), ("medications", "payer"), ("payer_transitions", "payer"),
        ("payer_transitions", "secondary_payer"),
    ],
}  # fmt: skip


def read_rows(path: Path) -> list[tuple[str, ...]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as lines:
        return [tuple(row) for row in csv.reader(lines)]


def read_table(landing: Path, table: str) -> list[tuple[str, ...]]:
    """Header and rows of a table, over all its drops and files."""
    files = sorted((landing / "ehr" / table).glob("*/*"))
    parts = [read_rows(path) for path in files]
    return [parts[0][0], *(row for part in parts for row in part[1:])]


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def warehouse(landing: Path) -> duckdb.DuckDBPyConnection:
    """The files of a sample as tables of text, for questions in SQL."""
    connection = duckdb.connect(config={"threads": 1})
    for table in TABLES:
        connection.execute(
            f"create table {table.name} as select *, cast(regexp_extract(filename, 'ingest_date=([0-9-]+)', 1) as date)"
            f" as ingest_date from read_csv('{landing}/ehr/{table.name}/*/*.csv*', all_varchar = true, header = true,"
            " filename = true, hive_partitioning = false)"
        )
    return connection


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    landing = tmp_path_factory.mktemp("plain")
    write_sample(SampleOptions(150), landing)
    return landing


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Path:
    landing = tmp_path_factory.mktemp("daily")
    write_sample(SampleOptions(150, days=6), landing)
    return landing


def test_the_shipped_patients_are_laid_as_they_are(tmp_path: Path) -> None:
    result = write_sample(SampleOptions(27), tmp_path)
    for table in TABLES:
        shipped = read_rows(SHIPPED / f"{table.name}.csv.gz")
        laid = read_table(tmp_path, table.name)
        assert laid[0] == shipped[0]
        assert sorted(laid[1:]) == sorted(shipped[1:])
        assert result.rows[table.name] == len(shipped) - 1
    assert len(list(tmp_path.glob("ehr/*/ingest_date=2024-02-08/*-000.csv"))) == 18


def test_the_first_27_of_any_sample_are_the_shipped_ones(plain: Path) -> None:
    for table in TABLES:
        if table.entity == "patient":
            shipped = set(read_rows(SHIPPED / f"{table.name}.csv.gz")[1:])
            assert shipped <= set(read_table(plain, table.name)[1:]), table.name


def test_every_reference_resolves(plain: Path) -> None:
    connection = warehouse(plain)
    for parent, children in REFERENCES.items():
        for table, column in children:
            # '0' stands for no insurance in claims, which is not checked here
            row = connection.execute(
                f"select count({column}), count(case when not exists (select 1 from {parent} as parent"
                f" where parent.id = child.{column}) then {column} end) from {table} as child"
            ).fetchone()
            assert row is not None
            assert row[1] == 0, f"{table}.{column}: {row[1]} of {row[0]} refer to nothing"
            assert row[0] > 0, f"{table}.{column}: nothing to check"


def test_ids_are_unique_and_shaped_as_the_real_ones(plain: Path) -> None:
    connection = warehouse(plain)
    for table in ("patients", "encounters", "claims", "claims_transactions", "careplans", "organizations", "providers"):
        row = connection.execute(
            f"select count(*), count(distinct id), count(case when regexp_full_match(id,"
            f" '[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}') then 1 end) from {table}"
        ).fetchone()
        assert row is not None and row[0] == row[1] == row[2]
    assert connection.execute("select count(distinct ssn) from patients").fetchone() == (150,)
    assert connection.execute("select count(*) - count(distinct chargeid) from claims_transactions").fetchone() == (0,)


LEDGER = """
with lines as (
    select
        *,
        cast(chargeid as integer) as number,
        count(case when type = 'CHARGE' then 1 end) over (
            partition by claimid order by cast(chargeid as integer) rows unbounded preceding
        ) as line
    from claims_transactions
)
select
    claimid, line,
    sum(case when type = 'CHARGE' then cast(amount as decimal(18, 2)) end) as charged,
    sum(cast(payments as decimal(18, 2))) as paid,
    sum(case when type = 'TRANSFEROUT' then cast(transfers as decimal(18, 2)) end) as moved_out,
    sum(case when type = 'TRANSFERIN' then cast(transfers as decimal(18, 2)) end) as moved_in,
    min(cast(payments as decimal(18, 2))) as least_paid,
    count(case when type = 'CHARGE' and unitamount <> amount then 1 end) as odd_units
from lines
group by claimid, line
"""


def test_ledgers_balance_as_the_real_ones_do(plain: Path) -> None:
    connection = warehouse(plain)
    row = connection.execute(
        f"""
        select
            count(*),
            count(case when coalesce(paid, 0) < charged and status1 = 'CLOSED' then 1 end),
            count(case when coalesce(paid, 0) = charged then 1 end) / count(*),
            count(case when moved_out <> moved_in then 1 end),
            count(case when least_paid < 0 then 1 end),
            sum(odd_units),
            count(case when status1 = 'BILLED' and paid is not null and outstanding1 <> '0.00' then 1 end)
        from ({LEDGER}) as lines inner join claims on claims.id = lines.claimid
        """
    ).fetchone()
    assert row is not None
    lines, underpaid, settled_share, unequal_transfers, negative, odd_units, paid_but_open = row
    assert lines > 8000
    assert underpaid == 0  # in the real data no closed line is: 1,355 of 1,545 are settled, the others overpaid
    assert 0.85 < settled_share < 0.91
    assert (unequal_transfers, negative, odd_units, paid_but_open) == (0, 0, 0, 0)


def test_prices_vary_and_their_identities_hold(plain: Path) -> None:
    connection = warehouse(plain)
    assert connection.execute(
        "select count(case when cast(base_cost as decimal(18, 2)) * cast(dispenses as integer)"
        " <> cast(totalcost as decimal(18, 2)) then 1 end) from medications"
    ).fetchone() == (0,)
    covered = connection.execute(
        "select count(case when cast(payer_coverage as decimal(18, 2)) > cast(total_claim_cost as decimal(18, 2))"
        " then 1 end), count(distinct base_encounter_cost) from encounters"
    ).fetchone()
    assert covered is not None
    assert covered[0] == 0
    assert covered[1] > 20  # two prices in the real data, times the price levels of the clones
    # The total of an encounter is the sum of its parts as often as it is for the real patients (199 of 604).
    share = connection.execute(
        """
        with parts as (
            select id, cast(base_encounter_cost as decimal(18, 2)) as cost from encounters
            union all select encounter, cast(base_cost as decimal(18, 2)) from procedures
            union all select encounter, cast(base_cost as decimal(18, 2)) from immunizations
        ), sums as (select id, sum(cost) as cost from parts group by id)
        select avg(case when cost = cast(total_claim_cost as decimal(18, 2)) then 1.0 else 0 end)
        from encounters inner join sums on sums.id = encounters.id
        """
    ).fetchone()
    assert share is not None
    assert abs(share[0] - 199 / 604) < 0.02


def test_nothing_is_known_that_has_not_happened(daily: Path) -> None:
    connection = warehouse(daily)
    for table in TABLES:
        for column in (table.event, table.stop):
            if column and table.entity == "patient":
                row = connection.execute(
                    f"select count(*) from {table.name} where cast(left({column}, 10) as date) >= ingest_date"
                ).fetchone()
                assert row == (0,), f"{table.name}.{column}"


def test_dates_keep_their_order_within_a_patient(plain: Path) -> None:
    connection = warehouse(plain)
    for table, first, second in (
        ("encounters", "start", "stop"), ("medications", "start", "stop"), ("conditions", "start", "stop"),
        ("careplans", "start", "stop"), ("payer_transitions", "start_year", "end_year"),
    ):  # fmt: skip
        assert connection.execute(f"select count(*) from {table} where {second} < {first}").fetchone() == (0,)
    row = connection.execute(
        "select count(*) from patients, encounters where encounters.patient = patients.id and birthdate > start"
    ).fetchone()
    assert row == (0,)


def test_what_grows_in_life_grows_less_than_the_patients(plain: Path) -> None:
    connection = warehouse(plain)
    organizations, providers, payers = (
        connection.execute(f"select count(*) from {table}").fetchone()
        for table in ("organizations", "providers", "payers")
    )
    assert (organizations, providers, payers) == ((3 * 63,), (3 * 166,), (10,))  # the root of 150 / 27, rounded up
    names = connection.execute(
        "select count(distinct first), count(distinct last), count(distinct address), max(n) from patients,"
        " (select max(n) as n from (select count(*) as n from patients group by last))"
    ).fetchone()
    assert names is not None
    first, last, addresses, most_frequent = names
    assert 60 < first < 150 and 60 < last < 150 and addresses == 150
    assert most_frequent > 1


def test_the_last_state_does_not_depend_on_the_number_of_drops(plain: Path, daily: Path) -> None:
    whole, drops = warehouse(plain), warehouse(daily)
    for table in TABLES:
        key = ", ".join(f'"{column}"' for column in table.natural_key or ("id",))
        newest = (
            f"select * exclude (filename, ingest_date) from {table.name}"
            f" qualify ingest_date = max(ingest_date) over (partition by {key})"
        )
        assert sorted(map(str, whole.execute(newest).fetchall())) == sorted(map(str, drops.execute(newest).fetchall()))
    changed = drops.execute("select count(*) - count(distinct id) from patients").fetchone()
    claims = drops.execute("select count(*) - count(distinct id) from claims").fetchone()
    assert changed is not None and changed[0] > 0  # somebody moved
    assert claims is not None and claims[0] > 0  # a claim was closed in a later drop


def test_a_claim_is_open_with_its_charges_until_it_is_settled(daily: Path) -> None:
    row = (
        warehouse(daily)
        .execute(
            """
        select count(*), count(case when charged <> cast(outstanding1 as decimal(18, 2))
            + cast(outstandingp as decimal(18, 2)) then 1 end)
        from claims
        inner join (
            select claimid, sum(cast(amount as decimal(18, 2))) as charged
            from claims_transactions where type = 'CHARGE' group by claimid
        ) as charges on charges.claimid = claims.id
        where status1 = 'BILLED' and claims.ingest_date > date '2024-02-03'
            and claims.id not in (select id from read_csv(?, all_varchar = true, header = true))
        """,
            [str(SHIPPED / "claims.csv.gz")],
        )
        .fetchone()
    )
    assert row is not None and row[0] > 0 and row[1] == 0


def test_the_same_options_give_the_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    options = SampleOptions(40, days=2, seed=7, format="gzip", defects=0.01)
    folders = [tmp_path / "one", tmp_path / "four"]
    for folder, threads in zip(folders, (1, 4), strict=True):
        write_sample(options, folder, threads=threads)
    assert fingerprint(folders[0]) == fingerprint(folders[1])


def test_another_seed_gives_other_clones_of_the_same_patients(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_sample(SampleOptions(29, seed=seed), tmp_path / str(seed))
    one, two = (set(read_table(tmp_path / str(seed), "patients")[1:]) for seed in (1, 2))
    assert len(one & two) == 27


def test_the_newest_header_is_declared(tmp_path: Path) -> None:
    write_sample(SampleOptions(30, header="newest", format="gzip"), tmp_path)
    declared = yaml.safe_load((project_root() / "models/staging/ehr/_ehr__sources.yml").read_text())["sources"][0]
    for table in declared["tables"]:
        known = {
            name
            for column in table["columns"]
            for name in (column["name"], *column.get("config", {}).get("meta", {}).get("aliases", []))
        }
        assert {name.lower() for name in read_table(tmp_path, table["name"])[0]} <= known, table["name"]
    patients = read_table(tmp_path, "patients")
    fips = [row[patients[0].index("FIPS")] for row in patients[1:]]
    assert patients[0].index("MIDDLE") == patients[0].index("FIRST") + 1
    assert all(len(code) == 5 and code.startswith("25") for code in fips)
    assert "START_DATE" in read_table(tmp_path, "payer_transitions")[0]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="is not empty"):
        write_sample(SampleOptions(1), tmp_path)
    with pytest.raises(UsageError, match="was not made by biostar sample"):
        write_sample(SampleOptions(1), tmp_path, replace_existing=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_replace_removes_the_old_sample_only(tmp_path: Path) -> None:
    write_sample(SampleOptions(3, days=2), tmp_path)
    (tmp_path / "mine.txt").write_text("keep")
    write_sample(SampleOptions(2), tmp_path, replace_existing=True)
    assert (tmp_path / "mine.txt").read_text() == "keep"
    assert len(read_table(tmp_path, "patients")) == 3
    assert not list(tmp_path.glob("ehr/*/ingest_date=2024-02-07"))


def test_a_run_that_was_killed_is_begun_anew_with_replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("biostar.sample.run.compress", full)
    with pytest.raises(WarehouseError, match="No space left on device"):
        write_sample(SampleOptions(2, format="gzip"), tmp_path)
    monkeypatch.undo()
    with pytest.raises(DataError, match="was not finished"):
        add_day(tmp_path)
    with pytest.raises(UsageError, match="is not empty"):
        write_sample(SampleOptions(2), tmp_path)
    write_sample(SampleOptions(2), tmp_path, replace_existing=True)
    assert len(read_table(tmp_path, "patients")) == 3


def test_a_file_is_no_landing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep")
    with pytest.raises(UsageError, match="is not a folder"):
        write_sample(SampleOptions(1), tmp_path / "file")


@pytest.mark.parametrize(
    "options",
    [
        SampleOptions(0), SampleOptions(10, days=0), SampleOptions(10, days=61), SampleOptions(10, defects=-0.1),
        SampleOptions(10, defects=0.5), SampleOptions(10, format="zip"), SampleOptions(10, header="2.7"),
    ],
)  # fmt: skip
def test_options_out_of_range_write_nothing(options: SampleOptions, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="allowed"):
        write_sample(options, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_day_is_added_to_a_finished_sample_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no answer_key\.json"):
        add_day(tmp_path)
    (tmp_path / "answer_key.json").write_text('{"complete": false}')
    with pytest.raises(DataError, match="was not finished"):
        add_day(tmp_path)
    (tmp_path / "answer_key.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        add_day(tmp_path)


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    landing = tmp_path / "landing"
    assert main(["sample", "--patients", "3", "--to", str(landing), "--json"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert document["tables"]["patients"] == 3
    assert document["rows"] == sum(document["tables"].values())
    assert document["bytes"] == sum(path.stat().st_size for path in landing.glob("ehr/*/*/*"))
    assert "next: biostar load --landing" in shown.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "s3://bucket/landing"], "aws s3 sync"),
        (["--next-day", "--patients", "5"], "--patients means nothing with --next-day"),
        (["--new", "0.5"], "--new means nothing without --next-day"),
        (["--patients", "many"], "'many' is not a valid integer"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BIOSTAR_LANDING", str(tmp_path / "landing"))
    assert main(["sample", *arguments]) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "landing").exists()
