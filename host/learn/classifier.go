package learn

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/host/learn/head"
)

// Classifier is what a run ends with: class features whose inner products with
// a picture's, times LogitScale, are its logits, or heads of other kinds.
// docs/contexts.md describes its file.
type Classifier struct {
	// Learned [C, D] is the ensemble of the prompts; without rows where nothing was learned.
	Learned array.Matrix
	// ZeroShot [C, D] are the features of the templates.
	ZeroShot array.Matrix
	Prompts  int // N, which Learned is the mean of
	// TextClasses is there where the model compares pictures and texts itself, by
	// Similarity, which is in no file: whoever reads one sets it. ZeroShot then has a row a
	// text, of the class that TextClasses says, and Learned those of all prompts, [N C, ·].
	TextClasses []int
	Similarity  head.Similarity
	// Heads are what the seeds learnt where it is no class features; the mean of their
	// logits classifies.
	Heads      []SeedHead
	ClassNames []string
	Templates  []string
	LogitScale float32
	Model      string // name
	ModelHash  string
	// Preprocessing is the key of how pictures become features.
	Preprocessing string
	Software      string
	// Of a classifier with heads: the method that they were learnt by, and whether it
	// drew nothing, so that every seed gives the same and one stands for all.
	Method        string
	Deterministic bool
	// Inputs is a hash of everything that a seed's head depended on, in the file of that
	// seed alone; else empty.
	Inputs string
}

// SeedHead is the head that a seed learnt.
type SeedHead struct {
	Seed uint64
	head.Head
}

// Best is what classifies: what was learnt, or zero-shot where nothing was.
func (c Classifier) Best() head.Head {
	switch {
	case len(c.Heads) > 0:
		mean := make(head.Mean, len(c.Heads))
		for i, h := range c.Heads {
			mean[i] = h.Head
		}
		return mean
	case c.Prompts > 0:
		return c.byLearned()
	}
	return c.ByZeroShot()
}

const (
	classifierFormat = "upl-host classifier"
	learnedTensor    = "learned"
	zeroShotTensor   = "zero_shot"
	headsKey         = "heads"
	// headsVersion is that of files with heads: a program that knows version 1 alone
	// would take them for zero-shot ones.
	headsVersion = "2"
	// textsVersion is that of files of models with `similarity`, whose features others
	// would take inner products of.
	textsVersion        = "3"
	zeroShotClassTensor = "zero_shot_classes"
)

// Write writes the classifier's file; it appears whole or not at all.
func (c Classifier) Write(path string) error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	names, err := formatJSON(c.ClassNames)
	if err != nil {
		return fmt.Errorf("writing %s: class names: %w", path, err)
	}
	templates, err := formatJSON(c.Templates)
	if err != nil {
		return fmt.Errorf("writing %s: templates: %w", path, err)
	}
	tensors, version := c.features()
	metadata := map[string]string{
		formatKey:       classifierFormat,
		versionKey:      version,
		"prompts":       strconv.Itoa(c.Prompts),
		"class_names":   names,
		"templates":     templates,
		"logit_scale":   formatReal32(c.LogitScale),
		"model":         c.Model,
		"model_hash":    c.ModelHash,
		"preprocessing": c.Preprocessing,
		"software":      c.Software,
	}
	if len(c.Heads) == 0 {
		return safetensors.Write(path, tensors, metadata)
	}
	descriptions := make([]head.Description, len(c.Heads))
	for i, h := range c.Heads {
		var own []safetensors.Tensor
		if descriptions[i], own, err = head.Encode(h.Head, h.Seed, headPrefix(i)); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		tensors = append(tensors, own...)
	}
	if metadata[headsKey], err = formatJSON(descriptions); err != nil {
		return fmt.Errorf("writing %s: heads: %w", path, err)
	}
	metadata[versionKey], metadata["inputs"] = headsVersion, c.Inputs
	metadata["method"], metadata["deterministic"] = c.Method, strconv.FormatBool(c.Deterministic)
	return safetensors.Write(path, tensors, metadata)
}

// features are the tensors of class features, or of those of texts, and the version of a
// file of them.
func (c Classifier) features() (tensors []safetensors.Tensor, version string) {
	version, learned := formatVersion, []int{c.Learned.Rows, c.Learned.Cols}
	tensors = append(tensors, safetensors.Float32(zeroShotTensor, []int{c.ZeroShot.Rows, c.ZeroShot.Cols}, c.ZeroShot.Data))
	if c.TextClasses != nil {
		version, learned = textsVersion, []int{c.Prompts, len(c.ClassNames), c.Learned.Cols}
		classes := make([]int32, len(c.TextClasses))
		for i, class := range c.TextClasses {
			classes[i] = int32(class)
		}
		tensors = append(tensors, safetensors.Int32(zeroShotClassTensor, []int{len(classes)}, classes))
	}
	if c.Learned.Rows > 0 {
		tensors = append(tensors, safetensors.Float32(learnedTensor, learned, c.Learned.Data))
	}
	return tensors, version
}

