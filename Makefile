# A fresh machine needs Python 3.11 or later and make; everything else is set up here.
#   make demo    a sample file through the whole stack, on a local AWS emulator
#   make test    all tests

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The first Python that is recent enough; pass PYTHON=... to choose another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
SAM := .tools/sam
# JupyterLab refuses to run as root unless it is told to, as in a container it has to.
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
SCAN := .tools/scan
CONFORM := .tools/conform
# Test files run side by side, each as a whole in one process, and those together that share much
# (tests/conftest.py); JOBS=1 runs them one by one.
JOBS ?= 2
# Where the environment says that no bytecode is kept, each process would compile all tests anew.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

# Python brings the pip and setuptools of its own release, which may be years old. Before these, pip
# could be led to install elsewhere (GHSA-qwm4-qh6w-59xr), setuptools to write elsewhere
# (GHSA-5rjg-fvgr-3xxf) and to package what was excluded (GHSA-h35f-9h28-mq5c).
INSTALLERS := -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=26.2' 'setuptools>=83'

# The versions that the tests ran with, see `make pins`.
INSTALL := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# One answer for all Pythons and platforms. No file names the host that packages come from.
PIN := $(SCAN)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate \
	--custom-compile-command 'make pins'

.PHONY: help demo test check code style types lint audit pins policies licences format lab console docs pictures bench bench-quick drill conform clean setup setup-dev

help:
	@sed -n 's/^#   //p' Makefile
	@echo "make lab     JupyterLab on notebooks/"
	@echo "make console the operations console as an app, on 127.0.0.1"
	@echo "make check   ruff, mypy --strict, import-linter and the fast tests, in a minute or two"
	@echo "make lint    as check without tests, and cfn-lint, the workflows' definitions, sam validate, checkov, the CI workflow, the docs"
	@echo "make audit   known vulnerabilities of every package; needs the network"
	@echo "make pins    renew the versions and hashes of what is installed; needs the network"
	@echo "make policies  the policies of a stack's people, into the template and the docs"
	@echo "make licences  the licences of what is installed, into the docs"
	@echo "make docs    the documentation with the API reference, into site/"
	@echo "make pictures  the pictures of README and docs, from notebooks run in a browser"
	@echo "make bench   benchmarks, into docs/performance.md"
	@echo "make drill   each function fails on purpose; the result goes into docs/reliability.md"
	@echo "make conform  the same stack on LocalStack's core, from deployment to deletion"
	@echo "make clean   stop the local engine, remove what was made here"

# ------------------------------------------------------------------------------------ set-up

setup: $(VENV)/ready
setup-dev: $(VENV)/ready-dev $(SAM)/ready

$(VENV)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: install it, or pass PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# What takes a while says so beforehand, since pip is quiet.
$(VENV)/ready: $(VENV)/python pyproject.toml constraints.txt batchops/local/engine-requirements.txt
	@echo "Setting up $(VENV) with batchops, JupyterLab and the local engine: 1 to 3 minutes and some 700 MB, the first time only."
	$(BIN)/python $(INSTALLERS)
	$(BIN)/python $(INSTALL) --editable '.[lab]'
	$(BIN)/batchops engine install
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready
	@echo "Adding the tools of developers to $(VENV): about a minute, the first time only."
	$(BIN)/python $(INSTALL) --editable '.[lab,dev]'
	@touch $@

$(VENV)/ready-bench: $(VENV)/ready-dev
	$(BIN)/python $(INSTALL) --editable '.[lab,dev,bench]'
	@touch $@

# SAM CLI pins boto3 and much else to the digit, so it has an environment of its own.
$(SAM)/ready: sam-requirements.txt | $(VENV)/python
	@echo "Setting up $(SAM) with the SAM CLI: half a minute, the first time only."
	$(BIN)/python -m venv $(SAM)
	$(SAM)/bin/python $(INSTALLERS)
	$(SAM)/bin/python -m pip install --quiet --disable-pip-version-check --requirement sam-requirements.txt
	@touch $@

$(SCAN)/ready: scan-requirements.txt | $(VENV)/python
	@echo "Setting up $(SCAN) with checkov and its like: half a minute, the first time only."
	$(BIN)/python -m venv $(SCAN)
	$(SCAN)/bin/python $(INSTALLERS)
	$(SCAN)/bin/python -m pip install --quiet --disable-pip-version-check --requirement scan-requirements.txt
	@touch $@

