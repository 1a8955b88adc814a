package arrays

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
)

// Sources are the files of a data set of N rows and C classes. Arrays are .npy of
// float16, float32 or float64.
type Sources struct {
	// Probabilities are [N, C], each row softmax outputs, one file a model.
	Probabilities []string
	// Features are [N, D] and TextFeatures [C, D]: none, or one file a model; each
	// model has a D of its own. Whoever names them here grants them: nothing but
	// the command line names the policy that is to see them.
	Features, TextFeatures []string
	// ClassNames is a file of class names, one a line; empty: their numbers.
	ClassNames string
	// LogitScales are 1/tau of each model; or none.
	LogitScales []float64
	// Prior is a file as label.ReadPrior takes it; empty: none.
	Prior string
}

func (s *Sources) files() []string {
	files := append([]string{s.ClassNames, s.Prior}, s.Probabilities...)
	return append(append(files, s.Features...), s.TextFeatures...)
}

// data is the sources, open.
type data struct {
	paths         []string // of the models' probabilities
	models        []*array.File
	open          []*array.File // all of them
	rows, classes int
	input         plugins.Input // what a policy may know
}

type probabilities struct{ *array.File }

func (p probabilities) Classes() int { return p.Cols() }

type features struct{ *array.File }

func (f features) Width() int { return f.Cols() }

// openData opens all files and sees that they fit each other.
func openData(s *Sources) (_ *data, err error) {
	d := &data{paths: s.Probabilities}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := d.openModels(s); err != nil {
		return nil, err
	}
	if err := d.openNames(s); err != nil {
		return nil, err
	}
	if d.input.Features, err = d.openFeatures("--features", s.Features, d.rows); err != nil {
		return nil, err
	}
	if d.input.TextFeatures, err = d.openFeatures("--text-features", s.TextFeatures, d.classes); err != nil {
		return nil, err
	}
	for i := range min(len(s.Features), len(s.TextFeatures)) {
		if image, text := d.input.Features[i].Width(), d.input.TextFeatures[i].Width(); image != text {
			return nil, wrong("%s has %d features a row, and %s %d", s.Features[i], image, s.TextFeatures[i], text)
		}
	}
	d.input.GrantFeatures = len(s.Features)+len(s.TextFeatures) > 0
	return d, nil
}

