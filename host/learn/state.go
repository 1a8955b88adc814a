package learn

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
)

const (
	stateFormat    = "upl-host learning state"
	velocityTensor = "velocity"
)

// save writes what an interrupted training goes on from.
func (j *Job) save(seed uint64, s state) error {
	curve, err := formatJSON(s.curve)
	if err != nil {
		return fmt.Errorf("saving the state of seed %d: %w", seed, err)
	}
	err = safetensors.Write(j.statePath(seed), []safetensors.Tensor{
		safetensors.Float32(contextTensor, j.Prompt.shape(), s.vectors.Data),
		safetensors.Float32(velocityTensor, j.Prompt.shape(), s.velocity.Data),
	}, map[string]string{
		formatKey: stateFormat, versionKey: formatVersion,
		"inputs": j.inputs(seed), "curve": curve,
	})
	if err != nil {
		return fmt.Errorf("saving the state of seed %d: %w", seed, err)
	}
	return nil
}

// resume gives the state in which a training of the same inputs was
// interrupted, or that at the beginning. A state that is damaged, or of other
// inputs, is as good as none.
func (j *Job) resume(seed uint64) (s state, err error) {
	file, err := safetensors.Open(j.statePath(seed))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, safetensors.ErrFormat):
		return j.begin(seed), nil
	case err != nil:
		return state{}, fmt.Errorf("going on with seed %d: %w", seed, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if s, err := j.decodeState(seed, file); err == nil {
		return s, nil
	}
	return j.begin(seed), nil
}

func (j *Job) decodeState(seed uint64, file *safetensors.File) (s state, err error) {
	m := &metadata{values: file.Metadata()}
	if err := m.format(stateFormat); err != nil {
		return s, err
	}
	inputs := m.text("inputs")
	s.curve = readJSON[[]Epoch](m, "curve")
	if err := m.err(); err != nil {
		return s, err
	}
	if inputs != j.inputs(seed) || len(s.curve) > j.Settings.Epochs {
		return s, errors.New("it is of a training with other inputs")
	}
	if s.vectors, err = readMatrix(file, contextTensor, j.Prompt.shape()); err != nil {
		return s, err
	}
	s.velocity, err = readMatrix(file, velocityTensor, j.Prompt.shape())
	return s, err
}

func (j *Job) begin(seed uint64) state {
	rows, width := j.Prompt.Rows(), j.Prompt.Width
	s := state{velocity: array.NewMatrix(rows, width)}
	if j.Initial != nil {
		s.vectors = j.Initial.Clone()
	} else {
		s.vectors = RandomContext(seed, rows, width)
	}
	return s
}

// inputs is a hash of everything that the context of a seed depends on.
func (j *Job) inputs(seed uint64) string {
	sum := sha256.New()
	sum.Write(j.digest[:])
	writeNumbers(sum, seed)
	return hex.EncodeToString(sum.Sum(nil))
}

// digestInputs hashes what is common to all seeds; it takes a while for much data.
func (j *Job) digestInputs() error {
	sum := sha256.New()
	if err := json.NewEncoder(sum).Encode(struct {
		Prompt   Prompt
		Settings Settings
	}{j.Prompt, j.Settings}); err != nil {
		return fmt.Errorf("hashing the inputs: %w", err)
	}
	writeMatrix(sum, j.Data.Features)
	writeMatrix(sum, j.Data.Targets)
	if j.Initial != nil {
		writeMatrix(sum, *j.Initial)
	}
	j.digest = [sha256.Size]byte(sum.Sum(nil))
	return nil
}

func writeMatrix(sum hash.Hash, m array.Matrix) {
	writeNumbers(sum, uint64(m.Rows), uint64(m.Cols))
	sum.Write(array.Bytes(m.Data))
}

func writeNumbers(sum hash.Hash, numbers ...uint64) {
	for _, n := range numbers {
		sum.Write(binary.LittleEndian.AppendUint64(nil, n))
	}
}

// forget removes the state of a seed that is done.
func (j *Job) forget(seed uint64) error {
	if err := os.Remove(j.statePath(seed)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the state of a finished training: %w", err)
	}
	return nil
}
