package sdk

import (
	"encoding/binary"
	"runtime"
	"strconv"
	"strings"
)

// Guest drives one policy through one run on the carrier's side of the binary
// interface: its methods are the exported functions.
type Guest struct {
	policies []Policy
	policy   any
	host     Host
	setup    *Setup
	round    *Round

	combined []float32 // EmitCombined's head, then rows
}

// NewGuest makes a guest of a plugin with these policies.
func NewGuest(policies []Policy, host Host) *Guest {
	return &Guest{policies: policies, host: host}
}

// Configure is upl_configure: it makes the policy that the configuration names.
func (g *Guest) Configure() (err error) {
	defer recovered(&err)
	if g.setup, err = newSetup(g.host); err != nil {
		return err
	}
	g.round = &Round{Setup: g.setup}
	for _, policy := range g.policies {
		switch {
		case policy.Name != g.setup.policy:
			continue
		case policy.Ensemble != nil:
			g.policy = policy.Ensemble()
		default:
			g.policy = policy.Selection()
		}
		return g.policy.(interface{ Configure(*Setup) error }).Configure(g.setup)
	}
	return &Error{CodeConfig, "there is no policy " + strconv.Quote(g.setup.policy) + " in this plugin"}
}

// BeginRound is upl_begin_round: whether the policy is to see the round's batches.
func (g *Guest) BeginRound(round int) (observe bool, err error) {
	defer recovered(&err)
	g.round = &Round{Number: round, Setup: g.setup}
	if p, ok := g.policy.(RoundBeginner); ok {
		if err := p.BeginRound(g.round); err != nil {
			return false, err
		}
	}
	_, observes := g.policy.(Observer)
	return observes && !g.round.skip, nil
}

// Observe is upl_observe.
func (g *Guest) Observe(first, rows int) (err error) {
	defer recovered(&err)
	if p, ok := g.policy.(Observer); ok {
		if err := p.Observe(&Batch{First: first, Rows: rows, Round: g.round}); err != nil {
			return err
		}
	}
	return g.round.flushAll()
}

// EndRound is upl_end_round.
func (g *Guest) EndRound(int) (another bool, err error) {
	defer recovered(&err)
	if p, ok := g.policy.(RoundEnder); ok {
		if another, err = p.EndRound(g.round); err != nil {
			return false, err
		}
	}
	return another, g.round.flushAll()
}

// Combine is upl_combine.
func (g *Guest) Combine(first, rows int) (err error) {
	defer recovered(&err)
	p, ok := g.policy.(Combiner)
	if !ok {
		return &Error{CodeNotSupported, "this policy is no ensemble"}
	}
	const head = SizeHead / 4
	classes := int(g.setup.Classes)
	if cap(g.combined) < head+rows*classes {
		g.combined = make([]float32, head+rows*classes)
	}
	g.combined = g.combined[:head+rows*classes]
	if err := p.Combine(&Batch{First: first, Rows: rows, Round: g.round, output: g.combined[head:]}); err != nil {
		return err
	}
	b := bytesOf(g.combined)
	binary.LittleEndian.PutUint64(b, uint64(first))
	binary.LittleEndian.PutUint32(b[8:], uint32(rows))
	binary.LittleEndian.PutUint32(b[12:], uint32(classes))
	if err := g.host.Emit(EmitCombined, b); err != nil {
		return wrap("emitting probabilities", err)
	}
	return nil
}

// guestMethods begin the names of the methods above.
const guestMethods = "github.com/upl-host/upl-host/sdk.(*Guest)."

// recovered makes an error of a panic, with the policy's functions it came through.
func recovered(err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	message := "panic"
	switch c := cause.(type) {
	case error:
		message += ": " + c.Error()
	case string:
		message += ": " + c
	}
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, guestMethods) {
			break // what called the policy is the same for all
		}
		if frame.Function != "" {
			file := frame.File[strings.LastIndexByte(frame.File, '/')+1:]
			message += "\n\t" + frame.Function + " " + file + ":" + strconv.Itoa(frame.Line)
		}
		if !more {
			break
		}
	}
	*err = &Error{CodeInternal, message}
}
