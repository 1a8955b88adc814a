package label

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// Policy is a loaded policy with the parameters that the configuration gives it.
type Policy struct {
	*plugins.Policy
	Params json.RawMessage
}

// OpenPolicy loads a policy and checks its kind and parameters. A policy of the
// other kind, or a wrong parameter, is the user's to mend: *plugins.ParameterError.
func OpenPolicy(ctx context.Context, catalogue *plugins.Catalogue, c config.Policy, kind sdk.Kind) (*Policy, error) {
	loaded, err := catalogue.Find(ctx, c.Plugin, "")
	if err != nil {
		return nil, err
	}
	if loaded.Kind != kind {
		return nil, &plugins.ParameterError{Policy: loaded.Name, Reason: fmt.Sprintf("it is a policy for %s, and %s is wanted", loaded.Kind, kind)}
	}
	params, err := json.Marshal(c.Params)
	if err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", c.Plugin, err)
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

// Identity is all of a policy that decides its results.
func (p *Policy) Identity() string {
	return strings.Join([]string{p.Hash, p.Name, string(p.Params)}, "\n")
}

// Input is what a policy may know: probabilities and names, never labels.
type Input struct {
	Ensemble    array.Matrix   // of the unlabeled pictures [N, C]; none for an ensemble policy
	Models      []array.Matrix // likewise, of each model
	ModelNames  []string
	ClassNames  []string
	LogitScales []float64
	Seed        uint64
	Limits      config.Limits
	Threads     int
}

func (p *Policy) input(in Input) plugins.Input {
	out := plugins.Input{
		ClassNames: in.ClassNames, ModelNames: in.ModelNames, LogitScales: in.LogitScales,
		Seed: in.Seed, Params: p.Params, Threads: in.Threads,
		Limits: plugins.Limits{Time: in.Limits.Time, Memory: int64(in.Limits.Memory)},
	}
	if in.Limits.Time > 0 {
		out.Limits.Call = in.Limits.Time
	}
	if in.Ensemble.Cols > 0 {
		out.Ensemble = rows{in.Ensemble}
	}
	for _, m := range in.Models {
		out.Models = append(out.Models, rows{m})
	}
	return out
}

// rows lets a policy read a matrix.
type rows struct{ matrix array.Matrix }

// Rows is N.
func (r rows) Rows() int { return r.matrix.Rows }

// Classes is C.
func (r rows) Classes() int { return r.matrix.Cols }

// Read copies rows into dst.
func (r rows) Read(first, n int, dst []float32) error {
	copy(dst, r.matrix.Slice(first, first+n).Data)
	return nil
}

// Select runs a selection policy. The record is there with an error too. A run
// learns from hard labels: emitting others is refused to the policy.
func (p *Policy) Select(ctx context.Context, in Input) ([]plugins.Label, plugins.Record, error) {
	s, err := p.Policy.Select(ctx, p.input(in))
	return s.Labels, s.Record, err
}

// Combine runs an ensemble policy and streams its matrix into a .npy file;
// progress is told how many rows are done.
func (p *Policy) Combine(ctx context.Context, in Input, path string, progress func(rows int)) (_ plugins.Record, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return plugins.Record{}, fmt.Errorf("making the run's folders: %w", err)
	}
	n, classes := in.Models[0].Rows, in.Models[0].Cols
	w, err := array.Create(path, n, classes)
	if err != nil {
		return plugins.Record{}, err
	}
	defer w.Abort()
	record, err := p.Policy.Combine(ctx, p.input(in), func(first int, rows []float32) error {
		progress(first + len(rows)/classes)
		return w.Append(rows)
	})
	if err != nil {
		return record, err
	}
	return record, w.Close()
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
