# What a newcomer types. `make demo` and `make test` set up what they need first.
SHELL := /bin/bash
PY := .venv/bin/python
QGIS_PY := .venv-qgis/bin/python
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# QGIS's own Python is /usr/bin/python3; the server takes it too where it is new enough.
SYSTEM_PYTHON := /usr/bin/python3
BASE_PYTHON := $(shell for p in $(SYSTEM_PYTHON) python3.13 python3.12 python3.11 python3.10 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
# Under Xvfb where there is no display.
DISPLAYED := $(if $(DISPLAY),,xvfb-run -a)

.PHONY: help setup system demo test test-server test-plugin check format package bench lock clean

help:
	@echo "make setup    install QGIS and Xvfb where missing (apt), make .venv and .venv-qgis"
	@echo "make demo     a scene, real QGIS, an expression in the panel: demo/panel.png and demo/results.gpkg"
	@echo "make test     all tests; the plugin's inside real QGIS"
	@echo "make check    ruff, mypy, import rules, bandit"
	@echo "make package  dist/rsground-<version>.zip for plugins.qgis.org"
	@echo "make bench    speed and accuracy"
	@echo "make clean    remove what was made"

setup: system .venv/.installed .venv-qgis/.installed

system:
	@missing=(); $(SYSTEM_PYTHON) -c 'import qgis.core' 2>/dev/null || missing+=(qgis python3-qgis); \
	command -v xvfb-run >/dev/null || missing+=(xvfb xauth); \
	$(SYSTEM_PYTHON) -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv); \
	[ $${#missing[@]} = 0 ] && exit 0; \
	if ! command -v apt-get >/dev/null; then \
		echo "These are missing: $${missing[*]}. There is no apt-get here: install QGIS 3.22 or later with its Python"; \
		echo "bindings, Xvfb and Python's venv module with your system's package manager, then run make again."; exit 1; fi; \
	echo "Installing with apt: $${missing[*]}"; \
	$(SUDO) apt-get update -q && \
	DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -q -y --no-install-recommends "$${missing[@]}"

.venv/.installed: pyproject.toml setup.py metadata.txt inference_server/requirements.txt
	@if [ -z "$(BASE_PYTHON)" ] && ! command -v uv >/dev/null; then echo "Python 3.10 or later is needed for the server: install it, or uv."; exit 1; fi
	@if command -v uv >/dev/null; then \
		[ -x $(PY) ] || uv venv --python "$(or $(BASE_PYTHON),3.11)" .venv; \
		uv pip install --quiet --python $(PY) -r inference_server/requirements.txt -e ".[dev]"; \
	else \
		[ -x $(PY) ] || $(BASE_PYTHON) -m venv .venv; \
		$(PY) -m pip install --quiet --disable-pip-version-check -r inference_server/requirements.txt -e ".[dev]"; \
	fi
	@touch $@

# QGIS's Python with what the plugin's tests need on top; QGIS itself is the system's.
.venv-qgis/.installed: | system
	@[ -x $(QGIS_PY) ] || $(SYSTEM_PYTHON) -m venv --system-site-packages .venv-qgis
	@$(QGIS_PY) -m pip install --quiet --disable-pip-version-check "pytest>=8" "hypothesis>=6"
	@touch $@

demo: setup
	bash scripts/demo.sh

# Both halves run, whatever the first one says.
test: setup
	@status=0; \
	$(MAKE) --no-print-directory test-server || status=1; \
	$(MAKE) --no-print-directory test-plugin || status=1; \
	exit $$status

test-server:
	@echo "== protocol and server =="
	@$(PY) -m pytest tests/protocol tests/server

test-plugin:
	@echo "== plugin, in QGIS =="
	@xvfb-run -a $(QGIS_PY) -m pytest tests/plugin tests/protocol

check: .venv/.installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) scripts/check_imports.py
	$(PY) -m bandit -q -r rsground_plugin inference_server

format: .venv/.installed
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

package: .venv/.installed
	$(PY) scripts/package.py

bench: .venv/.installed .venv-qgis/.installed
	$(PY) benchmarks/speed.py
	$(PY) benchmarks/accuracy.py
	xvfb-run -a $(QGIS_PY) benchmarks/panel.py

# The lock file from which the plugin makes its managed environment; needs uv.
lock:
	@{ echo "# The base install, pinned for Python 3.10 to 3.13: the plugin makes its managed environment from this file."; \
	echo "# Made by 'make lock' from pyproject.toml; not written by hand."; \
	uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate pyproject.toml; } > requirements.part \
	&& mv requirements.part inference_server/requirements.txt

clean:
	rm -rf build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path "./.venv*" -prune -exec rm -rf {} +
	@echo "The environments .venv and .venv-qgis stay; remove them by hand to start anew."
