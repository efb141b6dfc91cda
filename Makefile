# Two commands: `make demo` runs the main job, `make test` passes the tests. Both set up what they need.
PYTHON ?= python3
VENV := .venv
LABEL_STUDIO_VENV := .venv-label-studio
LABEL_STUDIO_VERSION := 1.23.2
PIP_FLAGS ?= --disable-pip-version-check -qq

.PHONY: demo test check open clean

demo: $(VENV)/.ready $(LABEL_STUDIO_VENV)/.ready
	LABEL_STUDIO_BIN=$(LABEL_STUDIO_VENV)/bin/label-studio $(VENV)/bin/workbench demo --directory demo

open: $(VENV)/.ready $(LABEL_STUDIO_VENV)/.ready
	LABEL_STUDIO_BIN=$(LABEL_STUDIO_VENV)/bin/label-studio $(VENV)/bin/workbench demo --directory demo --open

test: $(VENV)/.ready-to-test $(LABEL_STUDIO_VENV)/.ready
	OMP_NUM_THREADS=1 LABEL_STUDIO_BIN=$(CURDIR)/$(LABEL_STUDIO_VENV)/bin/label-studio \
	  $(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.ready-to-test
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Setting up the workbench in $(VENV) (about a minute, once) ..."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install $(PIP_FLAGS) --constraint constraints.txt --editable .
	@touch $@

# The last line's packages are oracles of the tests. What batchbald-redux asks for brings a torchvision that
# does not fit torch's CPU build and breaks baal, and the tests need none of it.
$(VENV)/.ready-to-test: $(VENV)/.ready
	@echo "Setting up what the tests need in $(VENV) (about a minute, once) ..."
	$(VENV)/bin/pip install $(PIP_FLAGS) --constraint constraints.txt --editable '.[test]'
	$(VENV)/bin/pip install $(PIP_FLAGS) --no-deps batchbald-redux==2.0.5 toma==1.1.0
	@touch $@

# Label Studio pins its libraries tightly, so it lives in an environment of its own.
$(LABEL_STUDIO_VENV)/.ready: Makefile
	@echo "Setting up Label Studio $(LABEL_STUDIO_VERSION) in $(LABEL_STUDIO_VENV) (about a minute, once) ..."
	$(PYTHON) -m venv $(LABEL_STUDIO_VENV)
	$(LABEL_STUDIO_VENV)/bin/pip install $(PIP_FLAGS) label-studio==$(LABEL_STUDIO_VERSION)
	@touch $@

clean:
	rm -rf $(VENV) $(LABEL_STUDIO_VENV) .cache build dist *.egg-info