# LocalStack pins boto3 and much else. What the layer has compiled parts of is installed beside it,
# since the layer that is deployed holds them for AWS's processors.
$(CONFORM)/ready: tools/conform/requirements.txt source/common/requirements.txt | $(VENV)/python
	@echo "Setting up $(CONFORM) with LocalStack's core: a minute or two, the first time only."
	$(BIN)/python -m venv $(CONFORM)
	$(CONFORM)/bin/python $(INSTALLERS)
	$(CONFORM)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/conform/requirements.txt
	$(CONFORM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement source/common/requirements.txt
	@touch $@

$(VENV)/ready-console: $(VENV)/ready
	$(BIN)/python $(INSTALL) --editable '.[lab,console]'
	@touch $@

# ------------------------------------------------------------------------------------- to use

demo: setup
	$(BIN)/batchops demo

# It serves the checkout, because the notebooks link pages of docs.
lab: setup
	$(BIN)/jupyter lab --notebook-dir . --LabApp.default_url=/lab/tree/notebooks/01-deploy.ipynb --ServerApp.ip=127.0.0.1 $(ALLOW_ROOT)

# With a token in the address, because whoever reaches it can act on the stack. Run in the folder of
# voila.json, which keeps addresses with the token out of the log of requests, and other hosts out of
# the page.
console: $(VENV)/ready-console
	cd notebooks && $(CURDIR)/$(BIN)/voila operations-console.ipynb --Voila.ip=127.0.0.1 --token

test: setup-dev
	$(PYTEST)

# For every change while working: without the unit tests that take seconds each, and with a third of
# the examples of laws. Types are checked beside the tests; what mypy complains of comes at the end.
check: style
	@said=$$(mktemp); $(MAKE) --no-print-directory types >$$said 2>&1 & types=$$!; \
	$(PYTEST) tests/unit -m "not slow" --hypothesis-profile quick && failed=0 || failed=$$?; \
	if wait $$types; then echo "mypy: no mistakes"; else failed=1; cat $$said; fi; rm $$said; exit $$failed

code: style types

style: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/ready-dev
	$(BIN)/mypy batchops source/common/batchcore source/common/build_layer.py tools
	@# One by one, because every function's module is called app.
	for app in source/*/app.py; do $(BIN)/mypy $$app; done

lint: code setup-dev $(SCAN)/ready
	$(BIN)/cfn-lint template.yaml
	$(BIN)/python -m tools.definitions source/statemachine/*.asl.json
	SAM_CLI_TELEMETRY=0 $(SAM)/bin/sam validate --lint --region us-east-1
	$(SCAN)/bin/checkov --file template.yaml --config-file .checkov.yaml
	sed -n '/^```yaml$$/,/^```$$/{/^```/!p;}' docs/ci.md > .tools/workflow.yml
	$(SCAN)/bin/check-jsonschema --builtin-schema vendor.github-workflows .tools/workflow.yml
	$(SCAN)/bin/zizmor --quiet --offline .tools/workflow.yml
	$(MAKE) docs

# Strict: a link that leads nowhere, or a name that is not there, fails it.
docs: setup-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir site

# Needs Chromium or Chrome. The times in them are those of the machine that it runs on.
pictures: setup-dev
	$(BIN)/python -m tools.pictures docs/pictures

# Not part of lint: it asks a service in the network, which not every machine reaches.
audit: setup-dev $(SCAN)/ready
	$(BIN)/python tools/audit.py $(SCAN)/bin/pip-audit source/common/requirements.txt \
		$(VENV)/lib/python3*/site-packages .batchops/engine-env-*/lib/python3*/site-packages \
		$(SAM)/lib/python3*/site-packages $(SCAN)/lib/python3*/site-packages

# Renews what is installed: the layer and the engine from their .in files, with hashes; what everything
# else may be from pyproject.toml. Run the tests, and make licences, before the files are committed.
pins: $(SCAN)/ready
	$(PIN) --generate-hashes --no-deps source/common/requirements.in -o source/common/requirements.txt
	$(PIN) --generate-hashes --only-binary :all: batchops/local/engine-requirements.in \
		-o batchops/local/engine-requirements.txt
	$(PIN) --all-extras pyproject.toml -o constraints.txt

policies: setup-dev
	$(BIN)/python -m tools.policies

licences: setup-dev $(VENV)/ready-bench
	$(BIN)/python -m tools.licences docs/licences.md

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# All sizes, half an hour on an idle machine; make bench-quick for a look.
bench: $(VENV)/ready-bench
	$(BIN)/python -m tools.benchmarks
	$(BIN)/python -m tools.benchmarks.render

bench-quick: $(VENV)/ready-bench
	$(BIN)/python -m tools.benchmarks --quick

drill: setup
	$(BIN)/python -m tools.drill --into docs/reliability.md

# Some five minutes; not part of make test.
conform: $(VENV)/ready-dev $(CONFORM)/ready
	$(BIN)/python -m tools.conform $(CONFORM)/bin/python

clean:
	-test ! -x $(BIN)/batchops || $(BIN)/batchops engine stop
	rm -rf $(VENV) .tools .batchops .aws-sam demo-output bench-results site build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
