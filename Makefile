# matexapps: `make run` shows what it does, `make test` proves it. Both set up everything first.

PYTHON ?= python3
RANKS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MPICH := .venv-mpich
MPICH_READY := $(MPICH)/.ready
OF_MPI := tests/unit/comm tests/unit/launch tests/mpi tests/notebooks tests/transparent
PACKAGES := import sysconfig; print(sysconfig.get_path('purelib'))
NOTEBOOKS := notebooks/00_start_here.ipynb notebooks/higgs.ipynb notebooks/plain_pytorch.ipynb

.PHONY: help setup run test test-mpich test-slow lint lab bench clean

help:  ## show these targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1: /p' $(MAKEFILE_LIST)

setup: $(READY)  ## make .venv with everything that running, testing and linting need

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): 2 GB from the package registry, a few minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --upgrade pip
	$(BIN)/pip install -qq --prefer-binary -c constraints.txt -e ".[dev,keras,lightgbm,higgs-sim,molecules-data,quantum]"
	touch $(READY)

# Everything of the first environment, but MPICH in the place of Open MPI.
$(MPICH_READY): $(READY)
	$(BIN)/python -m venv --clear --without-pip $(MPICH)
	$(BIN)/pip --python $(MPICH) install -qq --no-deps -c constraints.txt mpich
	folder=$$($(BIN)/python -c "$(PACKAGES)") && echo "import site; site.addsitedir('$$folder')" \
	  > $$($(MPICH)/bin/python -c "$(PACKAGES)")/first_environment.pth
	ln -s ../$(VENV)/share $(MPICH)/share
	touch $(MPICH_READY)

run: $(READY)  ## run the notebooks on MPI engines; pages with the plots go to build/
	$(BIN)/matexapps run $(NOTEBOOKS) -n $(RANKS)

test: $(READY) test-mpich  ## run the tests
	$(BIN)/pytest -m "not slow"

test-mpich: $(MPICH_READY)  ## run those tests with MPICH that are most about MPI
	$(MPICH)/bin/python -m pytest -m "mpich and not slow" $(OF_MPI)

test-slow: $(READY) $(MPICH_READY)  ## run the longer proofs, and all that is about MPI with MPICH
	$(BIN)/pytest -m slow
	$(MPICH)/bin/python -m pytest -m "not open_mpi" $(OF_MPI)

lint: $(READY)  ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/helpers/import_circles.py matexapps

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

bench: $(READY)  ## measure the figures of the README
	$(BIN)/python benchmarks/step.py --json
	$(BIN)/python benchmarks/step.py --transparent --json
	$(BIN)/python benchmarks/step.py --layers --json
	$(BIN)/python benchmarks/checks.py --json
	$(BIN)/python benchmarks/interactive.py --json
	$(BIN)/python benchmarks/epoch.py --json
	$(BIN)/python benchmarks/read.py --json
	$(BIN)/python benchmarks/read_csv.py --json
	$(BIN)/python benchmarks/shuffle.py --json
	$(BIN)/python benchmarks/higgs.py --json
	$(BIN)/python benchmarks/recovery.py --json
	$(BIN)/python benchmarks/molecules.py --json

clean:  ## remove the environment and everything built
	rm -rf $(VENV) $(MPICH) build notebooks/build
