# Deployment and everything that needs tools besides Rust. `cargo run` and `cargo test` do not use this file.
# The tools are Python packages, installed into .venv.

# The section of infra/deploy/samconfig.toml: dev, prod, or one that you add.
ENVIRONMENT ?= dev
# The functions' processor, arm64 or x86_64; empty for that of samconfig.toml, else the template's default, arm64.
ARCHITECTURE ?=
# BUILD=FOLDER           deploys a build that exists, instead of building
# CONFIRM=STACK          confirms a deployment or deletion without a terminal, by the name of the stack
# PARAMETERS="K=V K=V"   parameters of the template, besides those of samconfig.toml
# SAMCONFIG=FILE         another configuration file
# SMOKE="OPTIONS"        options of `nsl smoke`, such as --skip cors; NSL=PROGRAM runs an nsl that is built
# LOCAL=1                tests the local gateway instead of a stack
export ARCHITECTURE BUILD CONFIRM NSL PARAMETERS SAMCONFIG SMOKE

stack := $(CURDIR)/.venv/sam/bin/python -B $(CURDIR)/infra/deploy/stack

.DEFAULT_GOAL := help
.PHONY: help check preflight deploy smoke destroy sam-build sam-local lambda-watch arm64 ministack stack-life dynamodb-local client-js tools

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Can be set: ENVIRONMENT=dev|prod|…, ARCHITECTURE=arm64|x86_64, BUILD=FOLDER, CONFIRM=STACK,"
	@echo "  PARAMETERS=\"KEY=VALUE …\", SAMCONFIG=FILE, SMOKE=\"OPTIONS\"; docs/DEPLOYMENT.md explains them."

check: ## Check template.yaml, IAM policies and the documents' aws commands
	infra/checks/run

preflight: sam ## Find in seconds what would fail a deployment, and change nothing
	@$(stack) preflight "$(ENVIRONMENT)"

deploy: sam ## Check, build and deploy the stack of ENVIRONMENT
	@$(stack) deploy "$(ENVIRONMENT)"

smoke: $(if $(LOCAL),,sam) ## Test the deployed stack of ENVIRONMENT from outside; LOCAL=1 the local gateway
	@$(if $(LOCAL),$(or $(NSL),cargo run --quiet --bin nsl --) smoke $(SMOKE) --local,$(stack) smoke "$(ENVIRONMENT)")

destroy: tools ## Delete the stack of ENVIRONMENT with everything in it, unless it is protected
	@$(stack) destroy "$(ENVIRONMENT)"

sam-build: tools ## Build every function for Lambda into .aws-sam, and print the sizes
	infra/deploy/sam-build $(or $(ARCHITECTURE),arm64)

sam-local: tools ## Run the system on sam local, with Docker: HTTP, WebSocket, streams
	infra/deploy/sam-local

lambda-watch: ## Run the functions under cargo lambda watch, which recompiles changes
	infra/deploy/lambda-watch

arm64: ## Run the system tests on the arm64 build, under QEMU
	infra/deploy/arm64

ministack: tools ## Deploy to a local AWS emulator, test, delete
	infra/deploy/ministack

stack-life: tools ## Deploy, upgrade, protect and delete stacks on that emulator, step by step
	infra/deploy/stack-life

dynamodb-local: ## Run DynamoDB Local until Ctrl-C
	infra/deploy/dynamodb-local

client-js: ## Pack the npm package infra/client-js into target/
	infra/client-js/pack target

# Without the compiler for Lambda, which `make deploy` installs when its checks have passed.
.PHONY: sam
sam:
	@infra/checks/venv sam infra/checks/sam.txt

tools: sam
	@infra/checks/venv build infra/deploy/build.txt
