"""The real dbt-redshift on the stand-in: each materialization, built, built again after a change, and catalogued."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redshift_connector
from dbt.cli.main import dbtRunner, dbtRunnerResult

from biostar.standin import StandIn

FILES = {
    "dbt_project.yml": """
name: mini
version: "1.0"
profile: mini
flags: {send_anonymous_usage_stats: false}
models: {mini: {+persist_docs: {relation: true, columns: true}}}
snapshots: {+schema: snaps}
""",
    "seeds/people.csv": """id,name,at
1,ann,2024-01-01 00:00:00
2,bob,2024-01-02 00:00:00
3,cy,2024-01-03 00:00:00
""",
    "models/models.yml": """
sources:
  - name: mini
    schema: mini
    tables: [{name: people, config: {loaded_at_field: at, freshness: {warn_after: {count: 1, period: day}}}}]
seeds:
  - {name: people, config: {event_time: at, column_types: {name: varchar(20)}}}
models:
  - name: contracted
    description: One row per person, with a quote ' in its text.
    config: {contract: {enforced: true}}
    constraints: [{type: primary_key, columns: [id], warn_unenforced: false}]
    columns:
      - {name: id, data_type: integer, constraints: [{type: not_null}], description: its key}
      - {name: name, data_type: varchar(20)}
      - {name: total, data_type: "numeric(12, 2)"}
  - name: child
    config: {contract: {enforced: true}}
    columns:
      - name: id
        data_type: integer
        constraints: [{type: foreign_key, to: ref('contracted'), to_columns: [id], warn_unenforced: false}]
unit_tests:
  - name: a_total_is_one_and_a_half_times_the_id_and_this_name_is_longer_than_63_bytes
    model: contracted
    given: [{input: ref('current_people'), rows: [{id: 3, name: a}, {id: 2, name: b}]}]
    expect: {rows: [{id: 3, total: 4.50}, {id: 2, total: 3.00}]}
""",
    "models/current_people.sql": """{{ config(materialized='view', bind=false) }}
select id, name, at from {{ ref('people') }}
{% if CHANGED %} where id <> 3 union all select 4, 'dee', timestamp '2024-01-04' {% endif %}""",
    "models/contracted.sql": """
{{ config(materialized='table', dist='id', sort=['id', 'name'],
          grants={'select': ['dbt_other'] if CHANGED else ['dbt_reader']}) }}
select id, name, cast(id * 1.5 as numeric(12, 2)) as total from {{ ref('current_people') }}""",
    "models/child.sql": "{{ config(materialized='table') }} select id from {{ ref('contracted') }}",
    "models/merged.sql": """
{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge',
          on_schema_change='append_new_columns') }}
select id, {% if CHANGED %} upper(name) as name, 9 as extra {% else %} name {% endif %}
from {{ ref('current_people') }}""",
    "models/replaced.sql": """
{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert',
          on_schema_change='sync_all_columns', dist='even') }}
select id, {% if CHANGED %} cast('x' as varchar(30)) as other {% else %} name {% endif %}
from {{ ref('current_people') }}""",
    "models/appended.sql": """
{{ config(materialized='incremental', incremental_strategy='append') }} select id from {{ ref('current_people') }}""",
    "models/batched.sql": """
{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at', batch_size='day',
          begin='2024-01-01', lookback=0) }}
select id, at from {{ ref('people') }}""",
    "models/kept.sql": """
{{ config(materialized='materialized_view', dist='id', sort=['name'] if CHANGED else ['id'],
          auto_refresh=CHANGED) }}
