"""The recipes work as they are written: their files and commands, taken out of the pages, in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
FILE = re.compile(r"^`?[^`\n]*`([\w/]+\.(?:sql|yml))`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files_of(page: str) -> dict[str, str]:
    return dict(FILE.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))


def shell_of(page: str) -> list[str]:
    return SHELL.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("recipes")
    for name in ("models", "macros", "seeds", "profiles", "tests", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("python", "corpus"))
    shutil.copy(ROOT / "dbt_project.yml", copy)
    for page in ("adding-a-source.md", "adding-a-mart.md"):
        for name, content in files_of(page).items():
            file = copy / name
            assert not file.exists(), f"{page} would overwrite {name}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
    return copy


def test_each_recipe_brings_all_its_files() -> None:
    assert len(files_of("adding-a-source.md")) == 8
    assert len(files_of("adding-a-mart.md")) == 3


def test_a_source_added_by_the_recipe_loads_builds_and_loses_nothing(project: Path) -> None:
    """The build parses the files of the other recipe too: a wrong ref, doc or macro in it fails here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BIOSTAR_", "DBT_"))}
    environment = kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DBT_PROFILES_DIR": "profiles",
    }
    steps = [
        next(block for block in shell_of("adding-a-source.md") if "biostar load" in block),
        next(
            line
            for block in shell_of("adding-a-source.md")
            for line in block.splitlines()
            if line.startswith("biostar build")
        ),
    ]
    for step in steps:
        done = subprocess.run(["bash", "-ec", step], cwd=project, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    with duckdb.connect(str(project / "data" / "biostar.duckdb"), read_only=True) as warehouse:
        staged = warehouse.execute("select registry_name from staging.stg_registry__enrollments order by 1").fetchall()
        refused = warehouse.execute(
            "select reject_reason from staging.rejected_registry__enrollments order by 1"
        ).fetchall()
    assert staged == [("asthma",), ("diabetes",)]
    assert refused == [("enrolled: not a date",), ("withdrawn_date: before enrolled_date",)]
