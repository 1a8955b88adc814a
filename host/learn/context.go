package learn

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/graphs/tokenizer"
)

const (
	contextFormat = "upl-host context"
	contextTensor = "context"
)

// Context is a learned context, with all that is needed to use it and to learn
// it again. docs/contexts.md describes its file.
type Context struct {
	Prompt
	Vectors array.Matrix // Prompt.Rows x W
	Seed    uint64
	// Settings it was learned with; of Seeds, Together and CheckpointEvery
	// nothing is kept.
	Settings Settings
	// Inputs is a hash of everything that the training depended on.
	Inputs string
	// Software is the version of the program that learned it.
	Software string
}

// Write writes the context's file; it appears whole or not at all.
func (c Context) Write(path string) error {
	names, err := formatJSON(c.ClassNames)
	if err != nil {
		return fmt.Errorf("writing %s: class names: %w", path, err)
	}
	s := c.Settings
	return safetensors.Write(path, []safetensors.Tensor{safetensors.Float32(contextTensor, c.shape(), c.Vectors.Data)}, map[string]string{
		formatKey:              contextFormat,
		versionKey:             formatVersion,
		"model":                c.Model,
		"model_hash":           c.ModelHash,
		"logit_scale":          formatReal32(c.LogitScale),
		"class_names":          names,
		"context_length":       strconv.Itoa(c.Length),
		"class_token_position": string(c.Position),
		"class_specific":       strconv.FormatBool(c.ClassSpecific),
		"initial_words":        c.InitialWords,
		"seed":                 strconv.FormatUint(c.Seed, 10),
		"epochs":               strconv.Itoa(s.Epochs),
		"batch_size":           strconv.Itoa(s.BatchSize),
		"learning_rate":        formatReal(s.LearningRate),
		"warmup_epochs":        strconv.Itoa(s.WarmupEpochs),
		"warmup_rate":          formatReal(s.WarmupRate),
		"momentum":             formatReal(s.Momentum),
		"weight_decay":         formatReal(s.WeightDecay),
		"inputs":               c.Inputs,
		"software":             c.Software,
	})
}

// ReadContext reads and checks a context's file. What is wrong with it is
// reported as safetensors.ErrFormat, an absent file as fs.ErrNotExist.
func ReadContext(path string) (c Context, err error) {
	file, err := safetensors.Open(path)
	if err != nil {
		return Context{}, err // it names the path
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if c, err = decodeContext(file); err != nil {
		return Context{}, damaged(path, err)
	}
	return c, nil
}

// damaged says of a file that it is not what it should be.
func damaged(path string, err error) error {
	return fmt.Errorf("reading %s: %w: %w", path, safetensors.ErrFormat, err)
}

func decodeContext(file *safetensors.File) (Context, error) {
	m := &metadata{values: file.Metadata()}
	if err := m.format(contextFormat, formatVersion); err != nil {
		return Context{}, err
	}
	c := Context{
		Prompt: Prompt{
			Model: m.text("model"), ModelHash: m.text("model_hash"),
			LogitScale: float32(m.real("logit_scale", 32)),
			ClassNames: m.list("class_names"),
			Length:     m.integer("context_length"),
			Position:   tokenizer.Position(m.text("class_token_position")), ClassSpecific: m.truth("class_specific"),
			InitialWords: m.text("initial_words"),
		},
		Seed: m.natural("seed"),
		Settings: Settings{
			Epochs: m.integer("epochs"), BatchSize: m.integer("batch_size"),
			LearningRate: m.real("learning_rate", 64),
			WarmupEpochs: m.integer("warmup_epochs"), WarmupRate: m.real("warmup_rate", 64),
			Momentum: m.real("momentum", 64), WeightDecay: m.real("weight_decay", 64),
		},
		Inputs: m.text("inputs"), Software: m.text("software"),
	}
	if err := m.err(); err != nil {
		return Context{}, err
	}
	info, _ := file.Info(contextTensor)
	if len(info.Shape) > 0 {
		c.Width = info.Shape[len(info.Shape)-1]
	}
	if err := c.Validate(); err != nil {
		return Context{}, err
	}
	var err error
	c.Vectors, err = readMatrix(file, contextTensor, c.shape())
	return c, err
}

// readMatrix reads a finite tensor of float32 whose shape is known. All but the
// last dimension become rows.
func readMatrix(file *safetensors.File, name string, want []int) (array.Matrix, error) {
	info, ok := file.Info(name)
	if !ok {
		return array.Matrix{}, fmt.Errorf("there is no tensor %q", name)
	}
	if info.Type != safetensors.F32 || !slices.Equal(info.Shape, want) {
		return array.Matrix{}, fmt.Errorf("tensor %q is %v of %s, want %v of %s", name, info.Shape, info.Type, want, safetensors.F32)
	}
	_, values, err := file.Float32(name)
	if err != nil {
		return array.Matrix{}, err
	}
	cols := want[len(want)-1]
	m := array.Matrix{Rows: len(values) / cols, Cols: cols, Data: values}
	if err := m.CheckFinite(); err != nil {
		return array.Matrix{}, fmt.Errorf("tensor %q: %w", name, err)
	}
	return m, nil
}
