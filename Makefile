# One command each; the first sets up an environment in $(VENV). Needs only Python >= 3.11 with venv.
.DEFAULT_GOAL := help
.PHONY: help demo test slow lint bench notebooks clean

PYTHON ?= python3
VENV ?= .venv
# Extra words for pip, such as --index-url or --no-cache-dir.
PIP_FLAGS ?=
# Test processes.
JOBS ?= 2

BIN := $(VENV)/bin
READY := $(VENV)/.gridmarl-ready

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Made anew when a dependency or a constraint changes; otherwise a second run starts at once.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "gridmarl needs Python >= 3.11 with venv; '$(PYTHON)' is not one." \
		"Install python3 and python3-venv, or say make PYTHON=/path/to/python." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_FLAGS) --constraint constraints.txt --editable '.[test,dev]'
	@touch $@

demo: $(READY)  ## compare five teams in one auction; table, plots and report in results/demo
	$(BIN)/gridmarl compare auction --teams truthful,markup,dqn,admm,central --seeds 5 --out results/demo

# A small language model is among what is tested: 98 MB, fetched once into the user's cache.
test: $(READY)  ## all tests except those marked slow
	@$(BIN)/gridmarl fetch-model
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow" --benchmark-disable

slow: $(READY)  ## the tests marked slow
	@$(BIN)/gridmarl fetch-model
	$(BIN)/python -m pytest -n $(JOBS) -m slow --benchmark-disable

# The cache of lint-imports overlooks that a module has appeared or gone.
lint: $(READY)  ## style, types and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

bench: $(READY)  ## speed, memory and where the time goes, beside their targets
	$(BIN)/python -m pytest tests/bench/test_speed.py tests/bench/test_planners.py tests/bench/test_learners.py \
		--benchmark-only --benchmark-quiet -q -s

notebooks: $(READY)  ## run all notebooks and store them with their results
	$(BIN)/python -m tests.notebooks.execute

clean:  ## remove caches, builds and results (not the environment)
	rm -rf build dist results .pytest_cache .ruff_cache .hypothesis .benchmarks
	find gridmarl tests -name __pycache__ -type d -prune -exec rm -rf {} +
