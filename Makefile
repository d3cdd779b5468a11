# Everything a contributor does. CI calls `make test` and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export GOTOOLCHAIN ?= local

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Every package of the product, without the end-to-end tests.
UNIT := $$(go list ./... | grep -v '/e2e$$')
FUZZTIME ?= 30s

.PHONY: help build demo test lint race alloc baseline cover fuzz e2e reliability verify micro bench soak exactness harness image image-test dist dist-test tools clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1|\2/' \
		| while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

build: ## build bin/gateway, static
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/gateway ./cmd/gateway

demo: ## run the gateway in front of its sandbox, with tokens and curl lines to try
	@scripts/install-tools.sh demo
	@$(MAKE) build
	@exec bin/gateway demo

test: ## everything CI checks; installs what the tests need and says so
	@scripts/test.sh

tools: ## install what the tests need (Debian packages, npm packages, linters into bin/)
	@scripts/install-tools.sh

lint: tools ## gofmt, go vet, golangci-lint, shellcheck
	@scripts/lint.sh

race: tools ## unit tests with the race detector, in random order
	@mkdir -p bin/test
	@go test -json -race -shuffle=on -count=1 -timeout=3m -coverprofile=bin/test/cover.out $(UNIT) | bin/testsum -o bin/test/race.count

alloc: tools ## the zero-allocation tests, and what the hot path's benchmarks allocate against what was recorded
	@mkdir -p bin/test
	@scripts/alloc.sh | bin/testsum -o bin/test/alloc.count
	@scripts/allocs.sh

baseline: tools ## record what the hot path's benchmarks allocate
	@scripts/allocs.sh -record

cover: race ## coverage per package, with the floor that each rule room must keep
	@scripts/cover.sh bin/test/cover.out

fuzz: tools ## every fuzz target for FUZZTIME (30s, or 1000x inputs) each
	@scripts/fuzz.sh $(FUZZTIME) | bin/testsum -o bin/test/fuzz.count

e2e: tools ## the built binary over real sockets, with curl and the official SDK
	@mkdir -p bin/test
	@go test -json -count=1 -timeout=5m -parallel=4 ./e2e/ | bin/testsum -o bin/test/e2e.count

reliability: tools ## the fault figures of docs/reliability.md, with their full counts (minutes)
	@scripts/reliability.sh

verify: tools ## the schema and the files of deploy, by the types of the programs that read them
	@mkdir -p bin/test
	@go -C deploy/verify test -json -count=1 ./... | bin/testsum -o bin/test/verify.count

micro: ## the micro-benchmarks beside the code, with allocations
	@go test -run '^$$' -bench . -benchmem $(UNIT)

bench: ## measure against HAProxy, nginx and Caddy (an hour); ARGS=-smoke for a minute
	@go -C bench run . $(if $(ARGS),$(ARGS),-write ../docs/performance.md)

soak: ## an hour at half load, which must end with the memory that it had after five minutes
	@go -C bench run ./soak $(ARGS)

exactness: build ## find out how exactly we and others keep a limit; writes docs/exactness.md
	@go -C bench run ./exactness -compare -write ../docs/exactness.md

harness: tools ## vet and test the benchmark itself, which nothing here runs
	@mkdir -p bin/test
	@go -C bench vet ./...
	@(go -C bench test -json -count=1 ./... && go -C tools test -json -count=1 ./allocs) | bin/testsum -o bin/test/harness.count

image: ## build the container image with docker, podman or buildah
	@scripts/image.sh --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT)

image-test: tools ## build the image for amd64 and arm64 without a registry, and run it
	@scripts/image-test.sh

dist: ## write the archives, Debian packages and checksums of a release to dist/
	@VERSION=$(VERSION) COMMIT=$(COMMIT) scripts/dist.sh

dist-test: tools ## make a release twice, compare the bytes, install the package
	@scripts/dist-test.sh

clean: ## remove everything that was built or installed here
	@rm -rf bin dist e2e/node_modules
