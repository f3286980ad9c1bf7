# Every command is one line here and one module under cli/ or lab/. STACK chooses the environment: dev, staging, prod.
STACK ?= dev
OUT ?= build/render
BASE ?= main
PYTHON ?= $(shell command -v python3.11 || command -v python3)
OPS = STACK=$(STACK) $(PYTHON) -m cli

.DEFAULT_GOAL := help
.PHONY: help up password recover-password preview diff drift promote pull import plan render verify fault drill watch down destroy backup restore upgrade test bench stress faults settings digests screenshots sbom reference clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

up: ## Bring the stack up, or bring it up to date; REFRESH=1 puts back what was changed elsewhere too
	@$(OPS) up $(if $(REFRESH),refresh)

password: ## Print Grafana's administrator password
	@$(OPS) password

recover-password: ## Give Grafana the configured administrator's password, when nobody knows the one it has
	@$(OPS) recover-password

preview: ## Show what `up` would change
	@$(OPS) preview

diff: ## Say what changes in meaning since BASE, as Markdown; needs no engine, Docker or secrets (PICTURES=dir does)
	@CHANGED="$(CHANGED)" PICTURES="$(PICTURES)" $(OPS) diff "$(BASE)" $(if $(findstring file,$(origin STACK)),,$(STACK))

promote: ## Bring what FROM runs to TO, as FROM=staging TO=prod (asks first)
	@$(OPS) promote "$(FROM)" "$(TO)"

pull: ## Write the dashboard UID, as it is in Grafana now, to a file that builds it
	@$(OPS) pull "$(UID)"

import: ## Manage the folders, data sources and dashboards that people made in Grafana
	@$(OPS) import

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

backup: ## Everything of one moment into an archive: TO=dir ENCRYPT=age1…|file
	@$(OPS) backup "$(TO)"

restore: ## An archive becomes the stack: FROM=archive DECRYPT=file ARCHIVE_KEY=file (asks where there is data)
	@$(OPS) restore "$(FROM)"

upgrade: ## Another version, and back with the data if it does not do: COMPONENT=grafana TO=12.4.1
	@$(OPS) upgrade "$(COMPONENT)" "$(TO)"

test: ## Types, lint, unit tests, contracts, rules; end to end where an engine is
	@$(OPS) test

bench: ## Measure speed, as ratios in one run
	@$(OPS) bench

stress: ## Load, kill and fill a stack of its own, and count what is lost: RATE=1000 FOR=5m
	@$(OPS) stress "$(RATE)" "$(FOR)"

faults: ## Break a stack of its own in every way there is, with figures: ONLY=disk-prometheus
	@$(OPS) faults "$(ONLY)"

settings: ## Write the reference of settings from the schema
	@$(OPS) settings

digests: ## Fill in the images' digests from the registry
	@$(OPS) digests

sbom: ## Write what a stack is made of, as CycloneDX: OUT=sbom.json
	@$(OPS) sbom "$(if $(findstring file,$(origin OUT)),,$(OUT))"

screenshots: ## Take the README's pictures from the running stack
	@$(OPS) screenshots

reference: ## Write the generated reference pages: recorded series, alerts, outputs
	@$(OPS) reference
