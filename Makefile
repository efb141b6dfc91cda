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

test: $(VENV)/.ready $(LABEL_STUDIO_VENV)/.ready
	LABEL_STUDIO_BIN=$(CURDIR)/$(LABEL_STUDIO_VENV)/bin/label-studio $(VENV)/bin/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.ready
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Setting up the workbench in $(VENV) (about a minute, once) ..."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install $(PIP_FLAGS) --constraint constraints.txt --editable '.[test]'
	@touch $@

# Label Studio pins its libraries tightly, so it lives in an environment of its own.
$(LABEL_STUDIO_VENV)/.ready: Makefile
	@echo "Setting up Label Studio $(LABEL_STUDIO_VERSION) in $(LABEL_STUDIO_VENV) (about a minute, once) ..."
	$(PYTHON) -m venv $(LABEL_STUDIO_VENV)
	$(LABEL_STUDIO_VENV)/bin/pip install $(PIP_FLAGS) label-studio==$(LABEL_STUDIO_VERSION)
	@touch $@

clean:
	rm -rf $(VENV) $(LABEL_STUDIO_VENV) .cache build dist *.egg-info
