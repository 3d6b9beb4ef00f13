# `make` lists the targets. Every target works from a fresh clone; CI calls the same targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3#      the Python that creates .venv, 3.11 or newer
JOBS ?= 2#              test processes; `make test JOBS=0` uses one
HASHES ?= yes#          HASHES=no installs packages that requirements/ has no hashes of, such as torch without CUDA
BUILD_FLAGS ?=#         build options for the container engine, such as BUILD_FLAGS='--pull --build-arg=TORCH_INDEX=...'
PUSH ?=#                the registry that build-images pushes to, such as PUSH=registry.example/team; empty: no push
ARGS ?=#                more arguments for pytest or the benchmark, such as ARGS='-k domains'

, := ,#                 a comma in an argument of a function

BIN := .venv/bin
READY := .venv/.ok
DEMO_READY := .venv/.demo
DEMO := pipelines/circuits/demo.yaml

.PHONY: help setup requirements demo test test-nightly conformance lint format manifests check-manifests check-security cluster cluster-down \
	cluster-status e2e e2e-smoke bench bench-quality bench-peers build-images sbom clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv with everything for development (the other targets do this if it does not exist)

SETUP_EXTRAS := local,pandas,train,lightning,kfp,model-registry,dev
DEMO_EXTRAS := local,train

# An editable install: a change of the requirements makes it out of date, a change of the code does not.
# requirements/NAME.txt has the versions of constraints.txt, and the hashes of their files, so pip takes no others.
define install
	@$(PYTHON) -c 'import sys; sys.exit("kftune needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": name another with make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@echo "installing kftune[$(2)] into .venv; torch is most of it, and on Linux it brings CUDA unless an index of pip has the CPU build: HASHES=no (README)"
	$(PYTHON) -m venv .venv
	$(if $(filter no,$(HASHES)),\
	$(PIP) install -c constraints.txt -e '.[$(2)]',\
	$(PIP) install --require-hashes -r requirements/$(1).txt && $(PIP) install --no-deps --no-build-isolation -e .)
	@touch $@
endef
PIP := $(BIN)/python -m pip --disable-pip-version-check

$(READY): pyproject.toml constraints.txt requirements/setup.txt
	$(call install,setup,$(SETUP_EXTRAS))

# What the demo needs; where everything is installed, it is not used.
$(DEMO_READY): pyproject.toml constraints.txt requirements/demo.txt
	$(call install,demo,$(DEMO_EXTRAS))

# The files are for every platform, and for every Python that kftune supports. The build backend is in them too.
requirements: build/uv/bin/uv ## write requirements/ anew from pyproject.toml and constraints.txt
	$(call lock,setup,$(SETUP_EXTRAS))
	$(call lock,demo,$(DEMO_EXTRAS))

define lock
	printf '%s\n' 'hatchling>=1.27' 'editables~=0.3' | build/uv/bin/uv pip compile --quiet --universal --generate-hashes --no-annotate --python-version 3.11 \
	  --custom-compile-command 'make requirements' -c constraints.txt $(foreach extra,$(subst $(,), ,$(2)),--extra $(extra)) \
	  -o requirements/$(1).txt pyproject.toml -
endef

build/uv/bin/uv:
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet --disable-pip-version-check uv

demo: $(if $(wildcard $(READY)),$(READY),$(DEMO_READY)) ## train a dozen LSTMs on real sensor readings, and write the Experiment that does this on a cluster
	$(BIN)/kftune run $(DEMO)
	$(BIN)/kftune best $(DEMO)
# Without the rules for stopping: they need kftune's early stopping service on the cluster.
	$(BIN)/kftune render $(DEMO) --target katib --out build/demo '~stopping'

test: $(READY) ## run the tests that need no GPU, no cluster and no hours
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

test-nightly: $(READY) ## run the tests with 10 000 examples for each property, and the tests that take hours
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n $(JOBS) --dist worksteal --timeout=21600 -m 'not gpu and not cluster' $(ARGS)

conformance: $(READY) ## compare kftune with recorded results of the engines' code; ARGS=--show prints each disagreement
	PYTHONPATH=tools $(BIN)/python tests/support/conformance.py $(ARGS)

lint: $(READY) ## check style, types and layers; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint images/*/Dockerfile

format: $(READY) ## format the code
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

manifests: $(READY) ## render pipelines/ into manifests/, and tests/golden/ into tests/golden/renders/
	@new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	$(BIN)/kftune render --all pipelines --out "$$new/manifests"; \
	$(BIN)/python tools/golden_renders.py "$$new/golden"; \
	rm -rf manifests tests/golden/renders; mv "$$new/manifests" manifests; mv "$$new/golden" tests/golden/renders; \
	echo "wrote manifests/ and tests/golden/renders/"

