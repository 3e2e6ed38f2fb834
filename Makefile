# Two commands do everything, each with its own set-up: `make repro` and `make test`.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help repro test lint chaos portability seeds timing bench verify readme lock clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

repro: $(VENV)/runtime ## fetch, train, evaluate and report what is not up to date
	dvc repro
	python -m mnist readme

test: $(VENV)/dev ## run the tests
	pytest

lint: $(VENV)/dev ## check style and types
	ruff check .
	ruff format --check .
	mypy

chaos: $(VENV)/dev ## inject faults and fuzz, hundreds of times (20 minutes)
	pytest --chaos --numprocesses 0 -m faults
	pytest --chaos --dist load -m fuzz

portability: $(VENV)/dev ## compare the bits of a few training steps on emulated Intel and AMD CPUs
	python -m tests.portability

SEEDS ?= cnn=5 frcnn=5 vgg16=5 alexnet=5 vit=5
seeds: $(VENV)/runtime ## train from several seeds, into metrics/seeds.csv; choose: SEEDS="cnn=5 vit=3"
	python -m mnist seeds $(SEEDS)

timing: $(VENV)/runtime ## copy the seconds of the last trainings into metrics/timing.json
	python -m mnist timing

bench: $(VENV)/runtime ## time training and inference, into metrics/benchmark.json (some minutes)
	python -m mnist bench

verify: $(VENV)/runtime ## read again what dvc.lock names: outputs, git, DVC's cache
	python -m mnist verify

readme: $(VENV)/runtime ## write the tables of README.md and docs/performance.md
	python -m mnist readme

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --custom-compile-command "make lock"
lock: $(VENV)/dev ## pin every package, from requirements*.in
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt

clean: ## remove the virtual environment
	rm -rf $(VENV)

# One environment: dev adds packages to runtime. An empty file marks a finished installation.
$(VENV)/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --requirement requirements.txt
	touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/runtime
	$(VENV)/bin/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@
