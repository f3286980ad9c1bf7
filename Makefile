# Short names for the commands: `obs <command> --help` has every option. STACK chooses the stack: dev, staging, prod.
STACK ?= dev
OUT ?= build/render
BASE ?= main
PYTHON ?= $(shell command -v python3.11 || command -v python3)
OBS = $(PYTHON) -m cli
ON = --stack "$(STACK)"

.DEFAULT_GOAL := help
.PHONY: help up password outputs recover-password preview diff drift promote pull import plan own render verify inventory fault drill watch down destroy repair backup restore upgrade test tools reference lock bench profile growth stress faults measure golden settings scale digests sbom pages import-slos screenshots

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

up: ## Bring the stack up, or up to date; REFRESH=1 corrects what was changed elsewhere too
	@$(OBS) up $(ON) $(if $(REFRESH),--refresh)

password: ## Print Grafana's administrator password
	@$(OBS) password $(ON)

outputs: ## Print the stack's addresses
	@$(OBS) outputs $(ON)

recover-password: ## Set Grafana's administrator password to the configured one, when it is lost
	@$(OBS) recover-password $(ON)

preview: ## Show what `up` would change
	@$(OBS) preview $(ON)

diff: ## Show what changes in meaning since BASE, as Markdown; needs no engine, Docker or secrets (PICTURES=dir does)
	@CHANGED="$(CHANGED)" PICTURES="$(PICTURES)" $(OBS) diff $(ON) "$(BASE)" $(if $(findstring file,$(origin STACK)),,"$(STACK)")

promote: ## Bring what FROM runs to TO, as FROM=staging TO=prod (asks first)
	@$(OBS) promote "$(FROM)" "$(TO)"

pull: ## Write the dashboard UID, as it is in Grafana now, to a file that builds it
	@$(OBS) pull $(ON) "$(UID)"

import: ## Manage the folders, data sources and dashboards that people made in Grafana
	@$(OBS) import $(ON)

plan: ## Show what the program would create; needs no engine, Docker or network
	@$(OBS) plan $(ON)

own: ## List and check the content in your own folder
	@$(OBS) own $(ON)

render: ## Write dashboards, rules and configuration files to OUT; FORMAT=kubernetes writes them as objects to apply
	@$(OBS) render $(ON) "$(OUT)"

drift: ## Check whether the stack is what the program and the state say; a Markdown REPORT=file when it is not
	@$(OBS) drift $(ON) $(if $(REPORT),"$(REPORT)")

verify: ## Check every service, data source, panel, alert and link
	@$(OBS) verify $(ON)

inventory: ## Count what the stores hold
	@$(OBS) inventory $(ON)

fault: ## Inject a fault into the demo: KIND=errors|latency|saturation|crash FOR=5m
	@$(OBS) fault $(ON) "$(KIND)" $(if $(FOR),"$(FOR)")

drill: ## Break the demo, wait for the page, repair it, and compare the times with the calculation
	@$(OBS) drill $(ON)

watch: ## Apply saved dashboards within seconds (development)
	@$(OBS) watch $(ON)

down: ## Remove the containers, keep the data
	@$(OBS) down $(ON)

destroy: ## Remove everything, data included (asks first)
	@$(OBS) destroy $(ON)

repair: ## Repair what an interrupted run left behind, as `up` does
	@$(OBS) repair $(ON)

backup: ## Everything of one moment into an archive: TO=dir ENCRYPT=age1…|file
	@ENCRYPT="$(ENCRYPT)" ARCHIVE_KEY="$(ARCHIVE_KEY)" $(OBS) backup $(ON) $(if $(TO),"$(TO)")

restore: ## Restore an archive: FROM=archive DECRYPT=file ARCHIVE_KEY=file (asks where there is data)
	@DECRYPT="$(DECRYPT)" ARCHIVE_KEY="$(ARCHIVE_KEY)" ACCEPT_UNSIGNED="$(ACCEPT_UNSIGNED)" $(OBS) restore $(ON) "$(FROM)"

upgrade: ## Upgrade one component, and roll back with its data if the new version fails: COMPONENT=grafana TO=12.4.1
	@$(OBS) upgrade $(ON) "$(COMPONENT)" "$(TO)"

test: ## Types, lint, unit tests, contracts, rules; end to end where an engine is; REQUIRE_ALL=1 fails on skips, SMOKE=1 runs the smoke tests alone
	@$(OBS) test

tools: ## Install what the tests need besides Python: images, checkers, the Pulumi CLI
	@$(OBS) tools

reference: ## Write the generated reference pages: commands, recorded series, alerts, outputs
	@$(OBS) reference

lock: ## Resolve the Python packages of pyproject.toml
	@$(OBS) lock

bench: ## Measure speed, as ratios in one run; PART=commands or another part alone
	@$(OBS) bench $(PART)

profile: ## Show where the time of an `up` that changes nothing goes
	@$(OBS) profile

growth: ## Bring up stacks with 10, 100 and 300 watched services, and show what they cost
	@$(OBS) growth

stress: ## Load, kill and fill a stack of its own, and count what is lost: RATE=1000 FOR=5m
	@$(OBS) stress $(or $(RATE),1000) $(or $(FOR),5m)

faults: ## Inject faults into stacks of its own, with figures: ONLY=disk-prometheus
	@$(OBS) faults "$(ONLY)"

measure: ## Run a command that measures, and write its tables to docs/measurements.md: WHAT=bench|drill|faults|stress|verify
	@$(OBS) measure $(ON) "$(WHAT)"

golden: ## Write what `render` writes, for every environment, to tests/golden
	@$(OBS) golden

settings: ## Write the reference of settings from the schema
	@$(OBS) settings

scale: ## Estimate what many services need, and what leaves one machine first: SERVICES=200 HOSTS=20 INSTANCES=3 SERIES=500 REQUESTS=10
	@$(OBS) scale $(foreach n,SERVICES HOSTS INSTANCES SERIES REQUESTS,$(if $($(n)),--$(shell echo $(n) | tr A-Z a-z) $($(n))))

digests: ## Write the images' digests from the registry
	@$(OBS) digests

sbom: ## Write what a stack is made of, as CycloneDX: OUT=sbom.json
	@$(OBS) sbom $(if $(findstring file,$(origin OUT)),,"$(OUT)")

pages: ## Measure and time every dashboard over made-up data, in a real Grafana and browser: SCENARIOS="young fifty" PICTURES=dir
	@$(OBS) pages $(ON) $(SCENARIOS) $(if $(PICTURES),--pictures "$(PICTURES)")

import-slos: ## Read SLOs of Sloth, Pyrra or OpenSLO, and write them as `services:`: FILES="a.yaml b.yaml"
	@$(OBS) import-slos $(FILES)

screenshots: ## Take the documentation's pictures from the running stack
	@$(OBS) screenshots $(ON)
