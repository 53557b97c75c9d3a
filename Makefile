SHELL  := /bin/bash
GO     ?= go
TAGS   := nomsgpack
LINT   := $(GO) tool -modfile=.ci/lint.mod golangci-lint
LDFLAGS := -s -w
FUZZTIME ?= 10s

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the program into bin/keyway
	CGO_ENABLED=0 $(GO) build -tags $(TAGS) -trimpath -ldflags '$(LDFLAGS)' -o bin/keyway ./cmd/keyway

.PHONY: demo
demo: build ## start the demo: all legacy systems on an embedded SQLite
	@bin/keyway demo $(ARGS)

.PHONY: test
test: test-needs ## run every suite, installing what it needs
	$(GO) test -race -tags $(TAGS) -timeout 40m ./...

.PHONY: test-needs
test-needs:
	@scripts/test-needs.sh

.PHONY: test-upstreams
test-upstreams: ## run what needs servers too heavy for test, installing them
	@scripts/test-upstreams-needs.sh
	$(GO) test -race -tags $(TAGS),upstreams -timeout 40m -run '^TestWith(Samba|Node|SimpleSAMLphp)' ./provider/upstream/... ./cmd/keyway

.PHONY: lint
lint: ## check the code
	$(LINT) run ./...
	$(LINT) fmt --diff ./...
	scripts/sizes.sh

.PHONY: bench
bench: build test-needs ## measure every row of docs/performance.md on SQLite and PostgreSQL
	$(GO) run -tags $(TAGS) ./bench -out bench/latest.md $(ARGS)

.PHONY: profile
profile: ## where the processor's time goes in a legacy login, or in BENCH=Introspection and others
	$(GO) test -tags $(TAGS) -run '^$$' -bench '$(or $(BENCH),LegacyLogin)$$' -benchtime 5s -cpuprofile bench/latest.prof -o bench/latest.test ./cmd/keyway
	$(GO) tool pprof -top -cum -nodecount 40 bench/latest.test bench/latest.prof

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME (10s)
	@set -e; for pkg in $$($(GO) list -tags $(TAGS) ./...); do \
	  for f in $$($(GO) test -tags $(TAGS) -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f"; $(GO) test -tags $(TAGS) -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

.PHONY: docs
docs: ## write the generated documents anew
	$(GO) test -tags $(TAGS) ./config -run 'Generated' -update
