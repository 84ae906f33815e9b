# Deployment and everything that needs tools besides Rust. `cargo run` and `cargo test` do not use this file.
# The tools are Python packages, installed into .venv.

# The section of infra/deploy/samconfig.toml: dev or prod.
ENVIRONMENT ?= dev
# The functions' processor. arm64 needs `rustup target add aarch64-unknown-linux-gnu`.
ARCHITECTURE ?= arm64

config := $(CURDIR)/infra/deploy/samconfig.toml
sam := SAM_CLI_TELEMETRY=0 PATH="$(CURDIR)/.venv/build/bin:$(CURDIR)/.venv/sam/bin:$$PATH" sam
stack := $(CURDIR)/.venv/sam/bin/python $(CURDIR)/infra/deploy/stack.py
parameters := $(CURDIR)/.aws-sam/parameters.yaml

.DEFAULT_GOAL := help
.PHONY: help check deploy destroy sam-build sam-local lambda-watch arm64 ministack dynamodb-local tools

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  ENVIRONMENT=$(ENVIRONMENT) (dev, prod) and ARCHITECTURE=$(ARCHITECTURE) (arm64, x86_64) can be set."

check: ## Check template.yaml: sam validate, cfn-lint, checkov, the transform
	infra/checks/run

# The account's concurrency is checked and the secret's version read before anything is deployed, so that a failure
# changes nothing.
deploy: sam-build ## Build and deploy the stack of ENVIRONMENT
	$(stack) concurrency $(ENVIRONMENT)
	version="$$($(stack) secret-version $(ENVIRONMENT))" && \
		infra/deploy/parameters $(ENVIRONMENT) Architecture=$(ARCHITECTURE) $$version >$(parameters)
	$(sam) deploy --config-file $(config) --config-env $(ENVIRONMENT) --parameter-overrides file://$(parameters)
	$(stack) protect $(ENVIRONMENT)

destroy: tools ## Delete the stack of ENVIRONMENT with everything in it, unless it is protected
	$(stack) may-be-deleted $(ENVIRONMENT)
	$(sam) delete --config-file $(config) --config-env $(ENVIRONMENT)

sam-build: tools ## Build every function for Lambda into .aws-sam, and print the sizes
	infra/deploy/sam-build $(ARCHITECTURE)

sam-local: tools ## Run the system on sam local, with Docker: HTTP, WebSocket, streams
	infra/deploy/sam-local

lambda-watch: ## Run the functions under cargo lambda watch, which recompiles changes
	infra/deploy/lambda-watch

arm64: ## Run the system tests on the arm64 build, under QEMU
	infra/deploy/arm64

ministack: tools ## Deploy to a local AWS emulator, test, delete
	infra/deploy/ministack

dynamodb-local: ## Run DynamoDB Local until Ctrl-C
	infra/deploy/dynamodb-local

tools:
	@infra/checks/venv sam infra/checks/sam.txt
	@infra/checks/venv build infra/deploy/build.txt
