package label

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// Policy is a loaded policy with the parameters that it is given.
type Policy struct {
	*plugins.Policy
	Params json.RawMessage // an object, or nothing
}

// OpenPolicy loads the policy that a configuration names.
func OpenPolicy(ctx context.Context, catalogue *plugins.Catalogue, c config.Policy, kind sdk.Kind) (*Policy, error) {
	params, err := json.Marshal(c.Params)
	if err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", c.Plugin, err)
	}
	return Open(ctx, catalogue, c.Plugin, params, kind)
}

// Open loads a policy, by name or path, and checks its kind and parameters. A
// policy of the other kind, or a wrong parameter, is the user's to mend:
// *plugins.ParameterError.
func Open(ctx context.Context, catalogue *plugins.Catalogue, name string, params json.RawMessage, kind sdk.Kind) (*Policy, error) {
	loaded, err := catalogue.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if loaded.Kind != kind {
		return nil, &plugins.ParameterError{Policy: loaded.Name, Reason: fmt.Sprintf("it is a policy for %s, and %s is wanted", loaded.Kind, kind)}
	}
	if err := loaded.CheckParams(params); err != nil {
		return nil, err
	}
	return &Policy{Policy: loaded, Params: params}, nil
}

// String says it in a line.
func (p *Policy) String() string {
	return fmt.Sprintf("%s %s %s (%s, %.19s…)", p.Name, p.Version, p.Params, p.Path, p.Hash)
}

// Identity is all of a policy that decides its results: what it may see too.
func (p *Policy) Identity() string {
	parts := []string{p.Hash, p.Name, string(p.Params)}
	if p.SeesFeatures() {
		parts = append(parts, sdk.ViewFeatures.String())
	}
	return strings.Join(parts, "\n")
}

// AsksForFeatures says whether the policy declares that it looks at features.
func (p *Policy) AsksForFeatures() bool {
	return slices.Contains(p.Needs.Views, sdk.ViewFeatures.String())
}

// SeesFeatures says whether it does, and has the operator's grant.
func (p *Policy) SeesFeatures() bool {
	return slices.Contains(p.Granted, plugins.GrantFeatures)
}

// Select runs a selection policy with its parameters. What it logged and measured
// is there with an error too.
func (p *Policy) Select(ctx context.Context, in plugins.Input) (plugins.Selection, error) {
	in.Params = p.Params
	return p.Policy.Select(ctx, in)
}

// Combine runs an ensemble policy with its parameters; emit gets its rows in
// order, in memory that it must not keep.
func (p *Policy) Combine(ctx context.Context, in plugins.Input, emit func(first int, rows []float32) error) (plugins.Record, error) {
	in.Params = p.Params
	return p.Policy.Combine(ctx, in, emit)
}

// CombineFile streams the matrix of an ensemble policy into a .npy file, which
// appears whole or not at all; progress is told how many rows are done.
func (p *Policy) CombineFile(ctx context.Context, in plugins.Input, path string, progress func(rows int)) (_ plugins.Record, err error) {
	n, classes := in.Models[0].Rows(), in.Models[0].Classes()
	w, err := array.Create(path, n, classes)
	if err != nil {
		return plugins.Record{}, err
	}
	defer w.Abort()
	record, err := p.Combine(ctx, in, func(first int, rows []float32) error {
		progress(first + len(rows)/classes)
		return w.Append(rows)
	})
	if err != nil {
		return record, err
	}
	return record, w.Close()
}

// Limits are a configuration's, as the policy is held to them: the longest time in
// all is also that of a call.
func (p *Policy) Limits(l config.Limits) plugins.Limits {
	memory := l.Memory
	if p.Runtime == plugins.RuntimeProcess {
		memory = l.ProcessMemory
	}
	return plugins.Limits{Time: l.Time, Call: l.Time, Memory: int64(memory)}
}

// Level is a log level of a policy's as slog has it.
func Level(l sdk.Level) slog.Level {
	switch l {
	case sdk.LevelDebug:
		return slog.LevelDebug
	case sdk.LevelWarn:
		return slog.LevelWarn
	case sdk.LevelError:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// Say is a line of a policy's log for people: "top-k, round 0, rows 256 to 511:
// warning: …".
func Say(policy string, line session.Line) string {
	where := fmt.Sprintf("%s, round %d", policy, line.Round)
	if line.Row >= 0 {
		where += fmt.Sprintf(", rows %d to %d", line.Row, line.Row+line.Rows-1)
	}
	names := map[sdk.Level]string{sdk.LevelDebug: "debug: ", sdk.LevelWarn: "warning: ", sdk.LevelError: "error: "}
	return where + ": " + names[line.Level] + line.Text
}
