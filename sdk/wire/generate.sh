#!/usr/bin/env bash
# Writes policies.pb.go and policies_grpc.pb.go anew from policies.proto. Needs
# protoc, which the Python package grpcio-tools has: python3 -m pip install grpcio-tools
set -euo pipefail
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin GOFLAGS= go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
GOBIN=$bin GOFLAGS= go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0
PATH=$bin:$PATH python3 -m grpc_tools.protoc -I . --go_out=. --go_opt=paths=source_relative \
    --go-grpc_out=. --go-grpc_opt=paths=source_relative policies.proto