check-manifests: $(READY) ## fail if manifests/ is not what pipelines/ renders to; changes nothing
	@new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	$(BIN)/kftune render --all pipelines --out "$$new/manifests" > "$$new/log"; \
	$(BIN)/python tools/golden_renders.py "$$new/golden"; \
	{ diff -ru manifests "$$new/manifests" && diff -ru tests/golden/renders "$$new/golden"; } || { echo "manifests/ or tests/golden/renders/ is out of date: run 'make manifests' and commit the result" >&2; exit 1; }; \
	echo "manifests/ is up to date"

# A separate venv: checkov and kfp need different versions of the same packages.
build/checkov: Makefile
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check checkov==3.3.30
	@touch $@

# checkov knows neither Experiments nor workflows, so it checks their pods too. Skipped checks, and why:
#   CKV2_K8S_6          the cluster defines network policies
#   CKV_K8S_8, 9        probes are for servers; these pods end
#   CKV_K8S_15, 43      overlays choose the tags; with a digest, the pull policy has no effect
#   CKV_K8S_22          training writes caches and checkpoints; the images also work read-only, with a /tmp
#   CKV_K8S_29          on a trial's pod it would also apply to the container that Katib adds, which runs as root
#   CKV_K8S_38          Argo's sidecar of each step needs the token; trials have none
#   CKV_K8S_40          the image defines the user; every container has runAsNonRoot
CHECKOV_SKIPS := CKV2_K8S_6,CKV_K8S_8,CKV_K8S_9,CKV_K8S_15,CKV_K8S_22,CKV_K8S_29,CKV_K8S_38,CKV_K8S_40,CKV_K8S_43

check-security: $(READY) build/checkov ## run checkov on manifests/ and on the pods that they create
	@rm -rf build/pods
	$(BIN)/python tests/support/pods_of_set.py manifests build/pods
	@for folder in manifests build/pods; do \
	  build/checkov/bin/checkov -d $$folder --framework kubernetes --compact --quiet --skip-download --skip-check $(CHECKOV_SKIPS); \
	done; echo "checkov finds nothing in manifests/ and its pods"

# KIND=1 uses kind, where Docker runs; KUBERNETES=1.34 another version. BUILD_FLAGS also applies to the cluster's images.
KIND ?=
KUBERNETES ?= 1.36
CLUSTER := PYTHONPATH=tests $(BIN)/python -m cluster

cluster: $(READY) ## bring up a cluster of one node with Katib and Argo, in .cluster/; needs root and Go, or KIND=1 and Docker
	@$(CLUSTER) up --kubernetes=$(KUBERNETES) $(if $(KIND),--kind) $(addprefix --build-flag=,$(BUILD_FLAGS))

cluster-down: $(READY) ## end that cluster and remove what it left
	@$(CLUSTER) down

cluster-status: $(READY) ## show what runs on that cluster
	@$(CLUSTER) status

# On the cluster of KUBECONFIG, or else on that of `make cluster`.
E2E := $(BIN)/python -m pytest tests/e2e -n0 -rs --junit-xml=build/e2e.xml $(ARGS)

e2e: $(READY) ## check on a cluster what kftune renders and predicts: KUBECONFIG's, or that of `make cluster`
	@test -n "$${KUBECONFIG:-}" || { found=$$($(CLUSTER) environment); eval "$$found"; }; $(E2E) -m cluster; PYTHONPATH=tests $(BIN)/python -m cluster report build/e2e.xml

e2e-smoke: $(READY) ## the five minutes of e2e that show most
	@test -n "$${KUBECONFIG:-}" || { found=$$($(CLUSTER) environment); eval "$$found"; }; $(E2E) -m 'cluster and smoke'

bench: $(READY) ## compare the speed of kftune and its peers; a peer that is not installed is skipped
	$(BIN)/python -m benchmarks $(ARGS)

bench-quality: $(READY) ## compare what kftune's searches find, and what stopping rules save, with its peers
	$(BIN)/python -m benchmarks --rows i$(,)j $(ARGS)

bench-peers: $(READY) ## install the peers of the benchmarks into benchmarks/.venvs
	$(BIN)/python -m benchmarks setup

build-images: $(READY) ## build images/ with docker or podman and write images/images.lock.json
	$(BIN)/kftune images build $(addprefix --flag=,$(BUILD_FLAGS)) $(if $(PUSH),--push=$(PUSH))

# A separate venv: nothing but this target needs its two dozen packages.
build/sbom/tool: Makefile
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0
	@touch $@

sbom: $(READY) build/sbom/tool ## write build/sbom/IMAGE.cdx.json: the Python packages of each built image (CycloneDX)
	@for name in $$($(BIN)/python -c 'from pathlib import Path; from kftune.images import lock_of; print(*lock_of(Path()).images)'); do \
	  $(BIN)/kftune images packages $$name | build/sbom/tool/bin/cyclonedx-py requirements - --output-reproducible --output-file build/sbom/$$name.cdx.json; \
	  echo "wrote build/sbom/$$name.cdx.json"; \
	done

clean: ## remove .venv, caches and build outputs; the results of studies stay
	rm -rf .venv build dist images/kftune .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
