package graphs

import (
	"errors"

	"github.com/upl-host/upl-host/graphs/array"
)

// ErrNoTensorFlow is returned by whatever needs TensorFlow in a build without it.
var ErrNoTensorFlow = errors.New("this build has no TensorFlow: run `make build`, which fetches it and builds the twin program beside bin/upl-host")

// Tokens are token ids, one text a row, padded with zeros to Length.
// In prompts an id of -k stands for the k-th context vector, k from 1.
type Tokens struct {
	Rows, Length int
	IDs          []int32 // Rows x Length
}

// Row returns the ids of row i; it shares the tokens' memory.
func (t Tokens) Row(i int) []int32 { return t.IDs[i*t.Length : (i+1)*t.Length] }

// PadTokens lays rows out one below the other, padded with zeros to the longest.
func PadTokens(rows [][]int32) Tokens {
	t := Tokens{Rows: len(rows)}
	for _, row := range rows {
		t.Length = max(t.Length, len(row))
	}
	t.IDs = make([]int32, t.Rows*t.Length)
	for i, row := range rows {
		copy(t.Row(i), row)
	}
	return t
}

// Options say how a model is opened.
type Options struct {
	// Device is auto (a GPU if TensorFlow has one), cpu, gpu or gpu:N.
	// With gpu, a machine without one is an error. Empty means auto.
	Device string
	// Threads is the number of threads within and between ops; 0 leaves it to
	// TensorFlow. Results do not depend on it: for that, 1 is taken as 2 within ops.
	Threads int
	// Hash is the hash of the model's folder where the caller has just computed it;
	// empty: Open does.
	Hash string
	// Precision is float32 or bfloat16; a device that does not have it is an error.
	// Empty means float32.
	Precision Precision
}

// Gradient is what one call of prompt_gradient gives.
type Gradient struct {
	Loss     float64      // mean over the batch, nats (eq. 4; cross-entropy with the targets)
	Gradient array.Matrix // [L, W], dLoss/dcontext
	Logits   array.Matrix // [B, C], scale included
}
