package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/upl-host/upl-host/sdk"
)

// Guest is a policy on its carrier: the exported functions of the binary
// interface. Each returns when its context is done.
type Guest interface {
	Configure(context.Context) error
	// BeginRound says whether Observe is to be called in this round.
	BeginRound(ctx context.Context, round int) (observe bool, err error)
	Observe(ctx context.Context, first, rows int) error
	EndRound(ctx context.Context, round int) (another bool, err error)
	Combine(ctx context.Context, first, rows int) error
	// Close ends the guest, also one that hangs; nothing is called after it. It may
	// still log what the guest had to say.
	Close()
}

// Start makes the guest of a run. The guest uses host only within its calls.
type Start func(ctx context.Context, host sdk.Host) (Guest, error)

// Record is what a run leaves beside its result.
type Record struct {
	Rounds  int
	Metrics []Metric
	Log     []Line
}

// Metric is a number of the policy's own.
type Metric struct {
	Name  string
	Round int // of an ensemble's Combine, the last
	Value float64
}

// Line is a line of a policy's log.
type Line struct {
	Level sdk.Level
	Round int
	// Row is the first, and Rows the number, of the batch that was at hand; -1 and
	// 0 outside Observe and Combine.
	Row, Rows int
	Text      string
}

// Select runs a selection policy. The record is also there with an error.
func Select(ctx context.Context, policy Description, in Input, start Start) (Selection, error) {
	r, err := newRun(&policy, &in, sdk.KindSelection)
	if err != nil {
		return Selection{}, err
	}
	err = r.rounds(ctx, start)
	r.close()
	if err != nil {
		return Selection{Record: r.record}, err
	}
	return r.emission.selection(r.record), nil
}

// Combine runs an ensemble policy; emit gets its rows in order, a batch at a
// time, in memory that it must not keep. Of an ensemble that in.Mixed gets, it
// gets none.
func Combine(ctx context.Context, policy Description, in Input, emit func(first int, rows []float32) error, start Start) (Record, error) {
	r, err := newRun(&policy, &in, sdk.KindEnsemble)
	if err != nil {
		return Record{}, err
	}
	if err = r.rounds(ctx, start); err == nil {
		switch {
		case len(r.shares) == 0:
			err = r.combine(ctx, emit)
		case in.Mixed != nil:
			in.Mixed(r.mixture())
		default:
			err = r.emitMixture(ctx, emit)
		}
	}
	r.close()
	return r.record, err
}

// combine has the guest make each batch of the result.
func (r *run) combine(ctx context.Context, emit func(first int, rows []float32) error) error {
	r.output = make([]float32, int(r.dataset.BatchRows)*r.classes)
	return r.pass(ctx, nil, func(b *batch) error {
		r.stage, r.current, r.combined = combining, b, 0
		err := r.call(ctx, "upl_combine", func(ctx context.Context) error { return r.guest.Combine(ctx, b.first, b.rows) })
		if err != nil {
			return err
		}
		if r.combined != b.rows {
			return &ProtocolError{fmt.Sprintf("upl_combine gave %d of the %d rows from %d on", r.combined, b.rows, b.first)}
		}
		return emit(b.first, r.output[:b.rows*r.classes])
	})
}

// stage is where in the order of calls a run is.
type stage int

const (
	starting stage = iota
	configuring
	beginning
	observing
	ending
	combining
)

// run is one policy over one data set.
type run struct {
	policy  *Description
	guest   Guest // nil before its start
	in      *Input
	limits  Limits
	dataset sdk.Dataset
	config  []byte
	rows    int
	classes int

	stage   stage
	round   int
	passes  int // rounds since the last one that emitted anything
	emitted int // rounds that emitted
	views   []*view
	current *batch        // of observing and combining
	spent   time.Duration // in the guest
	broken  error         // the first breach; the guest's next return ends the run
	random  *rand.ChaCha8

	emission emission  // of the round
	previous previous  // of the last round that emitted anything
	gathered int64     // bytes read by row number in this round
	shares   []share   // of the mean that an ensemble is, emitted in this round
	output   []float32 // of the current batch, in an ensemble
	combined int       // rows of it that were emitted
	record   Record
	said     int64 // bytes of log and metrics
}

func newRun(policy *Description, in *Input, kind sdk.Kind) (*run, error) {
	if policy.Kind != kind {
		return nil, fmt.Errorf("policy %s is of kind %s, not %s", policy.Name, policy.Kind, kind)
	}
	if err := in.validate(kind); err != nil {
		return nil, err
	}
	config, err := in.config(policy)
	if err != nil {
		return nil, err
	}
	r := &run{
		policy: policy, in: in, limits: in.Limits.EnsureDefaults(), config: config,
		rows: in.Models[0].Rows(), classes: in.Models[0].Classes(),
	}
	setDefault(&in.MaxRounds, 100)
	rounds := in.MaxRounds
	if in.learns() {
		rounds = in.LearningRounds
	}
	r.dataset = sdk.Dataset{
		Size: sdk.SizeDataset, Rows: uint64(r.rows), Classes: uint32(r.classes), Models: uint32(len(in.Models)),
		BatchRows: uint32(in.batchRows(r.classes)), MaxRounds: uint32(rounds), Seed: in.Seed,
		Flags: in.flags(),
	}
	if kind == sdk.KindEnsemble {
		r.dataset.Flags |= sdk.TakesMeans
	}
	if dims := in.featureDims(policy); len(dims) > 0 {
		r.dataset.FeatureDim = uint32(dims[0])
	}
	r.reseed()
	return r, nil
}

