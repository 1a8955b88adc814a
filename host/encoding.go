package host

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/encode"
)

// pictures are those of a run that could be decoded, as indices into the data
// set, ascending. Rows of features/MODEL.npy are all of the first model's, and
// unlabeled of the others'.
type pictures struct {
	all, unlabeled, validation, test []int
	skipped                          int
}

const (
	classesName  = "classes.csv"
	picturesName = "pictures.csv"
	skippedName  = "skipped.csv"
)

// The splits in the table of pictures. What is a validation picture alone is called that.
const (
	splitUnlabeled  = "unlabeled"
	splitValidation = "validation"
	splitTest       = "test"
	splitBoth       = "both"
)

func featuresName(model string) string { return "features/" + model + ".npy" }

func (r *run) encodeInputs() string {
	parts := []string{r.dataDigest(), r.labels}
	for _, m := range r.models {
		// Not Key: the program without TensorFlow finds a run done that its twin did.
		parts = append(parts, m.Name, m.Hash, m.Transform.Settings())
	}
	return digest(parts...)
}

// encode brings every picture's features into the cache, then into files. labels
// names a picture's label for the table of pictures.
func (r *run) encode(ctx context.Context, labels func(picture int) string) (_ []string, err error) {
	union := r.union()
	sources := make([]encode.Source, len(union))
	for k, i := range union {
		sources[k] = r.data.Pictures[i]
	}
	limits := preprocess.Limits{Pixels: r.config.Dataset.MaxPixels}
	models, err := r.encoders(union, limits)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, m := range models {
			err = errors.Join(err, m.Cache.Close())
		}
	}()
	task := r.display.Start("encode", len(sources), "pictures")
	result, err := encode.Encode(ctx, sources, models, encode.Options{
		BatchSize: r.config.Run.BatchSize, Workers: r.config.Run.Threads, Limits: limits,
		FailOnBadPicture: r.config.Dataset.Corrupt == "fail", Progress: task.Set, FlushEvery: saveEvery,
	})
	task.End()
	if err != nil {
		return nil, err
	}
	for m, n := range result.Encoded {
		r.log.Info("pictures encoded", "model", models[m].Name, "new", n, "cached", len(sources)-n)
	}
	bad := map[int]error{}
	for _, s := range result.Skipped {
		bad[union[s.Index]] = s.Reason
	}
	if err := r.writePictures(bad, labels); err != nil {
		return nil, err
	}
	if err := r.warnSkipped(sources, result.Skipped); err != nil {
		return nil, err
	}
	outputs := []string{classesName, picturesName, skippedName}
	for m := range models {
		var keys []encode.Key
		for k, i := range union {
			if bad[i] == nil && (models[m].Wants == nil || models[m].Wants(k)) {
				keys = append(keys, result.Keys[k])
			}
		}
		name := featuresName(models[m].Name)
		if err := os.MkdirAll(filepath.Dir(r.folder.Join(name)), 0o755); err != nil {
			return nil, fmt.Errorf("making the run's folders: %w", err)
		}
		if err := encode.WriteFeatures(r.folder.Join(name), models[m].Cache, keys); err != nil {
			return nil, err
		}
		outputs = append(outputs, name)
	}
	return outputs, nil
}

// encoders opens all models' caches, and in the background the models that are
// needed for certain. The first model encodes every picture, the others those
// that get pseudo labels.
func (r *run) encoders(union []int, limits preprocess.Limits) (models []encode.Model, err error) {
	defer func() {
		if err != nil {
			for _, m := range models {
				err = errors.Join(err, m.Cache.Close())
			}
		}
	}()
	device, err := r.deviceKind()
	if err != nil {
		return nil, err
	}
	if learnsPrompts(r.config.Learn) {
		r.towers.begin(0) // it learns, whatever is cached
	}
	unlabeled := membership(r.data.Unlabeled)
	for i, d := range r.models {
		cache, err := r.featureCache(d, device, limits)
		if err != nil {
			return models, err
		}
		if cache.Len() == 0 || d.HasSimilarity {
			r.towers.begin(i) // while pictures are decoded
		}
		m := encode.Model{Name: d.Name, Tower: tower{r.towers, i}, Transform: d.Transform, Cache: cache}
		if i > 0 {
			m.Wants = func(k int) bool { return unlabeled[union[k]] }
		}
		models = append(models, m)
	}
	return models, nil
}

// featureCache opens the cache of a model's features of pictures, or, with words
// that name a view, of views of them.
func (r *run) featureCache(d *backbone.Description, device string, limits preprocess.Limits, view ...string) (*encode.Cache, error) {
	const letters = 32
	name := digest(append([]string{d.Key(device), fmt.Sprint(limits, encode.BatchSize(r.config.Run.BatchSize))}, view...)...)[:letters]
	return encode.OpenCache(filepath.Join(r.config.Cache.Dir, "features", name), d.Config.EmbeddingWidth, r.log)
}

