# upl-host: two builds of one program. bin/upl-host is pure Go; it runs its twin,
# lib/upl-host/upl-host-tensorflow, for what needs TensorFlow.
# `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go
PREFIX ?= /usr/local
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# GPU=1 builds and installs with the TensorFlow that has CUDA.
GPU ?=
TENSORFLOW := $(CURDIR)/.deps/tensorflow$(if $(GPU),-gpu)/2.21.0
# A folder with libtensorflow (libtensorflow.so or libtensorflow_cc.so.2) and,
# in it or beside it, include/tensorflow/c; none: the wheel is fetched.
LIBTENSORFLOW ?= $(TENSORFLOW)/tensorflow

ifeq ($(LIBTENSORFLOW),$(TENSORFLOW)/tensorflow)
tensorflow_ready := $(TENSORFLOW)/.complete
endif
tensorflow_include := $(firstword $(wildcard $(LIBTENSORFLOW)/include $(LIBTENSORFLOW)/../include) $(LIBTENSORFLOW)/include)

# cgo's view of TensorFlow. The library is found beside the program when it is
# installed, and where the wheel unpacked it otherwise.
export CGO_CFLAGS := -I$(tensorflow_include) -O2
export CGO_LDFLAGS := -L$(CURDIR)/.deps/link -ltensorflow_framework -Wl,-rpath,$$ORIGIN/tensorflow -Wl,-rpath,$(LIBTENSORFLOW)
export TF_CPP_MIN_LOG_LEVEL ?= 3

ldflags := -s -w -X main.version=$(VERSION)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

.PHONY: tensorflow
tensorflow: $(tensorflow_ready) ## fetch TensorFlow, once, into .deps
	@.ci/link '$(LIBTENSORFLOW)'

.PHONY: tensorflow-gpu
tensorflow-gpu: ## fetch the TensorFlow that has CUDA, 6 GB, once; then: make build GPU=1
	.ci/tensorflow gpu

$(TENSORFLOW)/.complete:
	.ci/tensorflow $(if $(GPU),gpu,cpu)

.PHONY: env
env: tensorflow ## print the environment for go commands of your own: eval "$$(make -s env)"
	@printf "export CGO_CFLAGS='%s' CGO_LDFLAGS='%s' GOFLAGS='%s' TF_CPP_MIN_LOG_LEVEL=3\n" \
		'$(CGO_CFLAGS)' '$(CGO_LDFLAGS)' "$${GOFLAGS:-} -tags=tensorflow"

.PHONY: build
build: bin/upl-host lib/upl-host/upl-host-tensorflow lib/upl-host/plugins/strategies/strategies.wasm ## build both programs and the policies

# Go's own cache decides what is to be compiled.
.PHONY: bin/upl-host
bin/upl-host:
	CGO_ENABLED=0 $(GO) build -trimpath -tags '' -ldflags '$(ldflags)' -o $@ ./cmd/upl-host

.PHONY: lib/upl-host/upl-host-tensorflow
lib/upl-host/upl-host-tensorflow: tensorflow
	$(GO) build -trimpath -tags tensorflow -ldflags '$(ldflags)' -o $@ ./cmd/upl-host

# The same sources give the same bytes, wherever they are built: operators pin them.
.PHONY: lib/upl-host/plugins/strategies/strategies.wasm
lib/upl-host/plugins/strategies/strategies.wasm:
	@mkdir -p $(@D)
	GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 GOFLAGS= $(GO) build -trimpath -buildvcs=false -buildmode=c-shared -ldflags=-buildid= -o $@ ./strategies
	cp strategies/upl-plugin.yaml $(@D)/

.PHONY: install
install: build ## install below PREFIX (default /usr/local), TensorFlow's library included, and CUDA with GPU=1
	DESTDIR='$(DESTDIR)' .ci/install '$(PREFIX)'

.PHONY: test
test: build tools ## lint, then all tests: units, TensorFlow, plugins in all languages, the built programs, the report in Chromium
	.ci/packages
	$(MAKE) lint
	.ci/test
	.ci/languages
	.ci/fuzz

.PHONY: demo
demo: build ## run the main job on examples/demo
	.ci/demo

.PHONY: demo-matrix
demo-matrix: build ## every method on the demo's glyphs: 44 runs, one table, one figure
	.ci/demo matrix

.PHONY: tools
tools: .deps/bin/golangci-lint

.deps/bin/golangci-lint: .ci/tools/go.mod
	cd .ci/tools && CGO_ENABLED=0 GOFLAGS= GOBIN='$(CURDIR)/.deps/bin' $(GO) install tool
	@touch $@

.PHONY: lint
lint: tensorflow tools ## gofumpt, go vet, golangci-lint, govulncheck
	.ci/lint

.PHONY: fmt
fmt: tools ## format the code
	.deps/bin/golangci-lint fmt ./...
	cd sdk && ../.deps/bin/golangci-lint fmt ./...

.PHONY: bench
bench: tensorflow ## run the benchmarks
	$(GO) test -tags tensorflow -run '^$$' -bench . -benchmem ./...

# QUICK=1 tries it out with small models and few data; ARGS are examples/benchmarks/run's.
.PHONY: bench-compare
bench-compare: build ## the same work in PyTorch, ONNX Runtime and numpy, in one run; into build/compare
	examples/benchmarks/run $(if $(QUICK),--quick) $(ARGS)

.PHONY: strategy-pictures
strategy-pictures: ## make the pictures and tables of docs/strategies anew
	CGO_ENABLED=0 GOFLAGS= $(GO) run ./strategies/gallery

.PHONY: figure-pictures
figure-pictures: build ## make the pictures of docs/figures.md anew, from the demo
	.ci/figures

.PHONY: clean
clean: ## remove what was built; .deps stays
	rm -rf bin lib build
