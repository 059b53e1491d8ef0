# `make run` and `make test` need Python 3.11+, make and a C library; everything else comes from wheels.

# Looked up from the root directory: .python-version says what is deployed, and pyenv would follow it here.
PYTHON ?= $(shell cd / && for name in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$name" -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' 2>/dev/null && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RUNNABLE := $(VENV)/.runnable
DEPLOY_TOOLS := .venv-deploy/.installed
COMMAND := $(BIN)/tradepost
# Parts of this checkout that are installed in place; the second is there once the Python client is.
PROJECTS := . $(patsubst %/pyproject.toml,%,$(wildcard clients/python/pyproject.toml))
# Without isolation: pip would fetch the build backend, which requirements-run.txt has installed before, once more.
IN_PLACE := --no-build-isolation $(PROJECTS:%=--editable ./%)
# A venv gets no pip of its own where that of PYTHON can fill it (from 22.3 on), which takes a quarter less time.
PIP = $(shell test -e $(BIN)/pip3 && echo $(BIN)/python -m pip || echo '"$(PYTHON)" -m pip --python $(BIN)/python')
PIP_COMPILE := $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
TESTS ?= tests
ARGS ?=
MINUTES ?= 25

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without the caches of compiled modules, each of the many processes of a test run would compile them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install run test test-buckets test-fast faults bench bench-growth lint check-deploy audit types format requirements clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "tradepost: Python 3.11 or later is needed: install it, or name it with PYTHON=..." >&2; exit 1; }
	@echo "creating $(VENV) with $(PYTHON) ..."
	@"$(PYTHON)" -m pip --python "$(PYTHON)" --version >/dev/null 2>&1 && options=--without-pip; \
		"$(PYTHON)" -m venv $$options $(VENV) || { rm -rf $(VENV); \
		echo "tradepost: $(PYTHON) cannot create a venv (on Debian: apt-get install python3-venv)" >&2; exit 1; }

# Half of the packages by each of two processes, because most of the time goes into the pages of the index.
SHARE = $(shell echo $$(( ($$(grep -c '^[a-z].*==' requirements-run.txt) + 1) / 2 )))
$(RUNNABLE): requirements-run.txt | $(VENV)/bin/python
	@echo "installing the packages of the service into $(VENV) ..."
	@grep '^[a-z].*==' requirements-run.txt | tr '\n' '\0' | xargs -0 -n $(SHARE) -P 2 $(PIP) install --quiet --no-deps
	@$(PIP) install --quiet -r requirements-run.txt $(IN_PLACE)
	@touch $@ $(COMMAND)

$(INSTALLED): requirements-dev.txt | $(VENV)/bin/python
	@echo "installing the packages of development into $(VENV) ..."
	@test -e $(BIN)/pip3 || $(BIN)/python -m ensurepip --default-pip >/dev/null 2>&1 || true # pip-compile needs it
	@$(PIP) install --quiet -r requirements-dev.txt
	@touch $@ $(RUNNABLE)

# The packages of the service may have brought it a moment ago.
$(COMMAND): $(PROJECTS:%=%/pyproject.toml) | $(RUNNABLE)
	@[ -e $@ ] && [ -z "$$(find $^ -newer $@)" ] || $(PIP) install --quiet --no-deps --no-index $(IN_PLACE)
	@touch $@

install: $(INSTALLED) ## install the packages of development and the command tradepost into .venv
	@$(MAKE) --no-print-directory $(COMMAND)

run: $(RUNNABLE) $(COMMAND) ## start the service and its servers, and print links, tokens and commands (PORT=8000 DATA_DIR=.data)
	@$(BIN)/python -m embedded.run

test: $(INSTALLED) ## run all tests in parallel processes (TESTS=tests/api ARGS="-x -k cancel")
	@$(BIN)/python -m pytest -n auto $(ARGS) $(TESTS)

test-buckets: $(INSTALLED) ## run the tests of the doors and of trading with four buckets of accounts (ARGS="-x")
	@SHARDS=4 $(BIN)/python -m pytest -n auto $(ARGS) tests/acceptance tests/realtime tests/api tests/trading

test-fast: $(INSTALLED) ## run the tests of the rules, the database and the API, in less than a minute (ARGS="-x")
	@$(BIN)/python -m pytest -n auto $(ARGS) tests/trading/rules tests/models tests/api

faults: $(INSTALLED) ## run all fault tests, fail over 20 times, cut hosts off from each other (20 minutes), and soak for MINUTES=25 from SEED (a printed random one)
	@$(BIN)/python -m pytest -m "" $(ARGS) tests/faults tests/matching_stress tests/trading/weeks tests/trading/replay/test_stretches.py tests/security/test_machine.py tests/realtime/test_what_fails.py tests/realtime/test_delivery.py
	@$(BIN)/python -m tests.faults.failovers $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m tests.faults.partitions $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

bench: $(INSTALLED) ## measure every figure beside its reference, about 15 minutes (ARGS="--parts load --seconds 1")
	@$(BIN)/python -m bench $(ARGS)

bench-growth: $(INSTALLED) ## measure everything at five million orders, about 35 minutes and 18 GB (ARGS=...)
	@$(BIN)/python -m bench.growth $(ARGS)

lint: $(INSTALLED) ## check style, format and imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

# In a venv of their own, because they are large and no other part needs them.
$(DEPLOY_TOOLS): requirements-deploy.txt | $(VENV)/bin/python
	@echo "installing the tools that check the files of deployments into .venv-deploy ..."
	@$(BIN)/python -m venv .venv-deploy
	@.venv-deploy/bin/python -m pip install --quiet -r requirements-deploy.txt
	@touch $@

check-deploy: $(INSTALLED) $(DEPLOY_TOOLS) ## check the Dockerfile, the compose files, the systemd unit and the CloudFormation template
	@$(BIN)/python -m pytest -q -n0 tests/deploy/test_files.py

audit: $(INSTALLED) ## check the code (bandit) and the packages (pip-audit) for known weaknesses
	@$(BIN)/python -m tests.security.audit

types: $(INSTALLED) ## check types
	@$(BIN)/mypy

format: $(INSTALLED) ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

requirements: $(INSTALLED) ## write the pinned requirements*.txt from the requirements*.in
	@$(PIP_COMPILE) --output-file requirements.txt requirements.in
	@$(PIP_COMPILE) --output-file requirements-dev.txt requirements-dev.in
	@$(PIP_COMPILE) -c requirements-dev.txt --output-file requirements-run.txt requirements-run.in
	@$(PIP_COMPILE) -c requirements-dev.txt --output-file requirements-tracing.txt requirements-tracing.in
	@$(PIP_COMPILE) --output-file requirements-deploy.txt requirements-deploy.in

clean: ## remove .venv and all caches; the data of `make run` stays
	@rm -rf $(VENV) .venv-deploy .kite-clients .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
