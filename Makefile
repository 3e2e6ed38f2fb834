# The main commands are `make quick`, `make repro` and `make test`; each installs what it needs.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help git quick repro site test test-all lint mutants portability seeds scaling bench readme lock clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

# DVC and its experiments need git: say so before anything is installed.
git:
	@message=$$(git cat-file -e HEAD:./dvc.yaml 2>&1 | head -n 1); test -z "$$message" || { \
		echo "DVC needs git, which says of this folder: $$message. Clone the project, or run" \
		"\`git init\`, \`git add --all\` and \`git commit -m start\` here." >&2; exit 1; }

quick: git $(VENV)/runtime ## train and compare small versions of all models in minutes, into quick/
	python -m mnist quick

JOBS ?= 1
repro: git $(VENV)/runtime ## fetch, train, evaluate and report what is not up to date; JOBS=4: 4 stages at a time
	$(if $(filter-out 1,$(JOBS)),python -m mnist parallel --jobs $(JOBS))
	dvc repro
	python -m mnist readme

test: git $(VENV)/dev ## run the tests, without the slow ones
	pytest -m "not slow"

test-all: git $(VENV)/dev portability ## run all tests: also faults, documented commands, emulated CPUs
	pytest --hypothesis-profile thorough

lint: $(VENV)/dev ## check style and types
	ruff check .
	ruff format --check .
	mypy

mutants: git $(VENV)/dev ## put one-line faults into a copy of the code and see the tests fail
	python -m tests.mutants

portability: $(VENV)/dev ## compare the bits of a few training steps on emulated Intel and AMD CPUs
	python -m tests.portability

SEEDS ?= cnn=5 frcnn=5 vgg16=5 alexnet=5 vit=5
seeds: git $(VENV)/runtime ## train from several seeds, into metrics/seeds.csv; choose: SEEDS="cnn=5 vit=3"
	python -m mnist seeds $(SEEDS)

scaling: git $(VENV)/runtime ## train on fewer digits and for fewer steps, into metrics/scaling.csv
	python -m mnist scaling

bench: $(VENV)/runtime ## time training and inference, into metrics/benchmark.json (some minutes)
	python -m mnist bench

site: git $(VENV)/runtime ## lay out the report and the models for a web server, into public/
	python -m mnist site

readme: $(VENV)/runtime ## write the results table of README.md
	python -m mnist readme

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --custom-compile-command "make lock"
lock: $(VENV)/dev ## pin every package, from requirements*.in
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt

clean: ## remove the virtual environment
	rm -rf $(VENV)

# One environment: dev adds packages to runtime. The empty file `runtime` marks a finished
# installation. Where it is missing, Python is gone or the folder was moved, all is installed anew.
BROKEN := $(shell { test -f $(VENV)/runtime && $(VENV)/bin/python -c "" && \
	grep -qF "$(CURDIR)/$(VENV)" $(VENV)/bin/activate; } 2>/dev/null || echo broken)
# uv installs the same packages as pip, in less time.
INSTALL := $$(command -v uv >/dev/null && echo uv pip install --python $(VENV)/bin/python || \
	echo $(VENV)/bin/python -m pip install) --quiet --require-hashes --requirement

$(VENV)/runtime: requirements.txt $(BROKEN)
	$(if $(BROKEN),rm -rf $(VENV))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	rm -f $@
# Debian's Python, and that of hosted notebooks, may lack ensurepip; uv needs no pip.
	$(if $(BROKEN),$(PYTHON) -m venv $(VENV) || { command -v uv >/dev/null && \
		$(PYTHON) -m venv --without-pip $(VENV); })
	@echo "Installing PyTorch and the rest of requirements.txt: some minutes" >&2
	@$(INSTALL) requirements.txt
	touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/runtime
	rm -f $(VENV)/runtime
	@echo "Installing what the tests need besides" >&2
	@$(INSTALL) requirements-dev.txt
	touch $(VENV)/runtime $@

.PHONY: broken
broken:
