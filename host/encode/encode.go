package encode

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/preprocess"
)

// Tower is the image tower of a model; *graphs.Model is one.
type Tower interface {
	// EncodeImage takes n pictures, NHWC float32, and returns their features [n, D].
	EncodeImage(ctx context.Context, pixels []float32, n int) (array.Matrix, error)
}

// Model is a tower with what stands before and behind it.
type Model struct {
	Name      string
	Tower     Tower
	Transform *preprocess.Transform
	Cache     *Cache
	// Wants reports whether this model is to encode picture i of the list; nil: every one.
	Wants func(i int) bool
	// View makes pixels in the place of Transform.Pixels, of Transform.Size: an
	// augmented view, drawn by the picture's key (see View). The cache is of the view.
	View func(p *preprocess.Picture, key Key, dst []float32)
}

func (m Model) pixels(p *preprocess.Picture, key Key, dst []float32) {
	if m.View != nil {
		m.View(p, key, dst)
		return
	}
	m.Transform.Pixels(p, dst)
}

// Source is a picture to encode.
type Source interface {
	// Read returns the encoded picture; it is called from several goroutines.
	Read() ([]byte, error)
	// Name is what messages call it.
	Name() string
}

// File is a Source: the path of a picture's file.
type File string

// Read reads the file.
func (f File) Read() ([]byte, error) { return os.ReadFile(string(f)) }

// Name is the path.
func (f File) Name() string { return string(f) }

// Files makes sources of paths.
func Files(paths []string) []Source {
	sources := make([]Source, len(paths))
	for i, path := range paths {
		sources[i] = File(path)
	}
	return sources
}

// Options of Encode. The zero value of a field means its default.
type Options struct {
	// BatchSize is the number of pictures a tower gets at once, 32 by default and as
	// BatchSize has it. Batches are padded to it, so that a picture's features do not
	// depend on how many others are encoded with it.
	BatchSize int
	// Workers is the number of pictures decoded at once, by default one a CPU.
	Workers int
	// Limits bounds a picture's size.
	Limits preprocess.Limits
	// FailOnBadPicture makes a picture that cannot be decoded an error; it is skipped otherwise.
	FailOnBadPicture bool
	// FlushEvery is the longest time between two flushes of the caches, 5 s by default.
	FlushEvery time.Duration
	// Progress is called with the number of pictures that are done.
	Progress func(done int)
}

// BatchSize is the number of pictures that a tower gets at once where n are asked
// for: 1, or the next multiple of 8. In others a picture's features depend on its
// place: kernels take the rows of a product in groups of up to 8, and the sums of
// those that are left over end otherwise in the last bit.
func BatchSize(n int) int {
	const group = 8
	if n <= 1 {
		return 1
	}
	return (n + group - 1) / group * group
}

func (o Options) withDefaults() Options {
	if o.BatchSize <= 0 {
		o.BatchSize = 32
	}
	o.BatchSize = BatchSize(o.BatchSize)
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.FlushEvery <= 0 {
		o.FlushEvery = 5 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(int) {}
	}
	return o
}

// Skipped is a picture that could not be decoded.
type Skipped struct {
	Index  int
	Reason error
}

// Result of Encode.
type Result struct {
	// Keys holds each picture's key; that of a skipped one is not in any cache.
	Keys []Key
	// Skipped is ordered by index.
	Skipped []Skipped
	// Encoded counts, per model, the pictures that were not in its cache.
	Encoded []int
}

// PictureError says which picture stopped the stage.
type PictureError struct {
	File string
	Err  error
}

func (e *PictureError) Error() string { return fmt.Sprintf("picture %s: %v", e.File, e.Err) }

// Unwrap returns the cause.
func (e *PictureError) Unwrap() error { return e.Err }

