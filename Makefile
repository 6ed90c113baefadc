# Needs make, python3 (3.11 or later) with its venv module, and nothing else: the rest is set up in .venv and .cache.
# Another Python: make PYTHON=python3.12 test

PYTHON ?= python3
# More arguments for demo, run and pytest: make demo ARGS="--web.listen-address :9292"
ARGS ?=
# The Debian that system-test and image-test make.
SUITE ?= bookworm

# Other arguments may mean another address.
OPEN := $(if $(ARGS),The line 'listening' says what to open,Open http://127.0.0.1:9191/ (metrics are at http://127.0.0.1:9191/metrics))

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv lint format test test-all test-deps demo run system-test image-test fuzz soak recovery-sim lock docs \
	screenshots dashboards bench image-lint clean

help: ## list the targets
	@echo "fail2ban-exporter: make TARGET [PYTHON=python3.12] [ARGS=...]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  %-11s %s\n' "$$target" "$$text"; done

venv: $(VENV)/dev.stamp ## set up .venv with the locked dependencies, the development tools and the exporter

lint: venv ## style, types, architecture contracts, Dockerfile
	$(BIN)/ruff check --extend-exclude .cache
	$(BIN)/ruff format --check --extend-exclude .cache
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

format: venv ## let ruff format the code and fix what it can
	$(BIN)/ruff format --extend-exclude .cache
	$(BIN)/ruff check --fix --extend-exclude .cache

test-deps: venv ## fetch the real programs that the tests run (from Debian; no root needed, nothing is installed)
	$(BIN)/python -m tests.programs

# As many tests at once; auto is two a core, since most of them wait. WORKERS=0: one after the other.
WORKERS ?= auto
test: venv ## everything that CI runs: lint, then all tests
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-deps
	$(BIN)/pytest -n $(WORKERS) --durations=10 $(ARGS)

test-all: venv test-deps .cache/uv/bin/uv ## the tests on each Python from 3.11 to 3.14 that is here or in Debian (ARGS=tests/health: a part)
	$(BIN)/python -m tests.interpreters -n $(WORKERS) $(ARGS)

demo: $(VENV)/runtime.stamp ## the exporter with a simulated fail2ban, on http://127.0.0.1:9191/
	@echo "$(OPEN); Ctrl-C ends it"
	@FAIL2BAN_EXPORTER_PROBE__INTERVAL=$${FAIL2BAN_EXPORTER_PROBE__INTERVAL:-2s} exec $(BIN)/fail2ban-exporter demo $(ARGS)

run: $(VENV)/runtime.stamp ## the exporter with this machine's fail2ban, whose socket only root may open
	@echo "$(OPEN); Ctrl-C ends it"
	@exec $(BIN)/fail2ban-exporter $(ARGS)

system-test: venv ## as root: the systemd units on a booted Debian with its fail2ban (SUITE=bookworm or trixie)
	SUITE=$(SUITE) $(BIN)/pytest -s -o timeout=1800 tests/system $(ARGS)

image-test: venv ## as root: the image, built and run without a Docker engine beside a real fail2ban (SUITE=...)
	SUITE=$(SUITE) $(BIN)/pytest -s -o timeout=1800 tests/image $(ARGS)

recovery-sim: venv ## measure how well outages are put down to jails, on 10,000 simulated timelines (ARGS="--seed 2")
	$(BIN)/python -m tests.recovery --timelines 10000 $(ARGS)

# How many times as many examples as CI tries, of random seeds.
FACTOR ?= 50
FUZZED := tests/fuzz tests/fail2ban/test_pickles.py tests/fail2ban/test_replies.py tests/fail2ban/test_dialects.py \
	tests/fail2ban/test_configuration.py tests/health/test_blame_machine.py tests/integration/test_configuration.py \
	tests/test_state_file.py tests/web/config
fuzz: venv test-deps ## try what comes from outside at random, FACTOR=50 times as often as the tests do, from new seeds
	FUZZ_FACTOR=$(FACTOR) $(BIN)/pytest --timeout 0 $(FUZZED) $(ARGS)

MINUTES ?= 10
soak: venv test-deps ## MINUTES=10 of a fault every second, every scrape checked; then memory, descriptors, threads
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)

docs: venv ## write docs/metrics.md and docs/configuration.md anew from the code
	@mkdir -p docs
	$(BIN)/fail2ban-exporter docs metrics > docs/metrics.md.new && mv docs/metrics.md.new docs/metrics.md
	$(BIN)/fail2ban-exporter docs configuration > docs/configuration.md.new \
		&& mv docs/configuration.md.new docs/configuration.md

screenshots: venv test-deps ## make the pictures of the status page in docs/images anew
	$(BIN)/python -m tests.browser

dashboards: venv ## write the Grafana dashboards (dashboards/grafana/*.json) anew from dashboards/source
	$(BIN)/python -m dashboards.source

bench: venv test-deps .cache/runtime.stamp ## measure what the exporter costs, in some eight minutes, and write docs/performance.md (ARGS=--full)
	$(BIN)/python -m benchmarks $(ARGS)

image-lint: venv ## hadolint alone
	$(BIN)/hadolint Dockerfile

# The resolver has a venv of its own: it is no part of what it locks. UPGRADE=--upgrade takes newer versions.
UPGRADE ?=
COMPILE = .cache/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(UPGRADE)
lock: .cache/uv/bin/uv ## resolve the dependencies again (UPGRADE=--upgrade for newer versions) and write requirements/
	$(COMPILE) --group build --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --extra geoip --constraints requirements/runtime.txt --output-file requirements/geoip.txt
	$(COMPILE) pyproject.toml --extra geoip --group build --group dev --constraints requirements/build.txt \
		--constraints requirements/geoip.txt --output-file requirements/dev.txt

.cache/uv/bin/uv:
	$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/python -m pip --disable-pip-version-check --quiet install uv

clean: ## remove all that make and the tools left here
	rm -rf $(VENV) .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each step of the set-up is done again when its lock or the project's metadata change.
$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is needed and '$(PYTHON)' is not one. Another one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' lacks its venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/runtime.stamp: $(VENV)/python.stamp requirements/build.txt requirements/runtime.txt pyproject.toml
	@echo "installing the locked dependencies and the exporter into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# What users get, without the development tools, some of which would be imported where they are there.
.cache/runtime.stamp: requirements/build.txt requirements/runtime.txt pyproject.toml
	@echo "installing the exporter alone into .cache/runtime"
	@mkdir -p .cache
	@$(PYTHON) -m venv .cache/runtime
	@.cache/runtime/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		-r requirements/build.txt -r requirements/runtime.txt
	@.cache/runtime/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp requirements/dev.txt
	@echo "installing the locked development tools into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
