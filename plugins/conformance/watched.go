package conformance

import (
	"context"
	"slices"
	"time"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// sights are what can be seen of runs from outside.
type sights struct {
	opened     map[sdk.ViewKind]bool
	undeclared map[sdk.ViewKind]bool // asked for, and not among the needs
	emitted    map[sdk.EmitKind]bool
	drew       bool          // random numbers of the host's
	call       string        // the last one into the policy
	inside     time.Duration // in the policy's own calls
	memory     int64         // bytes; 0 where the carrier does not tell
}

func newSights() *sights {
	return &sights{opened: map[sdk.ViewKind]bool{}, undeclared: map[sdk.ViewKind]bool{}, emitted: map[sdk.EmitKind]bool{}}
}

// watched is a carrier whose runs are looked at. The next run tells now, and starts
// WASI's randomness from wasiSeed. Runs are one after the other.
type watched struct {
	session.Carrier
	now      *sights
	wasiSeed uint64
}

// Start makes a guest that is looked at.
func (w *watched) Start(ctx context.Context, host sdk.Host, policy session.Description, limits session.Limits) (session.Guest, error) {
	began := time.Now()
	guest, err := w.Carrier.Start(ctx, watchedHost{host, w, policy.Needs.Views}, policy, limits)
	w.now.inside += time.Since(began)
	if err != nil {
		return nil, err
	}
	return &watchedGuest{guest, w.now}, nil
}

// watchedHost sees what a policy asks for.
type watchedHost struct {
	sdk.Host
	watched *watched
	needs   []string
}

// WASISeed is what a sandbox's own randomness starts from.
func (h watchedHost) WASISeed() uint64 { return h.watched.wasiSeed }

// OpenView notes the view.
func (h watchedHost) OpenView(spec sdk.ViewSpec) (int32, error) {
	handle, err := h.Host.OpenView(spec)
	switch {
	case err == nil:
		h.watched.now.opened[spec.Kind] = true
	case !slices.Contains(h.needs, spec.Kind.String()):
		h.watched.now.undeclared[spec.Kind] = true
	}
	return handle, err
}

// Emit notes the kind of records.
func (h watchedHost) Emit(kind sdk.EmitKind, records []byte) error {
	h.watched.now.emitted[kind] = true
	return h.Host.Emit(kind, records)
}

// Random notes that it was asked.
func (h watchedHost) Random(dst []byte) error {
	h.watched.now.drew = true
	return h.Host.Random(dst)
}

// watchedGuest takes the time of a policy's calls.
type watchedGuest struct {
	session.Guest
	sights *sights
}

// enter notes a call; what it gives notes the time it took.
func (g *watchedGuest) enter(call string) (leave func()) {
	began := time.Now()
	g.sights.call = call
	return func() { g.sights.inside += time.Since(began) }
}

// Configure is upl_configure.
func (g *watchedGuest) Configure(ctx context.Context) error {
	defer g.enter("upl_configure")()
	return g.Guest.Configure(ctx)
}

// BeginRound is upl_begin_round.
func (g *watchedGuest) BeginRound(ctx context.Context, round int) (bool, error) {
	defer g.enter("upl_begin_round")()
	return g.Guest.BeginRound(ctx, round)
}

// Observe is upl_observe.
func (g *watchedGuest) Observe(ctx context.Context, first, rows int) error {
	defer g.enter("upl_observe")()
	return g.Guest.Observe(ctx, first, rows)
}

// EndRound is upl_end_round.
func (g *watchedGuest) EndRound(ctx context.Context, round int) (bool, error) {
	defer g.enter("upl_end_round")()
	return g.Guest.EndRound(ctx, round)
}

// Combine is upl_combine.
func (g *watchedGuest) Combine(ctx context.Context, first, rows int) error {
	defer g.enter("upl_combine")()
	return g.Guest.Combine(ctx, first, rows)
}

// Close asks a guest that knows what memory it took, and ends it.
func (g *watchedGuest) Close() {
	if sized, ok := g.Guest.(interface{ Memory() int64 }); ok {
		g.sights.memory = max(g.sights.memory, sized.Memory())
	}
	g.Guest.Close()
}
