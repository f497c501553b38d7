# Every target is a script of scripts/; this file only names and explains them.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench services base-images clean

help: ## Explain each target
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## From a fresh clone to two runs of a Python transformation and its tables
	@scripts/demo.sh

test: ## Run every test, with the services and images that they need
	@scripts/test.sh

check: ## Format, lints, documentation, licences
	@scripts/check.sh

bench: ## Measure against the peers (MEGABYTES=…, RUNS=…, ONLY=…; WRITE=1 writes docs/benchmarks.md)
	@scripts/bench.sh

services: ## Start what the tests need (Docker engine, RabbitMQ, PostgreSQL, an S3 server) and say where it answers
	@scripts/services.sh

base-images: ## Build the base images and the images of our own components
	@scripts/base-images.sh

clean: ## Remove what was built; images and a running engine stay
	@scripts/clean.sh
