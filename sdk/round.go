package sdk

import (
	"encoding/binary"
	"math"
)

// Round is one round of a policy.
type Round struct {
	Number int // from 0
	*Setup

	pending [EmitDrop + 1][]byte // records on their way to the host, by kind
	skip    bool
}

// SkipBatches leaves out, called in BeginRound, this round's calls of Observe. Where no
// global view is open either, the host does not even read the data.
func (r *Round) SkipBatches() { r.skip = true }

// emitAt is how many bytes of records go to the host at once.
const emitAt = 24 << 10

// Emit gives hard pseudo labels, in any order; the host checks and sorts them.
func (r *Round) Emit(labels ...Label) error {
	return r.emit(EmitHard, append(r.pending[EmitHard], bytesOf(labels)...))
}

// EmitSoft gives a row a distribution: classes, each once, whose probabilities
// sum to 1 within 1e-3; classes that are not named have 0. A host that does not
// take soft labels ([Setup.Takes]) answers CodeNotSupported.
func (r *Round) EmitSoft(row int, weight float32, classes ...Candidate) error {
	b := appendHead(r.pending[EmitSoft], row, weight, len(classes))
	return r.emit(EmitSoft, append(b, bytesOf(classes)...))
}

// EmitCandidates gives a row a set of classes, each once, of which one is right.
// A host that does not take them ([Setup.Takes]) answers CodeNotSupported.
func (r *Round) EmitCandidates(row int, weight float32, classes ...uint32) error {
	b := appendHead(r.pending[EmitCandidates], row, weight, len(classes))
	for _, class := range classes {
		b = binary.LittleEndian.AppendUint32(b, class)
	}
	return r.emit(EmitCandidates, b)
}

// Drop says that rows are of no class, or not fit to learn from even without a
// label. A host that has no use for that ([Setup.Takes]) answers CodeNotSupported.
func (r *Round) Drop(rows ...int) error {
	b := r.pending[EmitDrop]
	for _, row := range rows {
		b = binary.LittleEndian.AppendUint64(b, uint64(row))
	}
	return r.emit(EmitDrop, b)
}

// EmitMean says, called in an ensemble's EndRound, that its result is the mean of
// views of rows, in their order, by their weights: the host makes it, in float64,
// and Combine is not called. [Setup.Takes] says whether a host can.
func (r *Round) EmitMean(parts ...Part) error {
	shares := make([]Share, len(parts))
	for i, part := range parts {
		shares[i] = Share{View: part.View.handle, Weight: part.Weight}
	}
	if err := r.host.Emit(EmitMean, bytesOf(shares)); err != nil {
		return wrap("emitting "+EmitMean.String(), err)
	}
	return nil
}

// Part is a view of rows in a mean: [Setup.OpenRows] opens it.
type Part struct {
	View   *View[float32]
	Weight float32 // finite, above 0
}

func appendHead(b []byte, row int, weight float32, classes int) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(row))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(weight))
	return binary.LittleEndian.AppendUint32(b, uint32(classes))
}

// emit keeps the records of a kind until they are worth a call.
func (r *Round) emit(kind EmitKind, records []byte) error {
	r.pending[kind] = records
	if len(records) < emitAt {
		return nil
	}
	return r.flush(kind)
}

func (r *Round) flush(kind EmitKind) error {
	records := r.pending[kind]
	if len(records) == 0 {
		return nil
	}
	r.pending[kind] = records[:0]
	if err := r.host.Emit(kind, records); err != nil {
		return wrap("emitting "+kind.String(), err)
	}
	return nil
}

func (r *Round) flushAll() error {
	for kind := range r.pending {
		if err := r.flush(EmitKind(kind)); err != nil {
			return err
		}
	}
	return nil
}

// Batch is a range of rows on their way past.
type Batch struct {
	First int // its first row
	Rows  int
	*Round

	output []float32
}

// Output is where Combine writes the probabilities of the batch: Rows x C.
func (b *Batch) Output() []float32 { return b.output }
