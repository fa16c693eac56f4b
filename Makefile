# `make` alone prints this help. Everything lives in .venv, data/ and target/; `make clean` removes them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DBT_PROFILES_DIR := profiles

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint docs bench lock clean

help: ## Print this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Create .venv and install exactly what requirements.lock names

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v < (3, 14) else f"biostar needs Python 3.10 to 3.13, this is {v[0]}.{v[1]}; name another one: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "cannot create $(VENV): on Debian and Ubuntu, apt-get install python3-venv"; exit 3; }
	@echo "installing the locked packages into $(VENV) (once, about a minute)"
	@# --no-deps: the lock names all of them, and older pips refuse a hashed lock when a package asks for an extra (pypa/pip#9644)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Sample files, load, star schemas with their tests, docs site, three answers
	@$(BIN)/biostar demo

test: setup ## Lint and types of Python, all tests: models on DuckDB, SQL for Redshift, loader, sample, gate
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: setup ## Format and lint Python and SQL (SQL style takes minutes: dbt compiles it first)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint models tests analyses --processes 2

docs: setup ## Write the docs site as one file, target/static_index.html
	@$(BIN)/biostar docs

bench: setup ## Measure load and build against the floor, the stand-in, and loading against other tools (over an hour)
	@$(BIN)/python benchmarks/whole.py
	@$(BIN)/python benchmarks/standin.py
	@$(BIN)/python benchmarks/loading.py

lock: ## Renew requirements.lock after a change in pyproject.toml
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements.lock

clean: ## Leave a fresh checkout
	@rm -rf $(VENV) data target logs dist build .user.yml .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage scripts/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
