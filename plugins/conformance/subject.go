package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// subject is a policy under test.
type subject struct {
	*plugins.Policy
	watched *watched
	params  json.RawMessage // of ordinary runs
	derived []string        // parameters whose values the kit made up

	// plain is the ordinary run that all others are compared with; nil before it.
	plain *outcome
	// world is what the policy wants of its host beside the usual, found by the
	// ordinary run.
	world world
	seen  *sights // in all runs
}

// world is what a host may have, and a policy may insist on.
type world struct {
	name          string
	prior, learns bool
}

// worlds are tried in this order until the policy does not refuse: the usual first.
var worlds = []world{
	{},
	{name: "a prior of the classes", prior: true},
	{name: "a host that learns between rounds", learns: true},
}

// even is the uniform prior.
func even(classes int) []float64 {
	return slices.Repeat([]float64{1 / float64(classes)}, classes)
}

func newSubject(policy *plugins.Policy) *subject {
	s := &subject{seen: newSights(), watched: &watched{}}
	s.Policy = policy.Through(func(c session.Carrier) session.Carrier {
		s.watched.Carrier = c
		return s.watched
	})
	return s
}

// input is a fixture as the policy is given it, with its ordinary parameters.
func (s *subject) input(f fixture) plugins.Input {
	in := f.input(s.Kind)
	in.Params = s.params
	if s.world.prior && in.Prior == nil {
		in.Prior = even(len(f.classNames))
	}
	if s.world.learns {
		in.NextRound = sharpen(f)
	}
	return in
}

// outcome is how a run ended.
type outcome struct {
	selection plugins.Selection // without its record
	combined  []float32         // of an ensemble, as far as it is kept
	sum       [sha256.Size]byte // of all that was combined
	excess    float64           // the largest difference of a row's sum from 1
	record    plugins.Record
	seen      *sights
	took      time.Duration
	err       error
}

// keep is how many combined values are kept beside their hash.
const keep = 1 << 20

// run runs the policy once.
func (s *subject) run(ctx context.Context, in plugins.Input) outcome {
	return s.runWithWASISeed(ctx, in, in.Seed)
}

func (s *subject) runWithWASISeed(ctx context.Context, in plugins.Input, seed uint64) outcome {
	o := outcome{seen: newSights()}
	s.watched.now, s.watched.wasiSeed = o.seen, seed
	began := time.Now()
	if s.Kind == sdk.KindSelection {
		o.selection, o.err = s.Select(ctx, in)
		o.record, o.selection.Record = o.selection.Record, plugins.Record{}
	} else {
		sum, classes := sha256.New(), in.Models[0].Classes()
		o.record, o.err = s.Combine(ctx, in, func(_ int, rows []float32) error { return o.combine(sum, rows, classes) })
		sum.Sum(o.sum[:0])
	}
	o.took = time.Since(began)
	s.remember(o.seen)
	return o
}

// combine takes rows of an ensemble.
func (o *outcome) combine(sum hash.Hash, rows []float32, classes int) error {
	for i := 0; i < len(rows); i += classes {
		var total float64
		for _, p := range rows[i : i+classes] {
			total += float64(p)
		}
		o.excess = max(o.excess, math.Abs(total-1))
	}
	if len(o.combined)+len(rows) <= keep {
		o.combined = append(o.combined, rows...)
	}
	return binary.Write(sum, binary.LittleEndian, rows)
}

// remember adds what a run showed to what all did.
func (s *subject) remember(seen *sights) {
	for kind := range seen.opened {
		s.seen.opened[kind] = true
	}
	for kind := range seen.undeclared {
		s.seen.undeclared[kind] = true
	}
}

// size says how much came out.
func (o *outcome) size(kind sdk.Kind) string {
	if kind == sdk.KindEnsemble {
		return fmt.Sprintf("rows sum to 1 within %.1g", o.excess)
	}
	var parts []string
	for _, n := range []struct {
		count int
		kind  sdk.EmitKind
	}{
		{len(o.selection.Labels), sdk.EmitHard},
		{len(o.selection.Soft), sdk.EmitSoft},
		{len(o.selection.Candidates), sdk.EmitCandidates},
		{len(o.selection.Drops), sdk.EmitDrop},
	} {
		if n.count > 0 {
			parts = append(parts, counted(n.count, n.kind.String()))
		}
	}
	if len(parts) == 0 {
		return "nothing selected"
	}
	return strings.Join(parts, ", ")
}

// refusal is a policy's own clear "not with this": CONFIG, DATA, DENIED or
// NOT_SUPPORTED with a message. ok is false for anything else.
func refusal(err error, codes ...sdk.Code) (message string, ok bool) {
	var parameter *plugins.ParameterError
	if errors.As(err, &parameter) && slices.Contains(codes, sdk.CodeConfig) {
		return parameter.Reason, parameter.Reason != ""
	}
	var guest *plugins.GuestError
	if errors.As(err, &guest) && slices.Contains(codes, guest.Code) {
		return guest.Message, guest.Message != ""
	}
	return "", false
}
