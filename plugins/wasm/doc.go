// Package wasm is the sandbox: it loads policies that are WASM modules, by wazero.
//
// A module gets the functions of the contract (import module upl_v1) and of WASI
// only what a Go program needs to start: no file, no argument, no environment, no
// socket, a clock that is not the world's, randomness that follows from the run's
// seed. Whatever else it imports is refused before any of its code is compiled.
package wasm