// headPrefix begins the names of a head's tensors.
func headPrefix(i int) string { return fmt.Sprintf("head.%d.", i) }

// ReadClassifier reads and checks a classifier's file. What is wrong with it is
// reported as safetensors.ErrFormat, an absent file as fs.ErrNotExist.
func ReadClassifier(path string) (c Classifier, err error) {
	file, err := safetensors.Open(path)
	if err != nil {
		return Classifier{}, err // it names the path
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if c, err = decodeClassifier(file); err != nil {
		return Classifier{}, damaged(path, err)
	}
	return c, nil
}

func decodeClassifier(file *safetensors.File) (Classifier, error) {
	m := &metadata{values: file.Metadata()}
	if err := m.format(classifierFormat, formatVersion, headsVersion, textsVersion); err != nil {
		return Classifier{}, err
	}
	c := Classifier{
		Prompts:    m.integer("prompts"),
		ClassNames: m.list("class_names"), Templates: m.list("templates"),
		LogitScale: float32(m.real("logit_scale", 32)),
		Model:      m.text("model"), ModelHash: m.text("model_hash"),
		Preprocessing: m.text("preprocessing"), Software: m.text("software"),
	}
	var descriptions []head.Description
	if m.values[versionKey] == headsVersion {
		descriptions, c.Inputs = readJSON[[]head.Description](m, headsKey), m.text("inputs")
		c.Method, c.Deterministic = m.text("method"), m.truth("deterministic")
	}
	if err := m.err(); err != nil {
		return Classifier{}, err
	}
	if err := c.readFeatures(file, m.values[versionKey] == textsVersion); err != nil {
		return Classifier{}, err
	}
	if m.values[versionKey] == headsVersion && len(descriptions) == 0 {
		return Classifier{}, errors.New("a file of heads without any")
	}
	for i, d := range descriptions {
		h, err := head.Decode(file, d, headPrefix(i), c.ZeroShot, float64(c.LogitScale))
		if err != nil {
			return Classifier{}, err
		}
		c.Heads = append(c.Heads, SeedHead{Seed: d.Seed, Head: h})
	}
	return c, c.validate()
}

// readFeatures reads those of the classes, or, with texts, of each text.
func (c *Classifier) readFeatures(file *safetensors.File, texts bool) (err error) {
	info, ok := file.Info(zeroShotTensor)
	if !ok || len(info.Shape) != 2 || info.Shape[1] == 0 {
		return fmt.Errorf("tensor %q is no matrix", zeroShotTensor)
	}
	classes, width := len(c.ClassNames), info.Shape[1]
	zeroShot, learned := []int{classes, width}, []int{classes, width}
	if texts {
		if c.TextClasses, err = readClasses(file); err != nil {
			return err
		}
		zeroShot, learned = []int{len(c.TextClasses), width}, []int{c.Prompts, classes, width}
	}
	if c.ZeroShot, err = readMatrix(file, zeroShotTensor, zeroShot); err != nil {
		return err
	}
	if _, ok := file.Info(learnedTensor); ok {
		c.Learned, err = readMatrix(file, learnedTensor, learned)
	}
	return err
}

// readClasses reads the class of each text.
func readClasses(file *safetensors.File) ([]int, error) {
	shape, values, err := file.Int32(zeroShotClassTensor)
	if err != nil {
		return nil, err
	}
	if len(shape) != 1 {
		return nil, fmt.Errorf("tensor %q is no list", zeroShotClassTensor)
	}
	of := make([]int, len(values))
	for i, class := range values {
		of[i] = int(class)
	}
	return of, nil
}

func (c Classifier) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	classes := len(c.ClassNames)
	check(classes > 0, "a classifier without class names")
	check(finite(float64(c.LogitScale)) && c.LogitScale > 0, "logit_scale is %g, want above 0", c.LogitScale)
	if c.TextClasses != nil {
		return errors.Join(append(errs, c.validateTexts())...)
	}
	check(c.ZeroShot.Rows == classes, "zero-shot features of %d classes, there are %d", c.ZeroShot.Rows, classes)
	learned := c.Learned.Rows > 0
	check(!learned || c.Learned.Rows == classes && c.Learned.Cols == c.ZeroShot.Cols,
		"learned features of %d x %d beside zero-shot ones of %d x %d", c.Learned.Rows, c.Learned.Cols, c.ZeroShot.Rows, c.ZeroShot.Cols)
	check(!learned || len(c.Heads) == 0, "prompts beside other heads")
	for _, h := range c.Heads {
		check(h.Classes() == classes && h.Width() == c.ZeroShot.Cols,
			"the head of seed %d is for %d classes and %d features, there are %d and %d", h.Seed, h.Classes(), h.Width(), classes, c.ZeroShot.Cols)
	}
	check(learned == (c.Prompts > 0), "an ensemble of %d prompts with learned features of %d classes", c.Prompts, c.Learned.Rows)
	return errors.Join(errs...)
}
