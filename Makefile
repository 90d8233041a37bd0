# cheesebox: make serve | test | lint | cover | docs | bench | simulate | lock | clean
# ARGS go to the program: make serve ARGS="--port 8080"

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first of these that runs and is new enough: a version manager's shim may exist and refuse to run.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3.14 python3; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
BIN := .venv/bin
SET_UP := .venv/.set-up

.PHONY: help serve test lint format cover docs bench simulate lock clean

help: ## Show what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/'

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "cheesebox needs Python 3.11 or newer: install one, or give it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(SET_UP): pyproject.toml uv.lock | $(BIN)/uv
	$(BIN)/uv sync --quiet --frozen --inexact
	@touch $@

serve: $(SET_UP) ## Serve the cache
	$(BIN)/cheesebox serve $(ARGS)

test: $(SET_UP) ## Run all tests, on all cores
	$(BIN)/pytest --numprocesses auto --dist loadfile $(ARGS)

lint: $(SET_UP) ## Look at style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(SET_UP) ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

cover: $(SET_UP) ## Run the tests and tell what they did not reach
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage report

docs: $(SET_UP) ## Build the documentation's site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(SET_UP) ## Compare with other servers
	$(BIN)/python -m bench $(ARGS)

simulate: $(SET_UP) ## Simulate one and many nodes, check the model, write docs/scale.md
	$(BIN)/python -m bench.simulate --all $(ARGS)

lock: $(BIN)/uv ## Write uv.lock anew after a change of pyproject.toml
	$(BIN)/uv lock $(ARGS)

clean: ## Remove what was made here
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage .coverage.* dist site
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
