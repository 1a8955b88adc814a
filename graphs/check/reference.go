package check

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
)

// Tolerances of a reference that computed in float32.
const (
	featureTolerance     = 2e-5 // largest difference of normalised features
	fileTolerance        = 5e-4 // the same, where the pictures were decoded here: a level of eight bits shows
	probabilityTolerance = 1e-3
	promptTolerance      = 1e-4 // relative L2 of prompt features and gradients; relative difference of losses
	// Of pixels after normalising: 2/255 of a channel's scale.
	pixelMeanTolerance = 0.002
	pixelLevels        = 2.0 / 255
)

// batchRows is how many rows of `pool` the reference's losses are over.
const batchRows = 32

// inputs are the reference's keys that are read and not compared.
func inputKeys() []string {
	return []string{
		"pixels", "tokens", "prompt_tokens", "context", "class_contexts", "pool", "pool_labels", "soft_targets", "weights",
	}
}

// reference is a set of expected values being compared.
type reference struct {
	*examination
	values map[string]array.Array
	used   map[string]bool
}

// checkReference compares what the model gives with the reference's values.
func checkReference(ctx context.Context, e *examination) error {
	r := &reference{examination: e, values: e.options.Reference, used: make(map[string]bool)}
	for _, key := range inputKeys() {
		r.used[key] = true
	}
	if err := r.checkFeatures(ctx); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	if err := r.checkPromptValues(ctx); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	for key := range r.values {
		if !r.used[key] {
			e.report.Unchecked = append(e.report.Unchecked, key)
		}
	}
	sort.Strings(e.report.Unchecked)
	return nil
}

func (r *reference) has(keys ...string) bool {
	for _, key := range keys {
		if _, ok := r.values[key]; !ok {
			return false
		}
	}
	return true
}

func (r *reference) floats(key string) ([]float32, error) {
	r.used[key] = true
	data, err := r.values[key].Float32()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return data, nil
}

func (r *reference) matrix(key string) (array.Matrix, error) {
	m, err := r.values[key].Matrix()
	if err != nil {
		return array.Matrix{}, fmt.Errorf("%s: %w", key, err)
	}
	return m, nil
}

// compare adds the largest difference, or the relative L2, of a key.
func (r *reference) compare(key string, got []float32, relative bool, tolerance float64) error {
	want, err := r.floats(key)
	if err != nil {
		return err
	}
	if relative {
		r.report.measure(key, "relative L2 from the reference", relativeL2(got, want), tolerance)
	} else {
		r.report.measure(key, "largest difference from the reference", largestDifference(got, want), tolerance)
	}
	return nil
}

func (r *reference) checkFeatures(ctx context.Context) error {
	var images, texts array.Matrix
	if r.has("pixels", "image_features") {
		pixels, own, n, err := r.pixels(ctx)
		if err != nil {
			return err
		}
		if images, err = r.model.EncodeImage(ctx, pixels, n); err != nil {
			return err
		}
		if err := r.compare("image_features", images.Data, false, featureTolerance); err != nil {
			return err
		}
		if own != nil {
			decoded, err := r.model.EncodeImage(ctx, own, n)
			if err != nil {
				return err
			}
			r.report.measure("image_features", "largest difference from the reference, decoded here", largestDifference(decoded.Data, images.Data), fileTolerance)
		}
	}
	if r.has("tokens", "text_features") {
		tokens, err := r.tokens("tokens")
		if err != nil {
			return err
		}
		if texts, err = r.model.EncodeText(ctx, trim(tokens)); err != nil {
			return err
		}
		if err := r.compare("text_features", texts.Data, false, featureTolerance); err != nil {
			return err
		}
	}
	if !r.has("probabilities") || images.Rows == 0 || texts.Rows == 0 {
		return nil
	}
	return r.compare("probabilities", softmax(images, texts, 100), false, probabilityTolerance)
}

