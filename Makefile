# Every command is one line here and one module under ops/. STACK chooses the environment: dev, staging, prod.
STACK ?= dev
OUT ?= build/render
BASE ?= main
PYTHON ?= $(shell command -v python3.11 || command -v python3)
OPS = STACK=$(STACK) $(PYTHON) -m ops

.DEFAULT_GOAL := help
.PHONY: help up password preview plan render verify fault drill watch down destroy test bench stress faults digests screenshots clean diff drift

help: ## List the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

up: ## Bring the stack up, or bring it up to date
	@$(OPS) up

password: ## Print Grafana's administrator password
	@$(OPS) password

preview: ## Show what `up` would change
	@$(OPS) preview

diff: ## Say what changes in meaning since BASE, as Markdown; needs no engine, Docker or secrets (PICTURES=dir does)
	@CHANGED="$(CHANGED)" PICTURES="$(PICTURES)" $(OPS) diff "$(BASE)" $(if $(findstring file,$(origin STACK)),,$(STACK))

plan: ## Show what the program would create; needs no engine, Docker or network
	@$(OPS) plan

render: ## Write dashboards, rules and configuration files to OUT
	@$(OPS) render $(OUT)

drift: ## Say whether the stack is what the program says and the state believes; a Markdown REPORT=file when it is not
	@$(OPS) drift $(REPORT)

verify: ## Ask every service, data source, panel and correlation whether it works
	@$(OPS) verify

fault: ## Break the demo: KIND=errors|latency|saturation|crash FOR=5m
	@$(OPS) fault "$(KIND)" "$(FOR)"

drill: ## Break the demo, wait until somebody is told, mend it, and report against the arithmetic
	@$(OPS) drill

watch: ## Apply saved dashboards within seconds (development)
	@$(OPS) watch

down: ## Remove the containers, keep the data
	@$(OPS) down

destroy: ## Remove everything, data included (asks first)
	@$(OPS) destroy

test: ## Types, lint, unit tests, contracts, rules; end to end where an engine is
	@$(OPS) test

bench: ## Measure speed, as ratios in one run
	@$(OPS) bench

stress: ## Load, kill and fill a stack of its own, and count what is lost: RATE=1000 FOR=5m
	@$(OPS) stress "$(RATE)" "$(FOR)"

faults: ## Break a stack of its own in every way there is, with figures: ONLY=disk-prometheus
	@$(OPS) faults "$(ONLY)"

digests: ## Fill in the images' digests from the registry
	@$(OPS) digests

screenshots: ## Take the README's pictures from the running stack
	@$(OPS) screenshots
