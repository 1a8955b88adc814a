package head_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/head"
)

// nearest is a similarity that is not linear: -10 times the largest difference of a
// picture and the text's first D features, which may be wider.
func nearest(pictures, texts array.Matrix) (array.Matrix, error) {
	logits := array.NewMatrix(pictures.Rows, texts.Rows)
	for i := range logits.Rows {
		for k := range logits.Cols {
			most := 0.0
			for d, v := range pictures.Row(i) {
				most = max(most, math.Abs(float64(v)-float64(texts.Row(k)[d])))
			}
			logits.Row(i)[k] = float32(-10 * most)
		}
	}
	return logits, nil
}

func ramp(rows, cols int, step float64) array.Matrix {
	m := array.NewMatrix(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(math.Sin(float64(i) * step))
	}
	return m
}

// A class's logit is the mean of those of its texts, however many it has, and whatever
// is compared at once; a picture's are the same bits alone and among others.
func TestTexts(t *testing.T) {
	const classes = 90
	var sizes [][2]int
	h := head.Texts{
		Similarity: head.Similarity{Width: 3, Compare: func(pictures, texts array.Matrix) (array.Matrix, error) {
			sizes = append(sizes, [2]int{pictures.Rows, texts.Rows})
			return nearest(pictures, texts)
		}},
		Features: ramp(205, 5, 0.7), Count: classes,
	}
	for i := range h.Features.Rows { // two or three of a class
		h.Of = append(h.Of, i%classes)
	}
	pictures := ramp(70, 3, 0.3)
	got := array.NewMatrix(pictures.Rows, classes)
	if err := h.Logits(pictures, got); err != nil {
		t.Fatal(err)
	}
	want := [][2]int{{32, 128}, {32, 77}, {32, 128}, {32, 77}, {32, 128}, {32, 77}}
	if !slices.Equal(sizes, want) {
		t.Errorf("compared at once: %v, want %v", sizes, want)
	}
	each, err := nearest(pictures, h.Features)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Rows {
		for class, logit := range got.Row(i) {
			sum, n := 0.0, 0
			for row, of := range h.Of {
				if of == class {
					sum, n = sum+float64(each.Row(i)[row]), n+1
				}
			}
			if want := float32(sum / float64(n)); logit != want {
				t.Fatalf("picture %d, class %d: %g, want %g", i, class, logit, want)
			}
		}
	}
	alone := array.NewMatrix(1, classes)
	if err := h.Logits(pictures.Slice(69, 70), alone); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(alone.Data, got.Row(69)) {
		t.Error("a picture's logits depend on how many it is compared with")
	}
}

func TestTextsPassErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	h := head.Texts{
		Similarity: head.Similarity{Width: 3, Compare: func(array.Matrix, array.Matrix) (array.Matrix, error) { return array.Matrix{}, broken }},
		Features:   ramp(2, 5, 1), Of: []int{0, 1}, Count: 2,
	}
	out := array.NewMatrix(1, 2)
	if err := (head.Mean{h, h}).Logits(ramp(1, 3, 1), out); !errors.Is(err, broken) {
		t.Errorf("an error of the model's: %v", err)
	}
	h.Compare = func(array.Matrix, array.Matrix) (array.Matrix, error) { return array.NewMatrix(2, 1), nil }
	if err := h.Logits(ramp(1, 3, 1), out); err == nil {
		t.Error("logits of other sizes are taken")
	}
}
