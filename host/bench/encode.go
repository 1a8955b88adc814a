package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/encode"
)

// EncodeSetup is pictures from files to features.
type EncodeSetup struct {
	ModelSetup
	// Files are pictures; without any, Pictures JPEGs of 500 x 375 are made, as
	// those of ImageNet mostly are.
	Files    []string
	Pictures int
	Batch    int // pictures the tower gets at once
}

// Encode measures the stage of a run that encodes pictures, with an empty cache in
// memory, and its parts: decoding alone, and the tower alone.
func Encode(ctx context.Context, s EncodeSetup) (_ *Report, err error) {
	o, err := s.open(ctx, "encode", "picture")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if len(s.Files) == 0 {
		if s.Files, err = writePictures(ctx, o.temporary, s.Pictures); err != nil {
			return nil, err
		}
	}
	o.report.Settings = Settings{Batch: s.Batch}
	done := 0
	times, err := s.measure(ctx, "encode", func() error {
		result, err := s.encode(ctx, o, o.Model)
		if err == nil {
			done, o.report.Skipped = result.Encoded[0], len(result.Skipped)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if done == 0 {
		return nil, errors.New("none of the pictures can be decoded")
	}
	picture, err := o.ImageOperations()
	if err != nil {
		return nil, err
	}
	o.report.rate(times, done, int64(done)*picture)
	if err := s.stages(ctx, o, done); err != nil {
		return nil, err
	}
	return o.report, o.finish(ctx, s.ModelSetup)
}

// encode encodes all files with a tower.
func (s EncodeSetup) encode(ctx context.Context, o *subject, tower encode.Tower) (*encode.Result, error) {
	return encode.Encode(ctx, encode.Files(s.Files), []encode.Model{{
		Name: o.report.Model, Tower: tower, Transform: o.Transform,
		Cache: encode.NewCache(o.Model.Config().EmbeddingWidth),
	}}, encode.Options{BatchSize: s.Batch, Workers: s.Threads})
}

// stages measures the parts of a run that encodes some pictures.
func (s EncodeSetup) stages(ctx context.Context, o *subject, pictures int) error {
	few := Setup{Bounds: Bounds{Runs: fewestRuns}}
	decode, err := few.measure(ctx, "", func() error {
		_, err := s.encode(ctx, o, idle(o.Model.Config().EmbeddingWidth))
		return err
	})
	if err != nil {
		return err
	}
	size := o.Transform.Size()
	pixels := make([]float32, s.Batch*size*size*3)
	for i := range pixels {
		pixels[i] = float32(i%511)/255 - 1
	}
	batch, err := few.measure(ctx, "", func() error {
		_, err := o.EncodeImage(ctx, pixels, s.Batch)
		return err
	})
	if err != nil {
		return err
	}
	o.report.Decode = decode.median()
	o.report.Tower = batch.median() * float64(pictures) / float64(s.Batch)
	return nil
}

// idle is a tower of that many features that takes no time.
type idle int

func (width idle) EncodeImage(_ context.Context, _ []float32, n int) (array.Matrix, error) {
	return array.NewMatrix(n, int(width)), nil
}

// writePictures makes JPEGs, each another, in a folder.
func writePictures(ctx context.Context, folder string, n int) ([]string, error) {
	files := make([]string, n)
	for i := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		files[i] = filepath.Join(folder, fmt.Sprintf("%06d.jpg", i))
		content, err := picture(uint64(i))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(files[i], content, 0o644); err != nil {
			return nil, fmt.Errorf("making pictures: %w", err)
		}
	}
	return files, nil
}
