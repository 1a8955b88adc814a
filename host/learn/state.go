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
	checksumKey    = "sha256"
	velocityTensor = "velocity"
)

// save writes the states of a group, in one file, so that its seeds are never at
// different steps: what an interrupted training goes on from, or has ended with.
func (j *Job) save(path string, group []uint64, states []state) error {
	curves := make([][]Epoch, len(states))
	shape := append([]int{len(states)}, j.Prompt.shape()...)
	var vectors, velocities []float32
	for i, s := range states {
		curves[i] = s.curve
		vectors, velocities = append(vectors, s.vectors.Data...), append(velocities, s.velocity.Data...)
	}
	text, err := formatJSON(curves)
	if err != nil {
		return fmt.Errorf("saving the state of %s: %w", seedsText(group), err)
	}
	err = safetensors.Write(path, []safetensors.Tensor{
		safetensors.Float32(contextTensor, shape, vectors),
		safetensors.Float32(velocityTensor, shape, velocities),
	}, map[string]string{
		formatKey: stateFormat, versionKey: formatVersion,
		"inputs": j.groupInputs(group), "curves": text, checksumKey: checksum(text, vectors, velocities),
	})
	if err != nil {
		return fmt.Errorf("saving the state of %s: %w", seedsText(group), err)
	}
	return nil
}

func checksum(curves string, numbers ...[]float32) string {
	sum := sha256.New()
	sum.Write([]byte(curves))
	for _, n := range numbers {
		sum.Write(array.Bytes(n))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// resume gives the states, by seed, that another run's training of the same inputs has
// ended with, or in which this one was interrupted, or those at the beginning. A file
// that is damaged, or of other inputs, is as good as none.
func (j *Job) resume(group []uint64) ([]state, error) {
	paths := []string{j.statePath(group)}
	if j.Kept != "" {
		paths = []string{j.keptPath(group), j.statePath(group)}
	}
	for _, path := range paths {
		states, err := j.readState(path, group)
		if states != nil || err != nil {
			return states, err
		}
	}
	return j.begin(group), nil
}

// readState reads a file of save; nil where it is as good as none.
func (j *Job) readState(path string, group []uint64) (states []state, err error) {
	file, err := safetensors.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, safetensors.ErrFormat):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("going on with %s: %w", seedsText(group), err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	states, err = j.decodeState(group, file)
	if err != nil {
		return nil, nil
	}
	return states, nil
}

func (j *Job) decodeState(group []uint64, file *safetensors.File) ([]state, error) {
	m := &metadata{values: file.Metadata()}
	if err := m.format(stateFormat, formatVersion); err != nil {
		return nil, err
	}
	inputs, sum, text := m.text("inputs"), m.text(checksumKey), m.values["curves"]
	curves := readJSON[[][]Epoch](m, "curves")
	if err := m.err(); err != nil {
		return nil, err
	}
	if inputs != j.groupInputs(group) || len(curves) != len(group) {
		return nil, errors.New("it is of a training with other inputs")
	}
	shape := append([]int{len(group)}, j.Prompt.shape()...)
	vectors, err := readMatrix(file, contextTensor, shape)
	if err != nil {
		return nil, err
	}
	velocities, err := readMatrix(file, velocityTensor, shape)
	if err != nil {
		return nil, err
	}
	if checksum(text, vectors.Data, velocities.Data) != sum {
		return nil, errors.New("its numbers are not those that were written")
	}
	states, rows := make([]state, len(group)), j.Prompt.Rows()
	for i, curve := range curves {
		if len(curve) != len(curves[0]) || len(curve) > j.Settings.Epochs {
			return nil, fmt.Errorf("seed %d is at epoch %d", group[i], len(curve))
		}
		from, to := i*rows, (i+1)*rows
		states[i] = state{vectors: vectors.Slice(from, to).Clone(), velocity: velocities.Slice(from, to).Clone(), curve: curve}
	}
	return states, nil
}

func (j *Job) begin(group []uint64) []state {
	rows, width := j.Prompt.Rows(), j.Prompt.Width
	states := make([]state, len(group))
	for i, seed := range group {
		states[i].velocity = array.NewMatrix(rows, width)
		if j.Initial != nil {
			states[i].vectors = j.Initial.Clone()
		} else {
			states[i].vectors = RandomContext(seed, rows, width)
		}
	}
	return states
}

// inputs is a hash of everything that the context of a seed depends on: in its
// last bits also on the seeds beside it.
func (j *Job) inputs(group []uint64, seed uint64) string {
	sum := sha256.New()
	sum.Write(j.digest[:])
	writeNumbers(sum, uint64(len(group)))
	writeNumbers(sum, group...)
	writeNumbers(sum, seed)
	for _, member := range group {
		writeNumbers(sum, uint64(len(j.Rows[member])))
		for _, row := range j.Rows[member] {
			writeNumbers(sum, uint64(row))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// groupInputs is that of a group's state.
func (j *Job) groupInputs(group []uint64) string { return j.inputs(group, group[0]) }

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
	for _, view := range j.Data.Views {
		writeMatrix(sum, view)
	}
	writeMatrix(sum, j.Data.Targets.Matrix)
	for i, set := range j.Data.Targets.Sets {
		if set {
			writeNumbers(sum, uint64(i))
		}
	}
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

// forget removes the state of a group that is done.
func (j *Job) forget(group []uint64) error {
	if err := os.Remove(j.statePath(group)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the state of a finished training: %w", err)
	}
	return nil
}
