package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/encode"
)

// viewsAtOnce is how many views are made of a picture that was decoded: a batch of
// pixels of each is held, so that more would cost more memory than decoding anew
// costs time.
const viewsAtOnce = 4

// viewFeatures are the first model's features of augmented views of pictures, which
// are indices into the data set: for each view a row a picture, of length 1. They
// depend on the pictures' contents and the run's seed, and are cached as those of
// the test view.
func (r *run) viewFeatures(ctx context.Context, pictures []int, views int) ([]array.Matrix, error) {
	// A picture with several labels is encoded once.
	distinct := slices.Compact(slices.Sorted(slices.Values(pictures)))
	task := r.display.Start("views", len(distinct)*views, "views")
	defer task.End()
	features := make([]array.Matrix, 0, views)
	for first := 0; first < views; first += viewsAtOnce {
		n := min(viewsAtOnce, views-first)
		part, err := r.encodeViews(ctx, distinct, first, n, func(done int) { task.Set(first*len(distinct) + done*n) })
		if err != nil {
			return nil, err
		}
		features = append(features, part...)
	}
	for i, m := range features {
		features[i] = array.NewMatrix(len(pictures), m.Cols)
		for k, picture := range pictures {
			row, _ := slices.BinarySearch(distinct, picture)
			copy(features[i].Row(k), m.Row(row))
		}
	}
	return features, nil
}

// encodeViews encodes n views of pictures, from number first on.
func (r *run) encodeViews(ctx context.Context, pictures []int, first, n int, progress func(done int)) (_ []array.Matrix, err error) {
	limits := preprocess.Limits{Pixels: r.config.Dataset.MaxPixels}
	models, err := r.viewEncoders(first, n, limits)
	defer func() {
		for _, m := range models {
			err = errors.Join(err, m.Cache.Close())
		}
	}()
	if err != nil {
		return nil, err
	}
	sources := make([]encode.Source, len(pictures))
	for k, i := range pictures {
		sources[k] = r.data.Pictures[i]
	}
	result, err := encode.Encode(ctx, sources, models, encode.Options{
		BatchSize: r.config.Run.BatchSize, Workers: r.config.Run.Threads, Limits: limits,
		FailOnBadPicture: true, // it could be decoded before
		Progress:         progress, FlushEvery: saveEvery,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding augmented views: %w", err)
	}
	features := make([]array.Matrix, n)
	for v, m := range models {
		features[v] = array.NewMatrix(len(sources), r.models[0].Config.EmbeddingWidth)
		for k, key := range result.Keys {
			copy(features[v].Row(k), m.Cache.Get(key))
		}
		r.log.Info("views encoded", "model", r.models[0].Name, "view", first+v, "new", result.Encoded[v], "cached", len(sources)-result.Encoded[v])
	}
	return features, nil
}

// augmentationOf is how a method's own code draws views.
func augmentationOf(method string) preprocess.Augmentation {
	switch method {
	case config.MethodTipAdapter, config.MethodTipAdapterF:
		return preprocess.CacheAugmentation
	}
	return preprocess.TrainingAugmentation
}

// viewEncoders are the first model as often as there are views, each with a cache of
// its own. They are there with an error too, to be closed.
func (r *run) viewEncoders(first, n int, limits preprocess.Limits) (models []encode.Model, err error) {
	device, err := r.deviceKind()
	if err != nil {
		return nil, err
	}
	d, augmentation := r.models[0], augmentationOf(r.config.Learn.Method)
	for number := first; number < first+n; number++ {
		cache, err := r.featureCache(d, device, limits, augmentation.Key(), fmt.Sprint("seed ", r.config.Seed, " view ", number))
		if err != nil {
			return models, err
		}
		models = append(models, encode.Model{
			Name: d.Name, Tower: tower{r.towers, 0}, Transform: d.Transform, Cache: cache,
			View: encode.View(d.Transform, augmentation, r.config.Seed, number),
		})
	}
	return models, nil
}
