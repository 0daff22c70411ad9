# SPDX-License-Identifier: GPL-3.0-or-later
MAKEFLAGS += --no-print-directory --no-builtin-rules
# Whatever runs from here keeps what Python has compiled: each of many programs would do it anew.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help demo test canary crashes races soak mutants reliability lint screenshots kpz clean

bin := .venv/bin

# Where every branch must be covered by the tests; the rest is covered as far as it makes sense.
WHOLLY_COVERED := src/tillbridge/domain/*,src/tillbridge/service/*
# Processes that share the tests: more than the 2 processors that we count on, since many tests wait.
WORKERS := 3

define check_style
	@echo '== style'
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@echo '== types'
	@$(bin)/mypy
endef

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

demo: ## Run library, bridge and till on this machine (ONCE=1: one walk, then stop; ARGS=...: more options)
	@scripts/setup runtime
	@$(bin)/tillbridge demo $(if $(filter-out 0 no,$(ONCE)),--once) $(ARGS)

test: ## Check everything: style, types, tests, coverage
	@scripts/setup test
	$(check_style)
	@echo '== plugin for Koha'
	@prove --norc --quiet -Ikoha-plugin -Ikoha-plugin/t/lib koha-plugin/t
	@rm -f .coverage .coverage.*
	@echo '== tests'
	@$(bin)/coverage run -m pytest -n $(WORKERS) --dist loadgroup
	@echo '== coverage of what must be covered whole'
	@$(bin)/coverage combine --quiet
	@$(bin)/coverage report --include='$(WHOLLY_COVERED)' --skip-covered --show-missing --fail-under=100
	@echo
	@echo 'All good: style, types, tests and coverage.'

canary: ## Break the bridge on purpose in many ways, and let the simulator find each (ARGS=...: options)
	@scripts/setup test
	@$(bin)/python tests/simulation/canary.py $(ARGS)

crashes: ## Let a process die at every point of every kind of payment, for more than half an hour (ARGS=...: options)
	@scripts/setup test
	@$(bin)/python bench/crashes.py $(ARGS)

races: ## Let two bridges on one PostgreSQL race for the same payments, a thousand times each (ARGS=...: options)
	@scripts/setup test
	@$(bin)/python bench/races.py $(ARGS)

soak: ## Run every proof in its long form, for hours, and write RELIABILITY.md (ARGS=...: options)
	@scripts/setup test
	@$(bin)/python bench/soak.py $(ARGS)

mutants: ## Change domain and service in one place at a time and see that a test fails, for an hour and a half (ARGS=...: options)
	@scripts/setup test
	@$(bin)/python bench/mutants.py $(ARGS)

reliability: ## Write RELIABILITY.md from the last results of make soak
	@scripts/setup test
	@$(bin)/python bench/reliability.py

lint: ## Check style and types alone
	@scripts/setup test
	$(check_style)

screenshots: ## Take pictures of the demo's pages into screenshots/ (ARGS=...: options)
	@scripts/setup test
	@$(bin)/python scripts/screenshots $(ARGS)

kpz: ## Pack the plugin for Koha into dist/
	@python3 scripts/kpz

clean: ## Remove what was built, .venv too
	@rm -rf .venv .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache build dist screenshots
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
