package conformance

import (
	"fmt"
	"time"

	"github.com/upl-host/upl-host/sdk"
)

// Status is how a check ended.
type Status string

// How checks end.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip" // there was nothing to try, or an earlier check has to pass first
)

// Result is a check that has ended.
type Result struct {
	ID     string `json:"id"` // "determinism/threads"
	Title  string `json:"title"`
	Status Status `json:"status"`
	// Detail is what was seen: of a failure, why.
	Detail string `json:"detail,omitempty"`
	// Advice is what the author might do: of a failure, or of a pass that could be better.
	Advice  string  `json:"advice,omitempty"`
	Seconds float64 `json:"seconds"`
}

// PolicyReport is what one policy did.
type PolicyReport struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Kind    sdk.Kind `json:"kind"`
	// Params are those of the ordinary runs: the given ones, with what the schema
	// requires and has no default for.
	Params any      `json:"params"`
	Checks []Result `json:"checks"`
}

// Report is what a plugin did.
type Report struct {
	Plugin   string         `json:"plugin"` // its name; without a manifest its file
	Version  string         `json:"version,omitempty"`
	Path     string         `json:"path"`
	Hash     string         `json:"hash,omitempty"` // empty where it could not be loaded
	Checks   []Result       `json:"checks"`         // of the plugin as a whole
	Policies []PolicyReport `json:"policies"`
	Verdict  Status         `json:"verdict"` // Pass or Fail
	Seconds  float64        `json:"seconds"`
}

// Count is how many checks ended so.
func (r *Report) Count(status Status) int {
	n := count(r.Checks, status)
	for _, p := range r.Policies {
		n += count(p.Checks, status)
	}
	return n
}

func count(results []Result, status Status) int {
	n := 0
	for _, r := range results {
		if r.Status == status {
			n++
		}
	}
	return n
}

// Err is nil, or an *Error where a check failed.
func (r *Report) Err() error {
	if r.Verdict == Pass {
		return nil
	}
	return &Error{Plugin: r.Plugin, Failed: r.Count(Fail), Tried: r.Count(Fail) + r.Count(Pass)}
}

func (r *Report) conclude(began time.Time) *Report {
	r.Verdict = Pass
	if r.Count(Fail) > 0 {
		r.Verdict = Fail
	}
	r.Seconds = time.Since(began).Seconds()
	return r
}

// Error says that a plugin does not keep the contract.
type Error struct {
	Plugin        string
	Failed, Tried int
}

func (e *Error) Error() string {
	return fmt.Sprintf("plugin %s fails %d of %d checks", e.Plugin, e.Failed, e.Tried)
}
