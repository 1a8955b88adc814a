// Package examine shows and checks a model for its user: it joins package check
// with pictures from files.
package examine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/check"
	"github.com/upl-host/upl-host/graphs/preprocess"
)

// Model is what a model's folder says.
type Model struct {
	Dir        string        `json:"dir"`
	Hash       string        `json:"hash"`
	Tokenizer  string        `json:"tokenizer"`
	Config     graphs.Config `json:"config"`
	Signatures []Signature   `json:"signatures"`
}

// Signature is one in words.
type Signature struct {
	Name    string `json:"name"`
	Inputs  string `json:"inputs"`
	Outputs string `json:"outputs"`
}

// Show reads a model's folder; it needs no TensorFlow.
func Show(dir string) (*Model, error) {
	c, err := graphs.ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	signatures, err := graphs.Signatures(dir)
	if err != nil {
		return nil, err
	}
	hash, err := graphs.Hash(dir)
	if err != nil {
		return nil, err
	}
	m := &Model{Dir: dir, Hash: hash, Config: c, Tokenizer: "CLIP's, built in"}
	switch {
	case c.Tokenizer.Kind == graphs.TokenizerTokens:
		m.Tokenizer = "token ids in " + c.Tokenizer.Tokens
	case c.Tokenizer.Vocabulary != "":
		m.Tokenizer = "CLIP's, " + c.Tokenizer.Vocabulary + " and " + c.Tokenizer.Merges
	}
	for name, s := range signatures {
		m.Signatures = append(m.Signatures, Signature{Name: name, Inputs: describe(s.Inputs), Outputs: describe(s.Outputs)})
	}
	sort.Slice(m.Signatures, func(i, j int) bool { return m.Signatures[i].Name < m.Signatures[j].Name })
	return m, nil
}

func describe(tensors map[string]graphs.Tensor) string {
	var parts []string
	for name, t := range tensors {
		parts = append(parts, fmt.Sprintf("%s %s%s", name, t.Type, strings.ReplaceAll(fmt.Sprint(t.Shape), "-1", "?")))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

// Options of Check.
type Options struct {
	// Reference is a .npz file of expected values, Images the folder of the
	// pictures behind them; both may be empty.
	Reference, Images string
	Model             graphs.Options
}

// Check examines a model; what is wrong with it is in the report.
func Check(ctx context.Context, dir string, options Options) (*check.Report, error) {
	o := check.Options{Model: options.Model}
	if options.Reference != "" {
		values, err := array.ReadArchive(options.Reference)
		if err != nil {
			return nil, err
		}
		o.Reference = values
	}
	if options.Images != "" {
		if options.Reference == "" {
			return nil, errors.New("--images goes with --reference: it gives the pictures behind its values")
		}
		files, err := pictureFiles(options.Images, o.Reference)
		if err != nil {
			return nil, err
		}
		o.Pixels = func(_ context.Context, c graphs.Config) ([]float32, int, error) {
			pixels, err := decode(files, c)
			return pixels, len(files), err
		}
	}
	report, err := check.Check(ctx, dir, o)
	return &report, err
}

// pictureFiles orders the pictures as the reference does.
func pictureFiles(folder string, reference map[string]array.Array) ([]string, error) {
	if paths, ok := reference["paths"].Data.([]string); ok {
		return below(folder, paths), nil
	}
	for _, place := range []string{folder, filepath.Dir(filepath.Clean(folder))} {
		data, err := os.ReadFile(filepath.Join(place, "cases.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var cases struct{ Images []string }
		if err := json.Unmarshal(data, &cases); err != nil {
			return nil, fmt.Errorf("reading %s: %w", filepath.Join(place, "cases.json"), err)
		}
		return below(folder, cases.Images), nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return below(folder, names), nil
}

func below(folder string, names []string) []string {
	files := make([]string, len(names))
	for i, name := range names {
		files[i] = filepath.Join(folder, filepath.FromSlash(name))
	}
	return files
}

func decode(files []string, c graphs.Config) ([]float32, error) {
	transform, err := preprocess.New(preprocess.Config{
		Size: c.ImageSize, ResizeMode: c.ResizeMode, Interpolation: c.Interpolation, Mean: c.Mean, Std: c.Std,
	})
	if err != nil {
		return nil, err
	}
	size := c.ImageSize * c.ImageSize * 3
	pixels := make([]float32, len(files)*size)
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		picture, err := preprocess.Decode(data, preprocess.Limits{})
		if err != nil {
			return nil, fmt.Errorf("picture %s: %w", file, err)
		}
		transform.Pixels(picture, pixels[i*size:(i+1)*size])
	}
	return pixels, nil
}
