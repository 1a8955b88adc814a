// Package sdk is the contract between upl-host and its plugins.
package sdk
