# Everything a person runs on this project. `make` alone prints this list.
# Needs Python 3.11+, git and make; the rest is installed into .venv and built into the user's cache folder.

PYTHON ?= python3
JOBS   ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test unit crash cluster check format lint types imports dependencies locks lock manifests manifests-check docs docs-check image image-test rules workflows clean

help:  ## print this list
	@awk 'BEGIN {FS = ":.*##"} /^[a-z-]+:.*##/ {printf "  make %-13s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP)  ## see an upload become Ready: real API server, SCM simulator, operator (KEEP=1 stays up)
	@$(BIN)/python -m dev.demo $(if $(filter-out 0,$(KEEP)),--keep)

test: $(STAMP)  ## all tests; the cluster tests run on a real kube-apiserver and etcd
	@$(BIN)/python -m dev.control_plane build
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

unit: $(STAMP)  ## the unit tests and the model alone: no cluster
	@$(BIN)/python -m pytest -n $(JOBS) tests/unit tests/model $(ARGS)

crash: $(STAMP)  ## kill the operator in SEEDS=100 runs and look for what is doubled or lost (SEED=17 replays one)
	@$(BIN)/python -m dev.control_plane build
	@$(BIN)/python -m tests.crash $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),100)) --jobs $(JOBS) $(ARGS)

cluster: $(STAMP)  ## a real control plane with the CRDs installed; prints KUBECONFIG, stays until Ctrl-C
	@$(BIN)/python -m dev.control_plane run

rules: $(STAMP)  ## try the alerts and the dashboard with promtool (Debian: apt-get install prometheus)
	@$(BIN)/python -m dev.alerts

image: $(STAMP)  ## build the image with docker, podman or buildah (BASE=image, TAG=name)
	@$(BIN)/python -m dev.image $(if $(BASE),--base $(BASE)) $(if $(TAG),--tag $(TAG))

image-test: $(STAMP)  ## build the image on a Debian made on the spot, and run it: needs root, buildah, mmdebstrap
	@$(BIN)/python -m dev.control_plane build
	@$(BIN)/python -m tests.image $(ARGS)

check: lint types imports dependencies locks manifests-check docs-check workflows test  ## what must be green before a commit lands

format: $(STAMP)  ## format the code and sort the imports
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/hadolint Dockerfile

types: $(STAMP)
	@$(BIN)/mypy

imports: $(STAMP)
	@$(BIN)/lint-imports

dependencies: $(STAMP)
	@$(BIN)/deptry .

locks: $(STAMP)
	@$(BIN)/python -m dev.locks check

lock: $(STAMP)  ## write requirements/*.txt anew after a change to pyproject.toml
	@$(BIN)/python -m dev.locks write

manifests: $(STAMP)  ## make what follows from crds/ and the chart: its values, its README's table, kustomize, install.yaml
	@$(BIN)/python -m dev.manifests write

manifests-check: $(STAMP)
	@$(BIN)/python -m dev.manifests check

docs: $(STAMP)  ## write docs/api.md anew after a change to crds/
	@$(BIN)/python -m dev.api_reference write

docs-check: $(STAMP)
	@$(BIN)/python -m dev.api_reference check

workflows: $(STAMP)
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/zizmor --quiet --offline --persona=pedantic .github

clean:  ## remove the virtual environment and all caches of the checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.13 ...")'
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
