# matexapps: `make run` shows what it does, `make test` proves it. Both set up everything first.

PYTHON ?= python3
RANKS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NOTEBOOKS := notebooks/00_start_here.ipynb notebooks/higgs.ipynb notebooks/plain_pytorch.ipynb

.PHONY: help setup run test test-slow lint lab bench clean

help:  ## show these targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1: /p' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv with everything that running, testing and linting need

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): 2 GB from the package registry, a few minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --upgrade pip
	$(BIN)/pip install -qq --prefer-binary -c constraints.txt -e ".[dev,keras,lightgbm,higgs-sim]"
	touch $(READY)

run: $(READY)  ## run the notebooks on MPI engines; pages with the plots go to build/
	$(BIN)/matexapps run $(NOTEBOOKS) -n $(RANKS)

test: $(READY)  ## run the tests
	$(BIN)/pytest -m "not slow"

test-slow: $(READY)  ## run the longer proofs
	$(BIN)/pytest -m slow

lint: $(READY)  ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

bench: $(READY)  ## measure the figures of the README
	$(BIN)/python benchmarks/step.py --json
	$(BIN)/python benchmarks/step.py --transparent --json
	$(BIN)/python benchmarks/checks.py --json
	$(BIN)/python benchmarks/interactive.py --json
	$(BIN)/python benchmarks/epoch.py --json
	$(BIN)/python benchmarks/read.py --json
	$(BIN)/python benchmarks/read_csv.py --json
	$(BIN)/python benchmarks/shuffle.py --json
	$(BIN)/python benchmarks/higgs.py --json

clean:  ## remove the environment and everything built
	rm -rf $(VENV) build notebooks/build
