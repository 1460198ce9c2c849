# The two that matter: `make run` and `make test`. `make help` lists them all.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests that compute, and tests that wait for real calls: these run apart, for their clocks' sake.
WORKERS ?= 3
CALLERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run demo test check bench chaos prompts lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.runtime: .ci/requirements.txt pyproject.toml
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Talkmeter needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .ci/requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@$(BIN)/python -m compileall -q ivr billing
	@touch $@

$(VENV)/.dev: .ci/requirements-dev.txt $(VENV)/.runtime
	@echo "adding the tools for tests and checks (once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .ci/requirements-dev.txt
	@touch $@

setup: $(VENV)/.runtime ## the virtual environment with .venv/bin/talkmeter

setup-dev: $(VENV)/.dev ## the same with the tools for tests and checks

run: setup ## start everything, place one demo call, serve until Ctrl-C
	@$(BIN)/talkmeter run

demo: setup ## start everything, place one demo call, print it as JSON, stop
	@$(BIN)/talkmeter demo --json

test: setup-dev ## all tests: unit, property, contract, integration, end-to-end, browser
	@.ci/system-packages
	@$(BIN)/python -m compileall -q ivr billing tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not asterisk"
	@$(BIN)/python -m pytest -q -n $(CALLERS) --dist worksteal -m asterisk

check: setup-dev ## format, lint, types, architecture, dependency audit
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -p no:randomly tests/test_architecture.py
	@.ci/audit $(BIN)

bench: setup-dev ## the benchmarks, each beside its floor; writes var/bench.json
	@.ci/system-packages
	@$(BIN)/python -m tests.benchmarks

prompts: setup ## make the sound files from asterisk-conf/prompts/*.txt
	@$(BIN)/python -m ivr.sandbox.prompts

lock: setup-dev ## renew the locked requirements from pyproject.toml
	@$(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate -o .ci/requirements.txt pyproject.toml
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --extra dev -o .ci/requirements-dev.txt pyproject.toml

clean: ## remove what was built; accounts and calls in var/ stay
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
