# `make` lists the targets. Each sets up what it needs the first time; after that it starts at once.

PYTHON ?= python3
export PYTHON

PIP_INSTALL = .venv/bin/pip install --quiet --disable-pip-version-check
CLIENT = sente/static/client.js
COMPILED = $(wildcard sente/packers/compiled/*)
# What must be covered to the last branch: the pure core, and all that reads bytes and values from outside.
FULLY_COVERED = sente/protocol/*,sente/packers/*,sente/events/*
OLDEST_FASTAPI := $(shell sed -n 's/.*"fastapi>=\([0-9.]*\)".*/\1/p' pyproject.toml)

.SILENT:
.PHONY: help demo test soak direct oldest bench profile check fmt clean

help: ## list the targets
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: .make/demo $(CLIENT) ## run the reference example on 127.0.0.1 (PORT=8001 for another port)
	echo "==> Starting the demo"
	.venv/bin/sente demo $(if $(PORT),--port $(PORT))

test: .make/dev $(CLIENT) ## run every test and hold the coverage
	echo "==> Testing the JavaScript client"
	cd js && npm test --silent
	echo "==> Testing the Python package"
	.venv/bin/coverage run -m pytest
	echo "==> Testing the packers without their compiled part"
	SENTE_PURE=1 .venv/bin/coverage run --append -m pytest -q tests/packers
	echo "==> Asking for full branch coverage of $(FULLY_COVERED)"
	.venv/bin/coverage report --include='$(FULLY_COVERED)' --fail-under=100

soak: .make/dev $(CLIENT) ## cut lines 1,000 times for each transport and packer while events flow, and let clients never read
	echo "==> Soaking"
	.venv/bin/python -m tests.soak.run

direct: .make/dev $(CLIENT) ## run the end-to-end and fault tests again, over sente's WebSocket class for uvicorn
	echo "==> Testing over sente's class for uvicorn"
	UVICORN_WS=sente.integrations.uvicorn:WebSocketProtocol .venv/bin/python -m pytest -q tests/e2e tests/faults

oldest: .make/oldest ## run what touches FastAPI with the oldest version that pyproject.toml allows
	echo "==> Testing with FastAPI $(OLDEST_FASTAPI)"
	.make/oldest/bin/python -m pytest -q tests/integrations/test_fastapi.py tests/integrations/test_depends.py

bench: .make/bench $(CLIENT) ## measure packers and messaging against their peers, for about half an hour
	echo "==> Measuring the packers and their peers"
	.venv/bin/python -m benchmarks.run
	echo "==> Measuring messaging"
	.venv/bin/python -m benchmarks.messaging.run
	echo "==> Measuring several processes"
	.venv/bin/python -m benchmarks.cluster.run
	.venv/bin/python -m benchmarks.cluster.workers
	.venv/bin/python -m benchmarks.cluster.kept
	.venv/bin/python -m benchmarks.cluster.scale
	.venv/bin/python -m benchmarks.cluster.report
	.venv/bin/python -m benchmarks.report
	echo "==> The results are in benchmarks/results/ and docs/reference/benchmarks.md"

profile: .make/bench $(CLIENT) ## draw where the server spends its time, as a flame graph for each workload
	echo "==> Profiling"
	.venv/bin/python -m benchmarks.messaging.profile
	echo "==> Open benchmarks/results/profile/*.svg in a browser"

check: .make/dev $(CLIENT) ## lint, formatting and types
	echo "==> Linting with ruff"
	.venv/bin/ruff check
	echo "==> Checking the formatting with ruff"
	.venv/bin/ruff format --check
	echo "==> Checking types with mypy"
	.venv/bin/mypy
	echo "==> Checking types with pyright"
	js/node_modules/.bin/pyright
	echo "==> Checking types, sizes and the package with tsc, esbuild, publint and attw"
	cd js && npm run --silent check
	echo "==> Checking the shell scripts, where shellcheck is installed"
	if command -v shellcheck >/dev/null; then shellcheck scripts/* .ci/run; fi

fmt: .make/dev ## format the code and fix what can be fixed
	echo "==> Formatting with ruff"
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

clean: ## remove everything that was installed or built here
	echo "==> Removing what was installed or built"
	rm -rf .make .venv .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .benchmarks dist
	rm -rf build *.egg-info sente/packers/*.so
	rm -rf benchmarks/.peers benchmarks/node_modules js/node_modules js/dist js/.build $(CLIENT)
	find . -name __pycache__ -prune -exec rm -rf {} +

# Setup. The environment and node_modules are their own stamps: delete one and it is made again.

.venv/bin/pip:
	scripts/debian-packages venv
	echo "==> Creating .venv"
	$(PYTHON) -m venv .venv

.make/demo: .venv/bin/pip pyproject.toml $(COMPILED)
	echo "==> Installing the package with what the demo needs"
	$(PIP_INSTALL) --editable '.[demo]'
	mkdir -p .make && touch $@

.make/dev: .venv/bin/pip pyproject.toml $(COMPILED) js/node_modules/.package-lock.json
	scripts/debian-packages compiler chromium nginx redis nats
	echo "==> Installing the package with the tools for development"
	$(PIP_INSTALL) --editable '.[dev]'
	mkdir -p .make && touch .make/demo $@

.make/oldest: .venv/bin/pip pyproject.toml
	echo "==> Installing FastAPI $(OLDEST_FASTAPI) in an environment of its own"
	rm -rf $@
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check --editable '.[server]' fastapi==$(OLDEST_FASTAPI) \
		hypothesis pytest pytest-asyncio pytest-timeout
	touch $@

# transit-python2 has a folder of its own: it installs the same module as transit-python.
.make/bench: .venv/bin/pip pyproject.toml $(COMPILED) benchmarks/package-lock.json
	scripts/debian-packages compiler redis nats
	echo "==> Installing the peers"
	$(PIP_INSTALL) --editable '.[bench]'
	$(PIP_INSTALL) --upgrade --target benchmarks/.peers/transit-python2 transit-python2
	cd benchmarks && npm ci --silent
	mkdir -p .make && touch $@

js/node_modules/.package-lock.json: js/package.json js/package-lock.json
	echo "==> Installing the JavaScript tools"
	cd js && npm ci --silent
	touch $@

$(CLIENT): js/node_modules/.package-lock.json js/build.mjs $(wildcard js/tsconfig*.json js/src/*.ts js/src/*/*.ts)
	echo "==> Building the JavaScript client"
	cd js && npm run --silent build
