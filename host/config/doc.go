// Package config is the configuration of a run: what its keys are, where their
// values come from, and what is wrong with them.
//
// [Config] is the one description of the keys. Its fields' tags give default,
// range and allowed values; their comments give the meaning. Reading,
// validation, the reference in docs/configuration.md and the JSON Schema for
// editors all come from there.
//
// Values come, each over the one before, from the defaults, a file (YAML, TOML
// or JSON), UPL_… environment variables and --set assignments. Viper merges
// and decodes them. Since it lower-cases the keys of maps and knows no
// positions, every source is read into a tree of nodes first: faults name line
// and column, and a plugin's parameters keep their case and types.
package config

//go:generate go run ./internal/reference -o ../../docs
