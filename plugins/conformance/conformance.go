package conformance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk/session"
)

// Options are how a plugin is tested.
type Options struct {
	// Params take the place of the defaults in ordinary runs.
	Params json.RawMessage
	// Timeout is how long a check may take; 0: a minute.
	Timeout time.Duration
	// Progress is told of each check as it ends, policy "" of the plugin as a whole;
	// nil: nobody is.
	Progress func(policy string, result Result)
}

// manyTimeouts is after how many checks that ran out of time the rest of a policy's
// are not tried.
const manyTimeouts = 3

// Test tests a plugin: name is what [plugins.Catalogue.Find] takes; without "#policy"
// all of its policies are tested. What is wrong with the plugin is in the report; the
// error is of a name or path that leads nowhere, of Params that the policy does not take
// (*plugins.ParameterError), or the context's.
func Test(ctx context.Context, catalogue *plugins.Catalogue, name string, options Options) (*Report, error) {
	options.ensureDefaults()
	began := time.Now()
	report := &Report{Plugin: filepath.Base(name), Path: name, Policies: []PolicyReport{}}
	policies, err := load(ctx, catalogue, name, options, report)
	if err != nil {
		return nil, err
	}
	for _, p := range policies {
		tested, err := TestPolicy(ctx, p, options)
		if err != nil {
			return nil, err
		}
		report.Policies = append(report.Policies, tested)
	}
	return report.conclude(began), nil
}

func (o *Options) ensureDefaults() {
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	if o.Progress == nil {
		o.Progress = func(string, Result) {}
	}
}

const (
	loads     = "contract/loads"
	manifests = "contract/manifest"
)

// load finds the plugin's policies; what it fails of goes to the report.
func load(ctx context.Context, catalogue *plugins.Catalogue, name string, options Options, report *Report) ([]*plugins.Policy, error) {
	began := time.Now()
	note := func(id, title string, v verdict) {
		result := v.result(check{id: id, title: title}, began)
		report.Checks = append(report.Checks, result)
		options.Progress("", result)
		began = time.Now()
	}
	policies, err := catalogue.FindAll(ctx, name)
	var missing *plugins.NotFoundError
	var nowhere *plugins.PathError
	var manifest *plugins.ManifestError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &missing), errors.As(err, &nowhere):
		return nil, err
	case errors.As(err, &manifest):
		note(manifests, "its manifest is right", failed("", err))
		return nil, nil
	case err != nil:
		note(loads, "it loads", failed("", err))
		return nil, nil
	}
	first := policies[0]
	report.Path, report.Hash = first.Path, first.Hash
	note(loads, "it loads", pass("runtime %s, policies: %s", first.Runtime, names(policies)))
	if first.Manifest == nil {
		note(manifests, "its manifest is right", skip("there is none").but("put "+plugins.ManifestName+" beside it: only a folder with one is found by name, and can be pinned"))
		return policies, nil
	}
	report.Plugin, report.Version = first.Manifest.Name, first.Manifest.Version
	v := pass("%s %s, %s", first.Manifest.Name, first.Manifest.Version, first.Manifest.Licence)
	if first.Manifest.Summary == "" {
		v = v.but("add a summary to " + plugins.ManifestName)
	}
	note(manifests, "its manifest is right", v)
	return policies, nil
}

func names(policies []*plugins.Policy) string {
	list := make([]string, len(policies))
	for i, p := range policies {
		list[i] = p.Name
	}
	return strings.Join(list, ", ")
}

// TestPolicy runs all checks on a policy. Errors are of Params, and the context's.
func TestPolicy(ctx context.Context, p *plugins.Policy, options Options) (PolicyReport, error) {
	options.ensureDefaults()
	s := newSubject(p)
	if err := s.chooseParams(options.Params); err != nil {
		return PolicyReport{}, err
	}
	report := PolicyReport{Name: p.Name, Version: p.Version, Kind: p.Kind, Params: s.params}
	ended := map[string]Status{}
	late := 0
	for _, c := range checks {
		if c.kind != "" && c.kind != p.Kind {
			continue
		}
		began := time.Now()
		var v verdict
		switch {
		case c.after != "" && ended[c.after] != Pass:
			v = skip("%s has to pass first", c.after)
		case late == manyTimeouts:
			v = skip("%d checks ran out of time already", late)
		default:
			v = try(ctx, c, s, options.Timeout)
			if v.late {
				late++
			}
		}
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		result := v.result(c, began)
		ended[c.id] = result.Status
		report.Checks = append(report.Checks, result)
		options.Progress(p.Name, result)
	}
	return report, nil
}

// try runs a check for as long as it may take.
func try(ctx context.Context, c check, s *subject, timeout time.Duration) verdict {
	cause := &session.LimitError{Limit: session.LimitTime, Detail: fmt.Sprintf("the check took more than %v", timeout)}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, cause)
	defer cancel()
	v := c.run(ctx, s)
	v.late = ctx.Err() != nil && v.status == Fail
	return v
}

func (v verdict) result(c check, began time.Time) Result {
	return Result{c.id, c.title, v.status, v.detail, v.advice, time.Since(began).Seconds()}
}
