package sdk

// Round is one round of a policy.
type Round struct {
	Number int // from 0
	*Setup

	labels []Label
}

// emitAt is how many labels go to the host at once.
const emitAt = 1024

// Emit gives pseudo labels, in any order; the host checks and sorts them.
func (r *Round) Emit(labels ...Label) error {
	r.labels = append(r.labels, labels...)
	if len(r.labels) < emitAt {
		return nil
	}
	return r.flush()
}

func (r *Round) flush() error {
	if len(r.labels) == 0 {
		return nil
	}
	err := r.host.Emit(EmitHard, bytesOf(r.labels))
	r.labels = r.labels[:0]
	if err != nil {
		return wrap("emitting labels", err)
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