// pixels returns the reference's and, compared with them, the caller's, where there are any.
func (r *reference) pixels(ctx context.Context) (reference, own []float32, n int, err error) {
	given := r.values["pixels"]
	size := r.model.Config().ImageSize
	if len(given.Shape) != 4 || !slices.Equal(given.Shape[1:], []int{3, size, size}) {
		return nil, nil, 0, fmt.Errorf("pixels have shape %v, the model wants [n, 3, %d, %d]", given.Shape, size, size)
	}
	data, err := given.Float32()
	if err != nil {
		return nil, nil, 0, fmt.Errorf("pixels: %w", err)
	}
	n = given.Shape[0]
	reference = channelsLast(data, n, size*size)
	if r.options.Pixels == nil {
		return reference, nil, n, nil
	}
	own, ownN, err := r.options.Pixels(ctx, r.model.Config())
	if err != nil {
		return nil, nil, 0, fmt.Errorf("preprocessing the pictures: %w", err)
	}
	if ownN != n || len(own) != len(reference) {
		return nil, nil, 0, fmt.Errorf("%d pictures were given, the reference has %d", ownN, n)
	}
	worst := 0.0
	sum := 0.0
	for i := range own {
		// In units of a channel's scale, so that 2/255 is two levels of eight bits.
		d := math.Abs(float64(own[i]) - float64(reference[i]))
		worst = max(worst, d*float64(r.model.Config().Std[i%3]))
		sum += d
	}
	r.report.measure("pixels", "largest difference from the reference, of a channel's scale", worst, pixelLevels*(1+1e-4))
	r.report.measure("pixels", "mean difference from the reference", sum/float64(len(own)), pixelMeanTolerance)
	return reference, own, n, nil
}

// channelsLast turns n x 3 x area into n x area x 3.
func channelsLast(data []float32, n, area int) []float32 {
	turned := make([]float32, len(data))
	for i := range n {
		for c := range 3 {
			for p := range area {
				turned[(i*area+p)*3+c] = data[(i*3+c)*area+p]
			}
		}
	}
	return turned
}

func (r *reference) tokens(key string) (graphs.Tokens, error) {
	a := r.values[key]
	ids, err := a.Int()
	if err != nil {
		return graphs.Tokens{}, fmt.Errorf("%s: %w", key, err)
	}
	if len(a.Shape) != 2 {
		return graphs.Tokens{}, fmt.Errorf("%s has shape %v, want [texts, tokens]", key, a.Shape)
	}
	t := graphs.Tokens{Rows: a.Shape[0], Length: a.Shape[1], IDs: make([]int32, len(ids))}
	for i, id := range ids {
		t.IDs[i] = int32(id)
	}
	return t, nil
}

// trim drops the columns that are padding in every row.
func trim(t graphs.Tokens) graphs.Tokens {
	rows := make([][]int32, t.Rows)
	for i := range rows {
		row := t.Row(i)
		rows[i] = row[:endOf(row)+1]
	}
	return graphs.PadTokens(rows)
}

// endOf is the position of the end token, the row's largest id.
func endOf(row []int32) int {
	end := 0
	for i, id := range row {
		if id > row[end] {
			end = i
		}
	}
	return end
}

// softmax gives softmax(scale <image, text>) of every picture, row-major.
func softmax(images, texts array.Matrix, scale float64) []float32 {
	probabilities := make([]float32, 0, images.Rows*texts.Rows)
	for i := range images.Rows {
		row := make([]float64, texts.Rows)
		top := math.Inf(-1)
		for c := range row {
			row[c] = scale * dot(images.Row(i), texts.Row(c))
			top = max(top, row[c])
		}
		sum := 0.0
		for c := range row {
			row[c] = math.Exp(row[c] - top)
			sum += row[c]
		}
		for _, v := range row {
			probabilities = append(probabilities, float32(v/sum))
		}
	}
	return probabilities
}