select id, name from {{ ref('people') }}""",
    "snapshots/timed.sql": """{% snapshot timed %}
{{ config(strategy='timestamp', unique_key='id', updated_at='at', hard_deletes='new_record') }}
select id, name, case when id = 1 and CHANGED then timestamp '2024-02-01' else at end as at
from {{ ref('current_people') }}
{% endsnapshot %}""",
    "snapshots/history.sql": """{% snapshot history %}
{{ config(strategy='check', unique_key='id', check_cols=['name'], hard_deletes='invalidate') }}
select id, {% if CHANGED %} case when id = 1 then 'ANN' else name end as name {% else %} name {% endif %}
from {{ ref('current_people') }}
{% endsnapshot %}""",
}


class Project:
    """A small project and a session to look at what it made."""

    def __init__(self, folder: Path, standin: StandIn) -> None:
        self.folder = folder
        self.write(changed=False)
        settings = standin.settings
        target = {"type": "redshift", "method": "database", "host": settings.host, "port": settings.port}
        target |= {"dbname": settings.database, "user": settings.user, "password": settings.password}
        target |= {"schema": "mini", "threads": 4, "sslmode": "disable"}
        outputs = {"catalog": target, "show": {**target, "datasharing": True}}
        (folder / "profiles.yml").write_text(json.dumps({"mini": {"target": "catalog", "outputs": outputs}}))
        self.session = redshift_connector.connect(**standin.connection)
        self.session.autocommit = True

    def write(self, *, changed: bool) -> None:
        """Write the project; dbt parses again only the files that differ."""
        for name, text in FILES.items():
            path, text = self.folder / name, text.replace("CHANGED", str(changed))
            path.parent.mkdir(exist_ok=True)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    def dbt(self, *arguments: str, target: str = "catalog") -> dbtRunnerResult:
        """Run dbt in this process."""
        place = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder), "--target", target]
        place += ["--log-path", str(self.folder / "logs"), "--quiet"]
        return dbtRunner().invoke([*arguments, *place])

    def build(self, *extra: str, target: str = "catalog") -> None:
        """Build everything and let nothing fail."""
        span = ["--event-time-start", "2024-01-01", "--event-time-end", "2024-01-05"]
        result = self.dbt("build", *span, *extra, target=target)
        threads = 1 if "1" in extra else 4
        assert len({r.thread_id for r in result.result}) == threads
        bad = [(r.node.name, r.message) for r in result.result if r.status not in ("success", "pass")]
        assert result.success, bad
        assert bad == []

    def rows(self, sql: str) -> list[list[Any]]:
        """What a query returns."""
        cursor = self.session.cursor()
        cursor.execute(sql)
        return [list(row) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def project(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("mini"), standin)
    for name in ("dbt_reader", "dbt_other"):
        made.session.cursor().execute(f"create user {name} password 'Abcd1234'")
    made.build()
    yield made
    made.session.close()


def test_the_design_that_dbt_sent_is_shown(project: Project) -> None:
    design = project.rows(
        'select "table", diststyle, sortkey1, sortkey_num from svv_table_info where "schema" = \'mini\''
        " and \"table\" in ('contracted', 'replaced', 'kept', 'child') order by 1"
    )
    assert design == [
        ["child", "AUTO(ALL)", "AUTO(SORTKEY)", 0],
        ["contracted", "KEY(id)", "id", 2],
        ["kept", "KEY(id)", "id", 1],
        ["replaced", "EVEN", "AUTO(SORTKEY)", 0],
    ]
    keys = project.rows(
        "select table_name, constraint_type, column_names, coalesce(other_table, '') from standin.table_constraints"
        " where table_schema = 'mini' order by 1"
    )
    assert keys == [["child", "FOREIGN KEY", "id", "contracted"], ["contracted", "PRIMARY KEY", "id", ""]]
    remarks = project.rows(
        "select remarks from svv_redshift_columns where schema_name = 'mini' and table_name = 'contracted'"
        " and column_name = 'id'"
    )
    assert remarks == [["its key"]]


def check_catalog(project: Project, target: str) -> None:
    assert project.dbt("docs", "generate", "--no-compile", target=target).success
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text())
    assert catalog["errors"] is None
    nodes = {key.rpartition(".")[2]: value for key, value in catalog["nodes"].items()}
    assert sorted(nodes) == sorted(
        [
            "appended",
            "batched",
            "child",
            "contracted",
            "current_people",
            "history",
            "kept",
            "merged",
            "people",
            "replaced",
            "timed",
        ]
    )
    assert nodes["current_people"]["metadata"]["type"] == "LATE BINDING VIEW"
    assert nodes["kept"]["metadata"]["type"] == "MATERIALIZED VIEW"
    assert nodes["contracted"]["metadata"]["type"] == "BASE TABLE"
    assert nodes["contracted"]["columns"]["total"]["type"] == "numeric(12,2)"
    assert nodes["contracted"]["metadata"]["comment"] == "One row per person, with a quote ' in its text."


def test_the_catalog_is_complete(project: Project) -> None:
    check_catalog(project, "catalog")


def test_a_changed_project_is_built_again_as_each_materialization_says(project: Project) -> None:
    """With one thread this time; the first build had four."""
    project.write(changed=True)
    project.build("--threads", "1")
    assert project.rows("select id, name, dbt_valid_to is null from mini_snaps.history order by 1, 3") == [
        [1, "ann", False],
        [1, "ANN", True],
        [2, "bob", True],
        [3, "cy", False],
        [4, "dee", True],
    ]
    assert project.rows(
        "select id, dbt_valid_to is null, dbt_is_deleted from mini_snaps.timed order by id, dbt_valid_from, 3"
    ) == [
        [1, False, "False"],
        [1, True, "False"],
        [2, True, "False"],
        [3, False, "False"],
        [3, True, "True"],
        [4, True, "False"],
    ]
    assert project.rows("select * from mini.merged order by 1") == [
        [1, "ANN", 9],
        [2, "BOB", 9],
        [3, "cy", None],
        [4, "DEE", 9],
    ]
    assert project.rows("select * from mini.replaced order by 1") == [[1, "x"], [2, "x"], [3, None], [4, "x"]]
    assert project.rows("select count(*) from mini.appended") == [[6]]
    assert project.rows("select id from mini.batched order by 1") == [[1], [2], [3]]
    assert project.rows("select sortkey1 from svv_table_info where \"table\" = 'kept'") == [["name"]]
    assert project.rows("select autorefresh from svv_mv_info where name = 'kept'") == [[True]]
    granted = project.rows(
        "select identity_name from svv_relation_privileges where relation_name = 'contracted'"
        " and identity_name like 'dbt!_%' escape '!'"
    )
    assert granted == [["dbt_other"]]


def test_freshness_is_judged(project: Project) -> None:
    result = project.dbt("source", "freshness")
    assert [(item.node.name, item.status) for item in result.result] == [("people", "warn")]


def test_a_full_refresh_and_the_catalog_by_show(project: Project) -> None:
    project.build("--full-refresh", target="show")
    assert project.rows("select count(*) from mini.appended") == [[3]]
    assert project.rows("select * from mini.merged order by 1") == [[1, "ANN", 9], [2, "BOB", 9], [4, "DEE", 9]]
    check_catalog(project, "show")