// Encode brings the features of pictures into the models' caches. Each picture is
// read once, and decoded at most once, for all models; reading, decoding and
// resizing of the next batch run beside the towers. When ctx ends, finished
// batches are flushed, so that the next call goes on behind them.
func Encode(ctx context.Context, sources []Source, models []Model, options Options) (_ *Result, err error) {
	options = options.withDefaults()
	result := &Result{Keys: make([]Key, len(sources)), Encoded: make([]int, len(models))}
	defer func() {
		var failed *flushError
		if !errors.As(err, &failed) { // it would fail again
			err = errors.Join(err, flush(models))
		}
	}()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prepared := make(chan *batch, 1)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(prepared)
		for first := 0; first < len(sources); first += options.BatchSize {
			b, err := prepare(ctx, sources, first, models, options)
			if err != nil {
				return err
			}
			select {
			case prepared <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error { return encodeBatches(ctx, prepared, sources, models, options, result) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return result, nil
}

func encodeBatches(ctx context.Context, prepared <-chan *batch, sources []Source, models []Model, options Options, result *Result) error {
	flushed := time.Now()
	for b := range prepared {
		copy(result.Keys[b.first:], b.keys)
		for i, reason := range b.failed {
			if reason == nil {
				continue
			}
			if options.FailOnBadPicture {
				return &PictureError{File: sources[b.first+i].Name(), Err: reason}
			}
			result.Skipped = append(result.Skipped, Skipped{Index: b.first + i, Reason: reason})
		}
		for m := range models {
			n, err := b.encode(ctx, m, models[m], sources, options.BatchSize)
			if err != nil {
				return err
			}
			result.Encoded[m] += n
		}
		options.Progress(b.first + len(b.keys))
		if time.Since(flushed) > options.FlushEvery {
			if err := flush(models); err != nil {
				return err
			}
			flushed = time.Now()
		}
	}
	return ctx.Err()
}

// flushError says that finished work could not be kept.
type flushError struct{ error }

func (e *flushError) Unwrap() error { return e.error }

func flush(models []Model) error {
	for _, model := range models {
		if err := model.Cache.Flush(); err != nil {
			return &flushError{err}
		}
	}
	return nil
}

// batch is a run of the list, read, decoded and made into pixels where a cache lacks it.
type batch struct {
	first  int
	keys   []Key
	failed []error
	rows   [][]int     // per model: which pictures of the batch it encodes
	pixels [][]float32 // per model: BatchSize pictures, each in its place, zeros where none is encoded
}

func prepare(ctx context.Context, sources []Source, first int, models []Model, options Options) (*batch, error) {
	n := min(options.BatchSize, len(sources)-first)
	b := &batch{
		first: first, keys: make([]Key, n), failed: make([]error, n),
		rows: make([][]int, len(models)), pixels: make([][]float32, len(models)),
	}
	contents := make([][]byte, n)
	err := parallel(ctx, n, options.Workers, func(i int) error {
		contents[i], b.failed[i] = sources[first+i].Read()
		b.keys[i] = sha256.Sum256(contents[i])
		return nil
	})
	if err != nil {
		return nil, err
	}
	slots := b.assign(models, options.BatchSize)
	err = parallel(ctx, n, options.Workers, func(i int) error {
		if b.failed[i] != nil || slots[i] == nil {
			return nil
		}
		picture, err := preprocess.Decode(contents[i], options.Limits)
		contents[i] = nil
		if err != nil {
			b.failed[i] = err
			return nil
		}
		for m, slot := range slots[i] {
			if slot != nil {
				models[m].pixels(picture, b.keys[i], slot)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// assign gives every picture that a model wants, and its cache lacks, a slot in
// that model's pixels: per picture, per model; nil where nothing is wanted.
func (b *batch) assign(models []Model, batchSize int) [][][]float32 {
	slots := make([][][]float32, len(b.keys))
	for m, model := range models {
		for i, key := range b.keys {
			if b.failed[i] != nil || model.Wants != nil && !model.Wants(b.first+i) || model.Cache.Get(key) != nil {
				continue
			}
			size := model.Transform.Size() * model.Transform.Size() * 3
			if b.pixels[m] == nil {
				b.pixels[m] = make([]float32, batchSize*size)
			}
			if slots[i] == nil {
				slots[i] = make([][]float32, len(models))
			}
			// Its place does not depend on what the cache has.
			slots[i][m] = b.pixels[m][i*size:][:size]
			b.rows[m] = append(b.rows[m], i)
		}
	}
	return slots
}

// encode puts the features of the batch's pictures into a model's cache and
// returns how many.
func (b *batch) encode(ctx context.Context, m int, model Model, sources []Source, batchSize int) (int, error) {
	if len(b.rows[m]) == 0 {
		return 0, nil
	}
	features, err := model.Tower.EncodeImage(ctx, b.pixels[m], batchSize)
	if err != nil {
		rows := b.rows[m]
		return 0, fmt.Errorf("encoding %s to %s with model %s: %w", sources[b.first+rows[0]].Name(), sources[b.first+rows[len(rows)-1]].Name(), model.Name, err)
	}
	n := 0
	for _, i := range b.rows[m] {
		if b.failed[i] != nil {
			continue
		}
		if err := features.Slice(i, i+1).CheckFinite(); err != nil {
			return n, &PictureError{File: sources[b.first+i].Name(), Err: fmt.Errorf("features of model %s: %w", model.Name, err)}
		}
		model.Cache.Put(b.keys[i], features.Row(i))
		n++
	}
	return n, nil
}

// parallel calls do(0) .. do(n-1), at most `workers` at once.
func parallel(ctx context.Context, n, workers int, do func(i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(i)
		})
	}
	return group.Wait()
}

// WriteFeatures writes the features of keys, in their order, as a .npy matrix.
func WriteFeatures(path string, cache *Cache, keys []Key) error {
	if err := writeFeatures(path, cache, keys); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func writeFeatures(path string, cache *Cache, keys []Key) error {
	w, err := array.Create(path, len(keys), cache.width)
	if err != nil {
		return err
	}
	defer w.Abort()
	for i, key := range keys {
		row := cache.Get(key)
		if row == nil {
			return fmt.Errorf("picture %d is not in the cache", i)
		}
		if err := w.Append(row); err != nil {
			return err
		}
	}
	return w.Close()
}
