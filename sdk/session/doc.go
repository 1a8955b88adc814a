// Package session is the host's side of the contract: it computes views, checks
// what a policy emits, and calls it in the contract's order, on whatever carrier
// the policy came. WASM modules and in-process tests run through the same code,
// so they see, and give, the same bytes.
package session
