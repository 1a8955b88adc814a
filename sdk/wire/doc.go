// Package wire is the plugin contract over gRPC: policies.proto and the plugin's
// side of it. Authors use package serve, which puts their policies behind it.
package wire
