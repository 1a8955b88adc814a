package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/upl-host/upl-host/sdk"
)

// Probabilities is a matrix of rows that each sum to 1. Its methods are called
// from several goroutines.
type Probabilities interface {
	Rows() int
	Classes() int
	// Read copies n rows from first on into dst, which has n x Classes elements.
	Read(first, n int, dst []float32) error
}

// Features are rows of features, one an image or class. Its methods are called
// from several goroutines.
type Features interface {
	Rows() int
	// Width is D.
	Width() int
	// Read copies n rows from first on into dst, which has n x Width elements.
	Read(first, n int, dst []float32) error
}

// Input is all that a policy may know, and its limits. Labels are no part of it.
type Input struct {
	Ensemble    Probabilities // what a selection chooses from; nil for an ensemble policy
	Models      []Probabilities
	ClassNames  []string  // C
	ModelNames  []string  // M, or none
	LogitScales []float64 // M, or none: 1/tau of each model
	Prior       []float64 // C, or none
	Seed        uint64
	Params      json.RawMessage // an object, or nothing

	// Features of the images, N rows, and of the classes' texts, C rows: of each
	// model, or none. They are denied unless GrantFeatures is set.
	Features, TextFeatures []Features
	GrantFeatures          bool

	// Takes are the kinds of records that a selection may emit beside hard labels;
	// others it is refused, so that nothing it selects is silently left out.
	Takes []sdk.EmitKind
	// NextRound learns from the selection of a round, which is sorted and checked,
	// before the policy's next one, and gives what that one is to see: nil fields
	// stay as they were, the sizes always. It is not called after a round that
	// emitted nothing, nor after the last; its time is not the policy's. nil: all
	// rounds see the same.
	NextRound func(ctx context.Context, selection Selection) (Learnt, error)
	// LearningRounds is, with NextRound, how many rounds may emit: the policy sees it
	// as the rounds there are, and each may be preceded by rounds that emit nothing,
	// fewer than MaxRounds. 0: MaxRounds bounds all rounds together.
	LearningRounds int

	// Mixed gets the result of an ensemble policy where it is a mean of views: rows
	// that are made of the models' as they are read. nil: they are emitted as others.
	Mixed func(Probabilities)

	MaxRounds int // 0: 100; see LearningRounds
	Limits    Limits
	BatchRows int // rows of a batch; 0: about a MiB of probabilities
	Threads   int // 0: GOMAXPROCS; results do not depend on it
}

// Learnt is what the next round of a policy sees.
type Learnt struct {
	Ensemble Probabilities
	Models   []Probabilities // M
}

// Limits are the ceilings of one run of a policy; a zero stands for the default.
type Limits struct {
	Time    time.Duration // the policy's own time in all, 10 minutes; the host's views are not counted
	Call    time.Duration // one call into it, 1 minute
	Memory  int64         // bytes of a guest's linear memory, 256 MiB; carriers without a sandbox cannot hold to it
	Records int           // records emitted in a round, 4 Mi
	Classes int           // classes in the soft labels and candidate sets of a round, 16 Mi
	Output  int64         // bytes of log, output and metrics, 1 MiB
	Views   int64         // bytes that views may take, a batch's of batch views, 128 MiB
	Gather  int64         // bytes of rows that a round may read by number, 1 GiB
	Weight  float32       // the largest weight of a label, 1000
}

// EnsureDefaults replaces zeros.
func (l Limits) EnsureDefaults() Limits {
	setDefault(&l.Time, 10*time.Minute)
	setDefault(&l.Call, time.Minute)
	setDefault(&l.Memory, 256<<20)
	setDefault(&l.Records, 4<<20)
	setDefault(&l.Classes, 16<<20)
	setDefault(&l.Output, 1<<20)
	setDefault(&l.Views, 128<<20)
	setDefault(&l.Gather, 1<<30)
	setDefault(&l.Weight, 1000)
	return l
}

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// validate reports what makes the input useless for a policy of that kind.
func (in *Input) validate(kind sdk.Kind) error {
	if len(in.Models) == 0 {
		return errors.New("no model's probabilities")
	}
	if (in.Ensemble == nil) == (kind == sdk.KindSelection) {
		return fmt.Errorf("a policy of kind %s, and an ensemble's probabilities: %t", kind, in.Ensemble != nil)
	}
	rows, classes := in.Models[0].Rows(), in.Models[0].Classes()
	all := in.Models
	if in.Ensemble != nil {
		all = append(all[:len(all):len(all)], in.Ensemble)
	}
	for i, p := range all {
		if p.Rows() != rows || p.Classes() != classes {
			return fmt.Errorf("probabilities of %s are %d x %d, those of model 0 %d x %d", in.source(i), p.Rows(), p.Classes(), rows, classes)
		}
	}
	switch {
	case classes == 0:
		return errors.New("no classes")
	case int64(classes) > math.MaxInt32/8:
		return fmt.Errorf("%d classes are too many", classes)
	case len(in.ClassNames) != classes:
		return fmt.Errorf("%d class names for %d classes", len(in.ClassNames), classes)
	case len(in.ModelNames) != 0 && len(in.ModelNames) != len(in.Models):
		return fmt.Errorf("%d model names for %d models", len(in.ModelNames), len(in.Models))
	case len(in.LogitScales) != 0 && len(in.LogitScales) != len(in.Models):
		return fmt.Errorf("%d logit scales for %d models", len(in.LogitScales), len(in.Models))
	case len(in.Prior) != 0 && len(in.Prior) != classes:
		return fmt.Errorf("a prior of %d classes for %d", len(in.Prior), classes)
	}
	for i := range min(len(in.Features), len(in.TextFeatures)) {
		if image, text := in.Features[i].Width(), in.TextFeatures[i].Width(); image != text {
			return fmt.Errorf("features of %s have %d values, those of its texts %d", in.source(i), image, text)
		}
	}
	return errors.Join(in.checkFeatures("features", in.Features, rows), in.checkFeatures("text features", in.TextFeatures, classes))
}

