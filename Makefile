# `make` lists what there is. Everything that a target needs is set up first: the Python packages of the lock file
# in .venv, and the programs of the control plane in ~/.cache/esm-operator (see tests/controlplane/README.md).

.DEFAULT_GOAL := help
SHELL := /bin/bash

BIN := .venv/bin
# The generators of files that are made from the code.
TOOLS := PYTHONPATH=operator $(BIN)/python -m tools
STAMP := .venv/up-to-date
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command "make lock" $(UPGRADE)

# Tests run in parallel, each worker with a control plane of its own: they wait most of the time.
WORKERS ?= 4
# The folders of tests: those that need no Kubernetes API server, and those that need one. tests/image builds the image.
UNIT := tests/unit tests/contracts tests/model tests/aws tests/guards
E2E := tests/e2e tests/attacks tests/chart tests/controlplane tests/gitops tests/monitoring tests/bench
ACTIONLINT_VERSION := v1.7.12
# Mappings of the benchmark, and from how many on it writes its page.
N ?= 10000
PUBLISHED := 10000

export PYTHON

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## set up .venv with the command esm-operator and the tools of the tests

.PHONY: demo
demo: $(STAMP) ## see it work on this machine; DEMO_ONCE=1: end by itself; DEMO_CONTEXT=NAME: in a cluster of yours
	@$(BIN)/python -m tests.demo

.PHONY: test
test: $(STAMP) ## run all tests; ARGS="-k word" or "-m 'not long'" for some of them; WORKERS=1: one after the other
	@$(BIN)/python -m tests.controlplane --build-only --tools >/dev/null
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

.PHONY: unit
unit: $(STAMP) ## run the tests that need no Kubernetes API server
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(UNIT) $(ARGS)

.PHONY: e2e
e2e: $(STAMP) ## run the tests against a Kubernetes API server
	@$(BIN)/python -m tests.controlplane --build-only --tools >/dev/null
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(E2E) $(ARGS)

.PHONY: coverage
coverage: $(STAMP) ## run the tests and report the lines of the operator that no test runs; ARGS as in make test
	@$(BIN)/python -m tests.controlplane --build-only --tools >/dev/null
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report --skip-covered --show-missing

.PHONY: guards
guards: $(STAMP) ## disable each guard in turn, and show which test notices; ARGS="NAME ..." for some of them
	@$(BIN)/python -m tests.guards $(ARGS)

.PHONY: bench
bench: $(STAMP) ## measure with 10,000 mappings (90 minutes) and write docs/reference/performance.md; N=500: fewer, and only report
	@$(BIN)/python -m tests.controlplane --build-only >/dev/null
	$(BIN)/python -m tests.bench --mappings $(N) $(if $(shell test $(N) -ge $(PUBLISHED) && echo yes),--write) $(ARGS)

.PHONY: api-server-cost
api-server-cost: $(STAMP) ## measure the CPU time that requests cost the API server; ARGS="--crd FILE": compare another CRD
	@$(BIN)/python -m tests.controlplane --build-only >/dev/null
	$(BIN)/python -m tests.bench.api_server_cost $(ARGS)

.PHONY: control-plane
control-plane: $(STAMP) ## run etcd and kube-apiserver until Ctrl-C; K8S_VERSION=1.32.13 for another version
	@$(BIN)/python -m tests.controlplane $(if $(K8S_VERSION),--kubernetes-version $(K8S_VERSION))

.PHONY: aws
aws: $(STAMP) ## run the AWS server until Ctrl-C; ARGS="--pace 5" for its options
	@$(BIN)/python -m tests.aws $(ARGS)

.PHONY: lint
lint: $(STAMP) ## check style, types, the layers of imports and whether the generated files are up to date
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	PYTHONPATH=operator $(BIN)/lint-imports --no-logo --no-cache
	$(TOOLS) --check
	$(TOOLS).phrases

.PHONY: workflows
workflows: ## check .github/workflows with actionlint; needs Go
	go run github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)

.PHONY: format
format: $(STAMP) ## put the code into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: docs
docs: $(STAMP) ## build the documentation as a site into build/site; each warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

.PHONY: docs-version
docs-version: $(STAMP) ## commit the site of VERSION=0.1 to the local branch gh-pages, as the latest one
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 mike deploy --update-aliases $(VERSION) latest
	PATH="$(CURDIR)/$(BIN):$$PATH" mike set-default latest

.PHONY: dashboard
dashboard: $(STAMP) ## draw docs/reference/dashboard.png from a run that Prometheus scrapes (10 minutes)
	@$(BIN)/python -m tests.controlplane --build-only --tools >/dev/null
	$(BIN)/python -m tests.monitoring $(ARGS)

.PHONY: picture
picture: $(STAMP) ## draw docs/tutorial/session.svg, the session at a terminal, from a real run
	$(BIN)/python -m tests.demo.picture

.PHONY: crds
crds: $(STAMP) ## write crds/, the chart's CRDs and the reference of fields from the models
	$(TOOLS) crds fields

.PHONY: tables
tables: $(STAMP) ## write the tables of docs/ and of the chart's README from the code
	$(TOOLS) settings metrics guards migrating iam messages chart phrases

.PHONY: lock
lock: $(STAMP) ## write the lock files from pyproject.toml; UPGRADE=--upgrade for the newest versions
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml
	echo uv | $(COMPILE) --output-file .ci/uv.lock -

.PHONY: clean
clean: ## remove what was set up or made in the checkout; the programs in ~/.cache/esm-operator stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build dist operator/*.egg-info
	find operator tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements-dev.lock pyproject.toml .ci/setup .ci/uv.lock
	@.ci/setup
	@touch $@
