package head

import (
	"fmt"

	"github.com/upl-host/upl-host/graphs/array"
)

// Similarity is how a model compares pictures and texts that does it itself, in the
// place of inner products: by its `similarity` signature.
type Similarity struct {
	Width int // D, of a picture's features
	// Compare gives the logits [N, R], scale included, of the features of pictures [N, D]
	// and of texts [R, ·].
	Compare func(pictures, texts array.Matrix) (array.Matrix, error)
}

// Texts is the head of zero-shot classification and of prompts with such a model. What
// it makes of features need not be linear: so texts are no mean of features, and a
// class's logit is the mean of those of its texts.
type Texts struct {
	Similarity
	Features array.Matrix // [R, ·]
	Of       []int        // the class of each text; each class has one at least
	Count    int          // C
}

// Classes is C.
func (t Texts) Classes() int { return t.Count }

// Width is D.
func (t Texts) Width() int { return t.Similarity.Width }

// What is compared at once bounds the model's memory: it may hold a number for each pair
// of a picture's and a text's tokens.
const (
	picturesAtOnce = 32
	textsAtOnce    = 128
)

// Logits fills out; sums are float64.
func (t Texts) Logits(features, out array.Matrix) error {
	texts := make([]int, t.Count) // of each class
	for _, class := range t.Of {
		texts[class]++
	}
	sums := make([]float64, picturesAtOnce*t.Count)
	for first := 0; first < features.Rows; first += picturesAtOnce {
		n := min(picturesAtOnce, features.Rows-first)
		clear(sums)
		if err := t.add(filled(features.Slice(first, first+n)), sums); err != nil {
			return err
		}
		for i := range n {
			for class, sum := range sums[i*t.Count : (i+1)*t.Count] {
				out.Row(first + i)[class] = float32(sum / float64(texts[class]))
			}
		}
	}
	return nil
}

// add adds the logits of pictures to the sums [picturesAtOnce, C].
func (t Texts) add(pictures array.Matrix, sums []float64) error {
	for from := 0; from < t.Features.Rows; from += textsAtOnce {
		texts := t.Features.Slice(from, min(from+textsAtOnce, t.Features.Rows))
		logits, err := t.Compare(pictures, texts)
		if err != nil {
			return err
		}
		if logits.Rows != pictures.Rows || logits.Cols != texts.Rows {
			return fmt.Errorf("the model gave logits of %d x %d for %d pictures and %d texts", logits.Rows, logits.Cols, pictures.Rows, texts.Rows)
		}
		for i := range logits.Rows {
			for k, logit := range logits.Row(i) {
				sums[i*t.Count+t.Of[from+k]] += float64(logit)
			}
		}
	}
	return nil
}

// filled has as many rows as are compared at once, the first one over and over behind the
// others: so a picture's logits do not depend on how many it is compared with.
func filled(features array.Matrix) array.Matrix {
	if features.Rows == picturesAtOnce {
		return features
	}
	full := array.NewMatrix(picturesAtOnce, features.Cols)
	copy(full.Data, features.Data)
	for i := features.Rows; i < full.Rows; i++ {
		copy(full.Row(i), features.Row(0))
	}
	return full
}