func (in *Input) checkFeatures(what string, features []Features, rows int) error {
	if len(features) != 0 && len(features) != len(in.Models) {
		return fmt.Errorf("%s of %d models for %d", what, len(features), len(in.Models))
	}
	for i, f := range features {
		if f.Rows() != rows || f.Width() < 1 || f.Width() > math.MaxInt32/8 {
			return fmt.Errorf("%s of %s are %d x %d, for %d rows", what, in.source(i), f.Rows(), f.Width(), rows)
		}
	}
	return nil
}

// learns says whether rounds are counted by what they emit.
func (in *Input) learns() bool { return in.NextRound != nil && in.LearningRounds > 0 }

// featureDims is the width of each model's features, where the policy may see any.
func (in *Input) featureDims(policy *Description) []int {
	from := in.Features
	if len(from) == 0 {
		from = in.TextFeatures
	}
	if !in.GrantFeatures || len(from) == 0 || !slices.Contains(policy.Needs.Views, sdk.ViewFeatures.String()) {
		return nil
	}
	dims := make([]int, 0, len(from))
	for _, f := range from {
		dims = append(dims, f.Width())
	}
	return dims
}

// flags are those of the data set.
func (in *Input) flags() uint32 {
	var flags uint32
	for _, kind := range in.Takes {
		flags |= takes(kind)
	}
	if in.NextRound != nil {
		flags |= sdk.Retrains
	}
	return flags
}

// source names the probabilities of a model by its place; the ensemble's is last.
func (in *Input) source(i int) string {
	switch {
	case i >= len(in.Models):
		return "the ensemble"
	case len(in.ModelNames) > i && in.ModelNames[i] != "":
		return in.ModelNames[i]
	}
	return fmt.Sprintf("model %d", i)
}

// batchRows is the size of batches.
func (in *Input) batchRows(classes int) int {
	if in.BatchRows > 0 {
		return in.BatchRows
	}
	const elements = 1 << 18
	return min(max(elements/classes, 1), 4096)
}

// config is the JSON that get_config gives.
func (in *Input) config(policy *Description) ([]byte, error) {
	params, err := policy.fill(in.Params)
	if err != nil {
		return nil, err
	}
	dataset := map[string]any{"class_names": in.ClassNames}
	if len(in.ModelNames) > 0 {
		dataset["model_names"] = in.ModelNames
	} else {
		dataset["model_names"] = make([]string, len(in.Models))
	}
	if len(in.LogitScales) > 0 {
		dataset["logit_scales"] = in.LogitScales
	}
	if len(in.Prior) > 0 {
		dataset["prior"] = in.Prior
	}
	if dims := in.featureDims(policy); dims != nil {
		dataset["feature_dims"] = dims
	}
	// Maps are encoded in the order of their keys.
	return json.Marshal(map[string]any{"policy": policy.Name, "params": params, "dataset": dataset})
}

// Description is what a plugin says of one of its policies.
type Description struct {
	Name       string          `json:"name"`
	Version    string          `json:"version"`
	Kind       sdk.Kind        `json:"kind"`
	Summary    string          `json:"summary"`
	Needs      Needs           `json:"needs"`
	Parameters json.RawMessage `json:"parameters"`
}

// Needs is what a policy asks for.
type Needs struct {
	Views  []string `json:"views"`
	Rounds bool     `json:"rounds"`
}

// ParseDescriptions reads what a plugin says of itself, strictly.
func ParseDescriptions(text []byte) ([]Description, error) {
	var described struct {
		Policies []Description `json:"policies"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&described); err != nil {
		return nil, &ProtocolError{"its description: " + err.Error()}
	}
	if d.More() {
		return nil, &ProtocolError{"its description goes on after the first JSON value"}
	}
	if len(described.Policies) == 0 {
		return nil, &ProtocolError{"its description lists no policy"}
	}
	seen := map[string]bool{}
	for _, p := range described.Policies {
		if p.Name == "" || seen[p.Name] {
			return nil, &ProtocolError{fmt.Sprintf("its description has the policy name %q twice, or empty", p.Name)}
		}
		seen[p.Name] = true
		if p.Kind != sdk.KindSelection && p.Kind != sdk.KindEnsemble {
			return nil, &ProtocolError{fmt.Sprintf("policy %s is of kind %q, neither selection nor ensemble", p.Name, p.Kind)}
		}
	}
	return described.Policies, nil
}

// fill gives params with the schema's defaults of those that are missing.
func (p *Description) fill(params json.RawMessage) (map[string]any, error) {
	filled := map[string]any{}
	if len(params) > 0 {
		d := json.NewDecoder(bytes.NewReader(params))
		d.UseNumber() // as the user wrote them
		if err := d.Decode(&filled); err != nil || filled == nil {
			return nil, fmt.Errorf("parameters %s are not a JSON object", params)
		}
	}
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(p.Parameters, &schema); err != nil {
		return nil, &ProtocolError{fmt.Sprintf("parameter schema of %s: %v", p.Name, err)}
	}
	for name, property := range schema.Properties {
		if _, given := filled[name]; given {
			continue
		}
		var p struct {
			Default json.RawMessage `json:"default"`
		}
		// A property may be just true, which has no default.
		if json.Unmarshal(property, &p) == nil && p.Default != nil {
			filled[name] = p.Default
		}
	}
	return filled, nil
}
