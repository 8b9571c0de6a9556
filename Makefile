# `make demo` and `make test` do all the set-up on a fresh Debian/Ubuntu machine.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

# What Qt, OpenGL without a graphics card, and a virtual screen need.
SYSTEM := python3-venv xvfb libgl1 libegl1 libgl1-mesa-dri libdbus-1-3 \
	libglib2.0-0 libfontconfig1 \
	libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 \
	libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 \
	libxcb-util1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1

# Each process of tests takes up to 2 GB; `make test JOBS=0` runs them one by one.
JOBS ?= 2
PARALLEL := -n $(JOBS) --dist worksteal

# slicer-core is 3D Slicer's own C++; it lives in an environment of its own.
SLICER := .venv-slicer
SLICER_BIN := $(SLICER)/bin

.PHONY: demo test test-all test-slicer slicer-export lint system env clean \
	coverage lock audit wheel docs docs-serve screenshots slicer-screenshots notebooks

demo: env
	$(BIN)/napari-microus demo --overwrite

test: env lint
	$(BIN)/python -m pytest -q $(PARALLEL)
	$(MAKE) --no-print-directory test-slicer

test-all: test
	MICROUS_LONG_TESTS=1 $(BIN)/python -m pytest -q $(PARALLEL) tests/test_documentation.py
	$(BIN)/python tests/reliability/fuzz.py
	$(BIN)/python tests/reliability/kill.py
	$(BIN)/python tests/reliability/monkey.py
	$(BIN)/python tests/reliability/windows.py
	$(BIN)/python tests/reliability/ends.py
	$(BIN)/python tests/reliability/growth.py
	$(BIN)/python tests/reliability/mutants.py
	$(BIN)/python tests/reliability/disks.py
	$(BIN)/python tests/reliability/memory.py
	$(BIN)/python tests/reliability/degenerate.py --large

# Statements run by the suite, in its child processes too: fails below the bounds.
coverage: env
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[coverage]"
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -q $(PARALLEL)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --include "*/core/*" --fail-under 95
	$(BIN)/python -m coverage report --skip-covered --include "*/widgets/*" --fail-under 85

lint: env
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

env: system $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[all,test]"
	touch $@

# What releases are built and tested with; run it after a dependency has changed.
lock: env
	$(BIN)/python .ci/lock.py all test > locked.txt

# Asks PyPI's advisories about each locked version. It needs the network.
AUDIT := .venv-audit
audit:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet "pip-audit>=2.7,<3"
	$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --requirement locked.txt

# Builds twice, and keeps the wheel in dist where both are one to the byte.
WHEEL := .venv-wheel
wheel:
	$(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/python -m pip install --quiet -c locked.txt hatchling hatch-vcs
	$(WHEEL)/bin/python tests/reliability/wheel.py --out dist

# The site in `site`. A broken link, a missing picture, a page that the menu lacks: errors.
DOCS := .venv-docs
docs: $(DOCS)/.installed
	$(DOCS)/bin/mkdocs build --strict

docs-serve: $(DOCS)/.installed
	$(DOCS)/bin/mkdocs serve

$(DOCS)/.installed: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet -r docs/requirements.txt
	touch $@

# Every picture of the documentation anew, in real windows on a virtual screen.
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24"
PICTURES := first_minutes segment_pictures correct_pictures compare_pictures \
	adjudicate_pictures train_pictures batch_pictures clinic_pictures in_space_pictures
screenshots: env slicer-screenshots
	$(BIN)/python docs/scripts/concept_plots.py
	$(BIN)/python docs/scripts/architecture.py
	set -e; for script in $(PICTURES); do \
		env -u QT_QPA_PLATFORM $(SCREEN) $(BIN)/python docs/scripts/$$script.py; done

# Slicer's pictures are made without the application, on its own C++ libraries.
slicer-screenshots: system $(SLICER)/.installed
	$(SLICER_BIN)/python slicer_extension/Screenshots/make_pictures.py

# Runs the notebooks and keeps what they print and draw.
notebooks: env
	$(BIN)/python docs/scripts/run_notebooks.py

# Installs only what is missing; without root it prints the one line to run. Since
# Debian 13 and Ubuntu 24.04 some names end in t64 (libglib2.0-0t64).
system:
	@if ! command -v dpkg-query >/dev/null; then exit 0; fi; \
	missing=""; \
	for package in $(SYSTEM); do \
		dpkg-query -W -f='$${Status}\n' $$package $${package}t64 2>/dev/null \
			| grep -q "install ok installed" || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "Please run once: sudo apt-get install -y$$missing"; exit 1; \
	fi

SLICER_TESTS := slicer_extension/MicroUS/Testing/Python

test-slicer: system $(SLICER)/.installed
	$(SLICER_BIN)/python -m pytest -q $(PARALLEL) $(SLICER_TESTS)

$(SLICER)/.installed: constraints.txt slicer_extension/MicroUS/Resources/requirements.txt
	$(PYTHON) -m venv $(SLICER)
	$(SLICER_BIN)/python -m pip install --quiet -r constraints.txt
	$(SLICER_BIN)/python -m pip install --quiet slicer-core==5.12.4.0 "PySide6<6.12" pytest \
		pytest-xdist scipy SimpleITK pillow -r slicer_extension/MicroUS/Resources/requirements.txt
	$(SLICER_BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

# The folder as a repository of its own, ready to be pushed as SlicerMicroUS.
slicer-export:
	rm -rf slicer-export
	mkdir -p slicer-export
	@git ls-files slicer_extension | while read -r file; do \
		target="slicer-export/SlicerMicroUS/$${file#slicer_extension/}"; \
		mkdir -p "$$(dirname "$$target")" && cp "$$file" "$$target"; \
	done

clean:
	rm -rf $(VENV) $(SLICER) $(AUDIT) $(WHEEL) $(DOCS) .coverage* site demo_output