func (d *data) close() error {
	var errs []error
	for _, f := range d.open {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (d *data) openModels(s *Sources) error {
	if len(s.Probabilities) == 0 {
		return wrong("no probabilities: name a .npy file [rows, classes] of softmax outputs by -p, one a model")
	}
	for i, path := range s.Probabilities {
		f, err := d.openMatrix(path)
		if err != nil {
			return err
		}
		if i == 0 {
			d.rows, d.classes = f.Rows(), f.Cols()
		}
		if f.Rows() != d.rows || f.Cols() != d.classes {
			return wrong("%s is %d x %d, and %s is %d x %d: rows and classes have to be the same", path, f.Rows(), f.Cols(), s.Probabilities[0], d.rows, d.classes)
		}
		if d.classes == 0 {
			return wrong("%s has no classes", path)
		}
		d.models = append(d.models, f)
		d.input.Models = append(d.input.Models, probabilities{f})
	}
	if n := len(s.LogitScales); n != 0 && n != len(d.models) {
		return wrong("%d logit scales for %d models: give --logit-scale as often as -p, in the same order", n, len(d.models))
	}
	d.input.ModelNames, d.input.LogitScales = modelNames(s.Probabilities), s.LogitScales
	return nil
}

// modelNames are the files' names without their endings, or, where two would be
// the same, their paths.
func modelNames(paths []string) []string {
	names, seen := make([]string, len(paths)), map[string]bool{}
	for i, path := range paths {
		names[i] = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		if seen[names[i]] {
			return paths
		}
		seen[names[i]] = true
	}
	return names
}

func (d *data) openNames(s *Sources) error {
	if s.ClassNames == "" {
		for c := range d.classes {
			d.input.ClassNames = append(d.input.ClassNames, strconv.Itoa(c))
		}
	} else {
		classes, err := dataset.ReadClasses(s.ClassNames)
		if err != nil {
			return err
		}
		if len(classes) != d.classes {
			return wrong("%s names %d classes, and %s has %d", s.ClassNames, len(classes), s.Probabilities[0], d.classes)
		}
		for _, c := range classes {
			d.input.ClassNames = append(d.input.ClassNames, c.Name)
		}
	}
	if s.Prior == "" {
		return nil
	}
	prior, err := label.ReadPrior(s.Prior, d.input.ClassNames)
	if err != nil {
		return unreadable(err)
	}
	d.input.Prior = prior
	return nil
}

// openFeatures opens a file of features for each model, or none.
func (d *data) openFeatures(option string, paths []string, rows int) ([]plugins.Features, error) {
	if len(paths) != 0 && len(paths) != len(d.models) {
		return nil, wrong("%s is given %d times, for %d models: give it as often as -p, in the same order", option, len(paths), len(d.models))
	}
	var all []plugins.Features
	for _, path := range paths {
		f, err := d.openMatrix(path)
		if err != nil {
			return nil, err
		}
		if f.Rows() != rows || f.Cols() == 0 {
			return nil, wrong("%s is %d x %d, where %d rows of features are wanted", path, f.Rows(), f.Cols(), rows)
		}
		all = append(all, features{f})
	}
	return all, nil
}

func (d *data) openMatrix(path string) (*array.File, error) {
	if ending := filepath.Ext(path); !strings.EqualFold(ending, ".npy") {
		return nil, wrong("%s: its ending is %q, and an array in .npy is wanted%s", path, ending, advice(path))
	}
	f, err := array.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	d.open = append(d.open, f)
	return f, nil
}

// advice says how an array of another kind of file becomes one of ours.
func advice(path string) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npz":
		return `: numpy.save("p.npy", numpy.load("` + path + `")["NAME"])`
	case ".pt", ".pth":
		return `: numpy.save("p.npy", torch.load("` + path + `").numpy(force=True))`
	}
	return `: numpy.save("p.npy", array)`
}

// unreadable is the user's to mend, but for a file that is damaged.
func unreadable(err error) error {
	var file *fs.PathError
	switch {
	case errors.Is(err, array.ErrSize):
		return err
	case errors.As(err, &file):
		return wrong("%s: %w", file.Path, file.Err)
	}
	return &Error{err}
}

// readLabels reads the true classes of the rows; those that are unknown are -1.
func readLabels(path string, d *data) ([]int, error) {
	a, err := array.ReadFileAtMost(path, d.rows)
	if err != nil {
		return nil, unreadable(err)
	}
	labels, err := a.Int()
	if err != nil {
		return nil, wrong("%s: %w: labels are numbers of classes, -1 where unknown", path, err)
	}
	if len(a.Shape) != 1 || len(labels) != d.rows {
		return nil, wrong("%s has shape %v, and a label for each of %d rows is wanted", path, a.Shape, d.rows)
	}
	for row, c := range labels {
		if c < -1 || c >= d.classes {
			return nil, wrong("%s: row %d is labelled %d: want a class, 0 to %d, or -1 for unknown", path, row, c, d.classes-1)
		}
	}
	return labels, nil
}

// checkOutput finds out before any work whether a file can be written there.
func checkOutput(path string, endings []string, inputs []string) error {
	known := false
	for _, ending := range endings {
		known = known || strings.EqualFold(filepath.Ext(path), ending)
	}
	if !known {
		return wrong("-o %s: its ending is none of %s", path, strings.Join(endings, ", "))
	}
	if folder, err := os.Stat(filepath.Dir(path)); err != nil || !folder.IsDir() {
		return wrong("-o %s: there is no folder %s", path, filepath.Dir(path))
	}
	there, err := os.Stat(path)
	if err != nil {
		return nil // it is new, or its writing will say why not
	}
	if there.IsDir() {
		return wrong("-o %s is a folder", path)
	}
	for _, input := range inputs {
		if info, err := os.Stat(input); err == nil && os.SameFile(info, there) {
			return wrong("-o %s would overwrite %s, which it is made of", path, input)
		}
	}
	return nil
}
