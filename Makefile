# Every target does its own set-up; nothing is needed beforehand but Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Where Python may not keep its bytecode, every process that a test starts compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE
# Tests of one file stay in one process, and files begin in their order: the long ones, in acceptance, first.
SIDE_BY_SIDE := --dist loadfile --no-loadscope-reorder --numprocesses

.PHONY: help install demo test test-fast chaos fuzz check bench lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## create .venv with the locked dependencies and the `sluicegate` command

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m feature_store.engine.warm
	$(BIN)/python -m streams.models.trees.warm
	@touch $@

demo: install  ## everything on this machine: three to four minutes, retrained and swapped under way
	$(BIN)/sluicegate demo

# Four on two cores: much of their time is waiting for brokers and processes.
test: install  ## all tests, on a real Apache Kafka
	$(BIN)/python -m pytest -m "not alone" $(SIDE_BY_SIDE) 4
	$(BIN)/python -m pytest -m alone

test-fast: install  ## the quick tier, a minute on two cores: units and the oracle; no Kafka, no trainer, no keeper
	$(BIN)/python -m pytest tests/contract tests/unit -m "not kafka and not slow" --timeout 60 $(SIDE_BY_SIDE) 2

ROUNDS ?= 50
CHAOS := $(BIN)/python -m tests.chaos.run
chaos: install  ## what can go wrong: 50 rounds with one broker, 50 on a cluster of three (ROUNDS=…, SEED=…)
	SLUICEGATE_CHAOS_ROUNDS=$(ROUNDS) SLUICEGATE_CHAOS_SEED=$(SEED) \
	  $(BIN)/python -m pytest tests/acceptance/test_chaos.py
	$(CHAOS) --rounds $(ROUNDS) --seed "$(SEED)" --json .sluicegate/chaos.json

SECONDS ?= 600
TARGETS ?=
FUZZER := $(VENV)/.fuzzer
fuzz: $(FUZZER)  ## feed odd bytes to every reader of them, ten minutes in all (SECONDS=…, TARGETS="names")
	$(BIN)/python -m tests.fuzz.run $(SECONDS) $(TARGETS)

$(FUZZER): requirements-fuzz.lock $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-fuzz.lock
	@touch $@

check: install  ## formatting, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install  ## benchmarks (ratios measured in one run)
	$(BIN)/sluicegate bench

lock: install  ## resolve the dependencies anew: those of development, of containers (-run), of the fuzzer (-fuzz)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group dev pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --constraint requirements.lock pyproject.toml --output-file requirements-run.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group fuzz --output-file requirements-fuzz.lock

clean:  ## remove what the targets above made
	rm -rf $(VENV) .sluicegate .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
