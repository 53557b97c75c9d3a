SHELL := /bin/bash
GO    ?= go
TAGS  := nomsgpack
LINT  := $(GO) tool -modfile=.ci/lint.mod golangci-lint

.PHONY: lint
lint: ## check the code
	$(LINT) run ./...