func membership(indices []int) map[int]bool {
	set := make(map[int]bool, len(indices))
	for _, i := range indices {
		set[i] = true
	}
	return set
}

func (r *run) warnSkipped(sources []encode.Source, skipped []encode.Skipped) error {
	if len(skipped) == 0 {
		return nil
	}
	first := skipped[0]
	if len(skipped) == len(sources) {
		return &UsageError{Err: fmt.Errorf("none of the %d pictures can be decoded, see %s; the first is %s: %s",
			len(sources), r.folder.Join(skippedName), sources[first.Index].Name(), first.Reason.Error())}
	}
	r.warn("%d of %d pictures cannot be decoded and are skipped, see %s; the first is %s: %v",
		len(skipped), len(sources), skippedName, sources[first.Index].Name(), first.Reason)
	return nil
}

// warn tells the user, the log and the manifest.
func (r *run) warn(format string, arguments ...any) {
	message := fmt.Sprintf(format, arguments...)
	r.display.Say("warning: %s", message)
	r.log.Warn(message)
	r.manifest.Warnings = append(r.manifest.Warnings, message)
}

func (r *run) writePictures(bad map[int]error, labels func(picture int) string) error {
	classes := [][]string{{"folder", "name"}}
	for _, c := range r.data.Classes {
		classes = append(classes, []string{c.Folder, c.Name})
	}
	kept, skipped := [][]string{{"path", "split", "label"}}, [][]string{{"path", "reason"}}
	unlabeled, test := membership(r.data.Unlabeled), membership(r.data.Test)
	for _, i := range r.union() {
		if reason := bad[i]; reason != nil {
			skipped = append(skipped, []string{r.data.Pictures[i].ID, reason.Error()})
			continue
		}
		split := splitValidation
		switch {
		case unlabeled[i] && test[i]:
			split = splitBoth
		case unlabeled[i]:
			split = splitUnlabeled
		case test[i]:
			split = splitTest
		}
		kept = append(kept, []string{r.data.Pictures[i].ID, split, labels(i)})
	}
	return errors.Join(
		r.writeTable(classesName, classes), r.writeTable(picturesName, kept), r.writeTable(skippedName, skipped),
	)
}

func (r *run) writeTable(name string, rows [][]string) error {
	f, err := renameio.NewPendingFile(r.folder.Join(name), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	defer f.Cleanup()
	if err := csv.NewWriter(f).WriteAll(rows); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// readKept learns from pictures.csv which pictures the run goes on with.
func (r *run) readKept() error {
	index := make(map[string]int, len(r.data.Pictures))
	for i, p := range r.data.Pictures {
		index[p.ID] = i
	}
	f, err := os.Open(r.folder.Join(picturesName))
	if err != nil {
		return fmt.Errorf("reading the run's pictures: %w", err)
	}
	defer f.Close()
	rows := csv.NewReader(f)
	if _, err := rows.Read(); err != nil {
		return fmt.Errorf("reading %s: %w", picturesName, err)
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", picturesName, err)
		}
		i := index[row[0]]
		r.kept.all = append(r.kept.all, i)
		switch row[1] {
		case splitUnlabeled:
			r.kept.unlabeled = append(r.kept.unlabeled, i)
		case splitValidation:
			r.kept.validation = append(r.kept.validation, i)
		case splitTest:
			r.kept.test = append(r.kept.test, i)
		case splitBoth:
			r.kept.unlabeled, r.kept.test = append(r.kept.unlabeled, i), append(r.kept.test, i)
		}
	}
	r.kept.skipped = len(r.union()) - len(r.kept.all)
	d := &r.manifest.Dataset
	d.Unlabeled, d.Validation, d.Test, d.Skipped = len(r.kept.unlabeled), len(r.kept.validation), len(r.kept.test), r.kept.skipped
	switch {
	case len(r.kept.unlabeled) == 0:
		return &UsageError{Err: errors.New("dataset.unlabeled: none of its pictures can be decoded")}
	case len(r.kept.test) == 0:
		return &UsageError{Err: errors.New("dataset.test: none of its pictures can be decoded")}
	}
	return nil
}

// rows returns the rows of pictures in features/MODEL.npy of a model.
func (r *run) rows(model int, of []int) []int {
	list := r.kept.all
	if model > 0 {
		list = r.kept.unlabeled
	}
	place := make(map[int]int, len(list))
	for row, i := range list {
		place[i] = row
	}
	rows := make([]int, len(of))
	for k, i := range of {
		rows[k] = place[i]
	}
	return rows
}

func (r *run) features(model int) (*array.Mapped, error) {
	return array.Map(r.folder.Join(featuresName(r.models[model].Name)))
}

// readPicture reads a picture by its path in the run's tables.
func (r *run) readPicture(path string) ([]byte, error) {
	i, there := slices.BinarySearchFunc(r.data.Pictures, path, func(p dataset.Picture, id string) int { return strings.Compare(p.ID, id) })
	if !there {
		return nil, fmt.Errorf("the data set has no picture %s", path)
	}
	return r.data.Pictures[i].Read()
}
