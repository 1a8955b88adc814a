package host

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/backbone"
)

// towers are a run's models: each is opened once it is needed, in the background
// where that is known before, and stays open for the runs behind this one. What a
// cache has needs none.
type towers struct {
	described []*backbone.Description
	options   graphs.Options
	shared    *sharedModels
	log       *slog.Logger

	device func() (string, error) // that the models are on, or will be
}

func newTowers(described []*backbone.Description, options graphs.Options, shared *sharedModels, log *slog.Logger) *towers {
	return &towers{
		described: described, options: options, shared: shared, log: log,
		device: sync.OnceValues(func() (string, error) { return graphs.DeviceFor(options) }),
	}
}

// opener opens a model, or waits until another call of it has.
func (t *towers) opener(i int) func() (*backbone.Backbone, error) {
	return t.shared.model(t.described[i], t.options, func(b *backbone.Backbone) {
		t.log.Info("model is open", "model", b.Name, "device", b.Device())
	})
}

// open opens a model.
func (t *towers) open(i int) (*backbone.Backbone, error) { return t.opener(i)() }

// begin opens a model in the background.
func (t *towers) begin(i int) {
	open := t.opener(i)
	go func() { _, _ = open() }() // whoever needs it gets the error
}

// kind is what a device is called without its number, cpu or gpu.
func kind(device string) string {
	kind, _, _ := strings.Cut(strings.ToLower(device), ":")
	return kind
}

// tower is the image tower of a model that is opened with its first picture.
type tower struct {
	*towers
	model int
}

// EncodeImage implements encode.Tower.
func (t tower) EncodeImage(ctx context.Context, pixels []float32, n int) (array.Matrix, error) {
	b, err := t.open(t.model)
	if err != nil {
		return array.Matrix{}, err
	}
	return b.EncodeImage(ctx, pixels, n)
}
