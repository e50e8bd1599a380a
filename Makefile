# `make help` lists the targets. `make demo` and `make test` do their own set-up, whole: they need
# Python 3.11 to 3.13 with venv, git and make, and nothing else.

# The first interpreter that is new enough; PYTHON=/path/to/python chooses another one.
PYTHON ?= $(shell scripts/find-python)
VENV := .venv
BIN := $(VENV)/bin

# A second run costs no time: each stamp is newer than what it was made from.
DEMO := $(VENV)/.ready-demo
DEV := $(VENV)/.ready-dev
DOCS_VENV := .venv-docs
DOCS := $(DOCS_VENV)/.ready-docs

# Another interpreter than the one that made the environment makes it anew.
ifneq ($(filter command environment,$(firstword $(origin PYTHON))),)
  $(shell scripts/same-python "$(VENV)" "$(PYTHON)")
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-rollback test test-long test-oldest test-newest check fix docs reference screenshots lock bench clean simulate fuzz fuzz-api chaos dist

help: ## this list
	@awk -F ':.*## ' '/^[a-z. -]+:.*## / { printf "  make %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo-rollback: $(DEMO) ## a bad champion on purpose, and how it leaves the seat again
	@$(BIN)/incumbent demo --rollback --home .incumbent/demo-rollback

demo: $(DEMO) ## see it work: data arrives, models train, one wins the seat
	@$(BIN)/incumbent demo

PROCESSES ?= 2
test: $(DEV) ## the tests: a quarter of an hour on two cores
	@$(BIN)/python -m pytest -m "not long" -n $(PROCESSES) --dist loadfile $(ARGS)

test-long: $(DEV) ## the tests that take longer: other interpreters, other servers, whole stories
	@$(BIN)/python -m pytest -m long -n $(PROCESSES) --dist loadfile $(ARGS)

test-oldest test-newest: $(DEV) ## the tests with the oldest, or newest, allowed dependencies
	@scripts/test-with $(patsubst test-%,%,$@) $(ARGS)

check: $(DEV) ## format, lint, types, import contracts, closed sets, deployment files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m scripts.closed_sets
	@$(BIN)/python -m scripts.deployment

fix: $(DEV) ## what the formatter and the linter can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(DEV) ## measure it on this machine
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(DOCS) ## the documentation as a site, in site/
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs --quiet build --strict
	@echo "site/index.html is the first page"

reference: $(DEV) ## write the pages of docs/reference that are made from the code
	@$(BIN)/python -m scripts.reference

screenshots: $(DEV) ## draw the pictures of the documents anew
	@scripts/screenshots

SEEDS ?= 10000
simulate: $(DEV) ## the whole system under faults, SEEDS=10000 times
	@$(BIN)/python -m tests.simulation $(SEEDS)

fuzz-api: $(DEV) ## the API against its own document for ten minutes (Schemathesis)
	@$(BIN)/python -m pytest -q tests/unit/api/test_document.py::test_no_answer_is_a_surprise_for_ten_minutes $(ARGS)

SECONDS ?= 600
fuzz: $(DEV) ## what strangers send and the policy reader, SECONDS=600 each; better with `pip install atheris`
	@for door in events bucket payloads; do $(BIN)/python tests/fuzz/fuzz_doors.py $$door $(SECONDS) || exit 1; done
	@$(BIN)/python tests/fuzz/fuzz_rules.py $(SECONDS)

KILLS ?= 500
MINUTES ?= 90
chaos: $(DEV) ## real processes are killed under load, KILLS=500 times or for MINUTES=90
	@$(BIN)/python -m tests.chaos --kills $(KILLS) --minutes $(MINUTES) $(ARGS)

lock: $(DEV) ## resolve the dependencies again (UPGRADE=1 takes the newest)
	@scripts/lock $(if $(UPGRADE),--upgrade)

dist: $(DEV) ## the wheel, the source archive and the notes of a release, TAG=v0.1.0
	@scripts/dist "$(TAG)"

.venv: $(DEV) ## the environment of the tests and checks, in .venv

$(DEMO): locks/bootstrap.txt locks/demo.txt pyproject.toml scripts/set-up
	@scripts/set-up "$(VENV)" "$(PYTHON)" demo
	@touch $@

$(DEV): locks/bootstrap.txt locks/dev.txt pyproject.toml scripts/set-up
	@scripts/set-up "$(VENV)" "$(PYTHON)" dev
	@touch $@ $(DEMO)

$(DOCS): locks/bootstrap.txt locks/docs.txt scripts/set-up
	@scripts/set-up "$(DOCS_VENV)" "$(PYTHON)" docs
	@touch $@

clean: ## remove the environment, caches and build results
	rm -rf $(VENV) .venv-* build dist site .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
