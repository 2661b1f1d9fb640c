# Two commands: `make demo` trains the demo and serves TensorBoard; `make test` runs all tests. Both set up what they need.
# `make check` is the fast half of the tests; `make bundle` rebuilds the committed front end; `make screenshots` redraws the pictures of the docs.

PYTHON ?= python3
VENV ?= .venv
LOGDIR ?= logs/demo
OLDEST := .venv-oldest
BIN := $(VENV)/bin
PY := $(BIN)/python
export PYTHONDONTWRITEBYTECODE := 1
export TF_CPP_MIN_LOG_LEVEL := 3

# Node and Chromium are looked up when a recipe runs, not when make starts.
NODE_PATH_CMD = export PATH="$$($(PY) scripts/toolchain.py node):$$PATH"
CHROMIUM_CMD = CHROMIUM="$$($(PY) scripts/toolchain.py chromium)" && export CHROMIUM

.PHONY: help demo test check lint types fast-tests slow-tests frontend-check browser-tests oldest-tests bundle bundle-check screenshots bench clean

help:
	@sed -n 's/^# //p' Makefile | head -2

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed: set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	touch $@

$(VENV)/.package: setup.py tb_activations/__init__.py $(VENV)/.created
	@echo "Installing TensorFlow, TensorBoard and this project into $(VENV) (a few minutes the first time) …"
	PYTHONWARNINGS='ignore:Editable installation' $(BIN)/pip install --quiet --editable '.[tensorflow,demo]'
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.package
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json $(VENV)/.package
	$(NODE_PATH_CMD) && cd frontend && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

demo: $(VENV)/.package
	$(PY) -m demo --log-dir $(LOGDIR)
	$(PY) -m demo.serve --log-dir $(LOGDIR)

lint: $(VENV)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

fast-tests: $(VENV)/.dev
	$(PY) -m pytest -m "not slow and not browser" -n 2 --dist loadfile -q

slow-tests: $(VENV)/.dev
	$(PY) -m pytest -m "slow and not browser" -n 2 --dist loadfile -q

frontend-check: frontend/node_modules/.installed
	$(NODE_PATH_CMD) && cd frontend && npm run --silent check

browser-tests: $(VENV)/.dev frontend/node_modules/.installed
	$(NODE_PATH_CMD) && $(CHROMIUM_CMD) && $(PY) -m pytest -m browser -n 2 -q

$(OLDEST)/.installed: requirements-oldest.txt setup.py
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet --requirement requirements-oldest.txt
	PYTHONWARNINGS='ignore:Editable installation' $(OLDEST)/bin/pip install --quiet --no-deps --editable .
	touch $@

# What Keras 3.3 has got of the slow tests: recording stays the same training, numbers are right, and come through TensorBoard.
OLDEST_TESTS := tests/test_whole_way.py tests/plugin/test_server.py tests/diagnosis/test_callback.py tests/capture/test_batches.py \
  tests/capture/test_values_of_trainings.py tests/capture/test_watch.py tests/capture/test_watched_losses.py \
  tests/capture/test_transparency.py
NEWER_KERAS := masked or remat or classifier or scan or joined

oldest-tests: $(VENV)/.created
	@if $(PY) -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then \
	  $(MAKE) $(OLDEST)/.installed && $(OLDEST)/bin/python -m pytest $(OLDEST_TESTS) -k "not ($(NEWER_KERAS) or xla)" -n 2 --dist loadfile -q; \
	else echo "The oldest TensorFlow that is allowed needs Python 3.12 or older: not tested here."; fi

check: lint types frontend-check fast-tests

test: check browser-tests oldest-tests slow-tests

bundle: frontend/node_modules/.installed
	$(NODE_PATH_CMD) && cd frontend && npm run --silent build

bundle-check: frontend/node_modules/.installed
	$(NODE_PATH_CMD) && cd frontend && npm run --silent build -- --outDir ../.cache/bundle --emptyOutDir
	diff -r .cache/bundle tb_activations/plugin/static || { echo "The committed bundle is not what the sources build: run 'make bundle' and commit."; exit 1; }

# Where the demo was never trained.
$(LOGDIR): | $(VENV)/.package
	$(PY) -m demo --log-dir $(LOGDIR)

screenshots: $(VENV)/.dev frontend/node_modules/.installed | $(LOGDIR)
	$(NODE_PATH_CMD) && $(CHROMIUM_CMD) && $(PY) scripts/screenshots.py --log-dir $(LOGDIR) --out docs/screenshots

bench: $(VENV)/.dev
	$(PY) benchmarks/cost

clean:
	rm -rf $(VENV) $(OLDEST) .cache frontend/node_modules logs/demo build dist *.egg-info