// reseed makes random a function of the run's seed, the policy and the round.
func (r *run) reseed() {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, [2]uint64{r.in.Seed, uint64(r.round)}) // a hash takes all
	h.Write([]byte(r.policy.Name))
	r.random = rand.NewChaCha8([32]byte(h.Sum(nil)))
}

// rounds configures the guest and runs it until it asks for no other round.
func (r *run) rounds(ctx context.Context, start Start) error {
	err := r.call(ctx, "start", func(ctx context.Context) error {
		guest, err := start(ctx, r)
		if err == nil {
			r.guest = guest
		}
		return err
	})
	if err != nil {
		return err
	}
	r.stage = configuring
	if err := r.call(ctx, "upl_configure", r.guest.Configure); err != nil {
		return err
	}
	for another := true; another; r.round++ {
		if r.round > 0 && !r.policy.Needs.Rounds {
			return &ProtocolError{"it asks for another round without having declared that it needs rounds"}
		}
		if another, err = r.oneRound(ctx); err != nil {
			return err
		}
		r.record.Rounds++
		if another {
			if err := r.checkRounds(); err != nil {
				return err
			}
			if err := r.learn(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRounds says, of a policy that asks for another round, when there is none.
func (r *run) checkRounds() error {
	r.passes++
	if len(r.emission.records) > 0 {
		r.passes, r.emitted = 0, r.emitted+1
	}
	switch {
	case !r.in.learns() && r.record.Rounds == r.in.MaxRounds:
		return &LimitError{Limit: LimitRounds, Detail: fmt.Sprintf("not done after %d rounds", r.record.Rounds)}
	case r.in.learns() && r.emitted == r.in.LearningRounds:
		return &LimitError{Limit: LimitRounds, Detail: fmt.Sprintf("it asks for another round after %d with a selection, which is all there are", r.emitted)}
	case r.in.learns() && r.passes == r.in.MaxRounds:
		return &LimitError{Limit: LimitRounds, Detail: fmt.Sprintf("%d rounds without a selection, up to round %d", r.passes, r.round)}
	}
	return nil
}

func (r *run) close() {
	if r.guest != nil {
		r.guest.Close()
	}
}

func (r *run) oneRound(ctx context.Context) (another bool, err error) {
	r.dataset.Round = uint32(r.round)
	r.reseed()
	r.emission, r.shares, r.gathered = emission{}, nil, 0
	r.views = slices.DeleteFunc(r.views, func(v *view) bool { return v.round >= 0 })
	r.stage = beginning
	var observes bool
	err = r.call(ctx, "upl_begin_round", func(ctx context.Context) (err error) {
		observes, err = r.guest.BeginRound(ctx, r.round)
		return err
	})
	if err != nil {
		return false, err
	}
	globals := r.globals()
	if observes || len(globals) > 0 {
		err := r.pass(ctx, globals, func(b *batch) error {
			if !observes {
				return nil
			}
			r.stage, r.current = observing, b
			return r.call(ctx, "upl_observe", func(ctx context.Context) error { return r.guest.Observe(ctx, b.first, b.rows) })
		})
		if err != nil {
			return false, err
		}
	}
	r.stage, r.current = ending, nil
	err = r.call(ctx, "upl_end_round", func(ctx context.Context) (err error) {
		another, err = r.guest.EndRound(ctx, r.round)
		return err
	})
	if err != nil {
		return false, err
	}
	return another, r.emission.sort()
}

// learn gives the host a round's selection to learn from, where there is one: a
// round that emitted nothing was but a pass over the data.
func (r *run) learn(ctx context.Context) error {
	if len(r.emission.records) == 0 {
		return nil
	}
	r.previous = newPrevious(r.emission)
	if r.in.NextRound == nil {
		return nil
	}
	next, err := r.in.NextRound(ctx, r.emission.selection(r.record))
	if err != nil {
		return fmt.Errorf("learning from round %d: %w", r.round, err)
	}
	in := *r.in
	if next.Ensemble != nil {
		in.Ensemble = next.Ensemble
	}
	if next.Models != nil {
		in.Models = next.Models
	}
	if err := in.validate(r.policy.Kind); err != nil {
		return fmt.Errorf("what round %d learnt: %w", r.round, err)
	}
	if in.Models[0].Rows() != r.rows || in.Models[0].Classes() != r.classes || len(in.Models) != len(r.in.Models) {
		return fmt.Errorf("what round %d learnt is of another data set", r.round)
	}
	r.in = &in
	return nil
}

// call runs one call into the guest under its limits. A breach that the host saw
// meanwhile is the error, whatever the guest made of it.
func (r *run) call(ctx context.Context, name string, f func(context.Context) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	limit, left := r.limits.Call, r.limits.Time-r.spent
	cause := &LimitError{Limit: LimitTime, Detail: fmt.Sprintf("%s took more than %v", name, limit)}
	if left < limit {
		limit = max(left, 0)
		cause = &LimitError{Limit: LimitTime, Detail: fmt.Sprintf("more than %v in all, at last in %s", r.limits.Time, name)}
	}
	inner, cancel := context.WithTimeoutCause(ctx, limit, cause)
	defer cancel()
	began := time.Now()
	err := f(inner)
	r.spent += time.Since(began)
	if r.broken != nil {
		return r.broken
	}
	if inner.Err() != nil {
		return context.Cause(inner)
	}
	return err
}
