# Everything here needs python3 (3.11 or later), make and the package registry, and sets up .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/runs
READY := $(VENV)/ready
# one more than processors: many tests wait for a program, a terminal, a daemon
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# the tests start hundreds of processes: each would compile everything anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check format lab recordings manual bench fuzz properties clean

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11: make PYTHON=python3.11 ..." >&2; exit 2; }
	@echo "setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# what it needs to run, and what its tests need besides
$(RUNS): pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --editable .
	@touch $@

$(READY): pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --editable '.[dev]'
	@touch $(RUNS) $@

demo: $(RUNS) ## see it at work, without Nix; as text where there is no terminal
	@$(BIN)/pix-inspect demo $(ARGS)

test: $(READY) ## run the tests (those with real Nix after `make lab`)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: $(READY) ## format, lint, types, imports, mirror, then the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.check_mirror
	@$(MAKE) --no-print-directory test

format: $(READY) ## format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lab: $(BIN)/python ## install the four real Nix versions into .lab (150 MB to fetch)
	@$(BIN)/python -m tests.real_nix.lab install

recordings: lab ## make the recordings in recordings/ again
	@$(BIN)/python -m scripts.record_stories $(ARGS)

manual: $(READY) ## write the protocol manual to build/manual
	@$(BIN)/pix-inspect manual -o build/manual $(ARGS)

$(VENV)/peers: $(READY)
	@$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	@touch $@

bench: $(VENV)/peers ## measure beside peers; prints a table of ratios
	@$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(READY) ## broken input everywhere: a million sessions, lines, files, relays, keys (ARGS="--count 50000")
	@$(BIN)/python -m tests.fuzz.run $(or $(ARGS),--count 1000000)
	@KEYS_SEED=$(or $(KEYS_SEED),1000) KEYS_RUNS=$(or $(KEYS_RUNS),50) $(BIN)/python -m pytest -q tests/pix_inspect/ui/test_random_keys.py

properties: $(READY) ## the property tests, with many more examples
	@$(BIN)/python -m pytest --hypothesis-profile=fuzz -m "not real_nix" $(or $(ARGS),tests/pix)

clean: ## remove what was set up and built
	rm -rf $(VENV) .lab .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf build dist snapshot_report.html
