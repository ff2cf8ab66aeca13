# Each target sets up what it needs in .venv; a second run is quick.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
EXTRAS := torch,rtl,search,dask,notebook,dev

.PHONY: help explore test sim lint bench notebooks models readme characterize clean tools

help:
	@echo "make explore    sweep the digits networks over both datapaths; writes out/report.html"
	@echo "make test       every test, the RTL benches' fixed part included"
	@echo "make sim        RTL against simulator, all configurations (DESIGN=name: one, or a datapath; WAVES=1: waveforms)"
	@echo "make lint       ruff and mypy"
	@echo "make bench      benchmarks; writes out/bench.json"
	@echo "make notebooks  execute the notebooks"
	@echo "make models     train, export and measure the shipped networks (torch)"
	@echo "make readme     write the measured tables into README.md and docs"
	@echo "make characterize LIBERTY=folder   measure the technology tables anew (hours; continues)"
	@echo "make clean      remove the environment, builds and results"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: apt-get install python3, or make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }

$(VENV)/base: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/full: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[$(EXTRAS)]'
	@touch $(VENV)/base $@

tools:
	@command -v g++ > /dev/null || { echo "g++ is missing: apt-get install g++"; exit 1; }
	@command -v perl > /dev/null || { echo "perl is missing: apt-get install perl"; exit 1; }
	@[ -n "$$CHROME" ] || command -v chromium > /dev/null || command -v google-chrome > /dev/null \
	  || { echo "Chromium is missing: apt-get install chromium, or set CHROME"; exit 1; }

explore: $(VENV)/base
	$(BIN)/python -m hwsim.explore

test: $(VENV)/full tools
	$(BIN)/python -m pytest -n 2 --dist worksteal

sim: $(VENV)/full
	$(BIN)/python -m sims $(if $(WAVES),--waves) $(if $(DESIGN),--design $(DESIGN))

lint: $(VENV)/full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/full
	$(BIN)/python -m benchmarks

notebooks: $(VENV)/full
	$(BIN)/python -m pytest tests/test_notebooks.py

models: $(VENV)/full
	$(BIN)/python -m hwsim.models

readme: $(VENV)/full
	$(BIN)/python -m benchmarks.readme

# LIBERTY has the folders nangate45, sky130hd and asap7 with their .lib or .lib.gz files; the last of asap7's flip-flops.
TABLES := hwsim/data/technology
CHARACTERIZE = $(BIN)/python -m hwsim characterize --out $(TABLES)/$@
CHARACTERIZE += $(foreach file,$(wildcard $(LIBERTY)/$@/*.lib $(LIBERTY)/$@/*.lib.gz),--liberty $(file))

.PHONY: nangate45 sky130hd asap7
characterize: nangate45 sky130hd asap7
nangate45: $(VENV)/full
	$(CHARACTERIZE) --grid full --node 45
sky130hd: $(VENV)/full
	$(CHARACTERIZE) --grid full --node 130 --dont-use 'sky130_fd_sc_hd__probe*' --dont-use 'sky130_fd_sc_hd__lpflow*' \
	  --dont-use 'sky130_fd_sc_hd__dly*'
asap7: $(VENV)/full
	$(CHARACTERIZE) --grid full --node 7 --parts 'cacti22 crossbar dram vector_unit'

clean:
	rm -rf $(VENV) build out dist .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
