# Two targets matter: `make demo` shows the product, `make test` proves it. Both work on a fresh
# clone with git, make and Python >= 3.11 (with venv), and keep everything inside the clone.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --no-compile: most of what is installed is never imported.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt
DEMO_ARGS ?= --repeats 10 --levels 1
# make demo ENGINE=transformers (or vllm): a real engine on the CPU, installed into .cache/engines.
ENGINE ?=
ENGINE_ARGS = $(if $(ENGINE),--engine $(ENGINE) --engine-python .cache/engines/$(ENGINE)/bin/python)

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(VENV)/.demo ## compare Web and API on an embedded, simulated deployment (under 5 minutes on a quiet machine)
	$(if $(ENGINE),$(BIN)/python -m tests.setup.engine_envs $(ENGINE))
	$(BIN)/glm-locust compare $(ENGINE_ARGS) $(DEMO_ARGS)

test: $(VENV)/.dev ## everything CI runs: lint, types, import contracts, all tests
	$(BIN)/python tests/prepare.py
	$(BIN)/python -m tests.suites $(PYTEST_ARGS)

lint: $(VENV)/.dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file exporters/pyproject.toml
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev ## all benchmarks, one after the other; figures in benchmarks/results (over an hour)
	$(BIN)/python benchmarks/run.py

clean: ## remove what the other targets made
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "glm_locust needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 64; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 64; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml exporters/pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[testbed]' -e ./exporters
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP_INSTALL) -e '.[testbed,dev]'
	@touch $@
