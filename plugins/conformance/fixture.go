package conformance

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// matrix is probabilities or features in memory, row by row.
type matrix struct {
	rows, columns int
	values        []float32
}

func newMatrix(rows, columns int) matrix {
	return matrix{rows, columns, make([]float32, rows*columns)}
}

func (m matrix) Rows() int    { return m.rows }
func (m matrix) Classes() int { return m.columns }
func (m matrix) Width() int   { return m.columns }

func (m matrix) row(i int) []float32 { return m.values[i*m.columns : (i+1)*m.columns] }

// Read copies rows.
func (m matrix) Read(first, n int, dst []float32) error {
	copy(dst, m.values[first*m.columns:(first+n)*m.columns])
	return nil
}

// fixture is a made-up data set.
type fixture struct {
	models      []matrix // N x C
	ensemble    matrix   // their mean
	classNames  []string
	modelNames  []string // nil: none
	logitScales []float64
	prior       []float64 // nil: none
	images      []matrix  // N x D, of each model
	texts       []matrix  // C x D
}

// featureWidth is D.
const featureWidth = 16

// ordinary is a data set of N rows, C classes, M models as a run has it. It is a
// function of its size alone. Row i is truly of a class drawn with probability
// proportional to 1/(c+1), so that the last classes are rare; a model's logits are
// normal, of standard deviation 1, plus 3 for the true class; p = softmax(1.5
// logits). So predictions are right for about two rows of three, and confidences lie
// between 0.3 and 1. Every eighth row is the one before once more, for ties between
// rows; in every sixteenth the two largest p are made equal, for ties within one.
func ordinary(rows, classes, models int) fixture {
	chance := rand.New(rand.NewPCG(uint64(rows)<<32|uint64(classes), uint64(models)))
	truth := make([]int, rows)
	for i := range truth {
		truth[i] = skewed(chance, classes)
	}
	f := fixture{}
	for range models {
		p := newMatrix(rows, classes)
		for i := range rows {
			row := p.row(i)
			if i%8 == 7 {
				copy(row, p.row(i-1))
				continue
			}
			confident(chance, row, truth[i])
			if i%16 == 3 {
				tie(row)
			}
		}
		f.models = append(f.models, p)
	}
	return f.complete(chance)
}

// skewed draws a class with probability proportional to 1/(c+1).
func skewed(chance *rand.Rand, classes int) int {
	var total float64
	for c := range classes {
		total += 1 / float64(c+1)
	}
	at := chance.Float64() * total
	for c := range classes {
		if at -= 1 / float64(c+1); at < 0 {
			return c
		}
	}
	return classes - 1
}

// confident fills a row that is likely, not certainly, of the class.
func confident(chance *rand.Rand, row []float32, class int) {
	logits := make([]float64, len(row))
	for c := range logits {
		logits[c] = chance.NormFloat64()
	}
	logits[class] += 3
	softmax(row, logits, 1.5)
}

// softmax fills a row with softmax(scale logits).
func softmax(row []float32, logits []float64, scale float64) {
	most, sum := math.Inf(-1), 0.0
	for _, z := range logits {
		most = max(most, z)
	}
	for c, z := range logits {
		logits[c] = math.Exp(scale * (z - most))
		sum += logits[c]
	}
	for c, e := range logits {
		row[c] = float32(e / sum)
	}
}

// tie makes the two largest of a row equal.
func tie(row []float32) {
	if len(row) < 2 {
		return
	}
	first, second := 0, 1
	if row[1] > row[0] {
		first, second = 1, 0
	}
	for c := 2; c < len(row); c++ {
		switch {
		case row[c] > row[first]:
			first, second = c, first
		case row[c] > row[second]:
			second = c
		}
	}
	mean := (row[first] + row[second]) / 2
	row[first], row[second] = mean, mean
}

// uniformly is a data set all of whose models have the same rows.
func uniformly(rows, classes, models int, fill func(i int, row []float32)) fixture {
	p := newMatrix(rows, classes)
	for i := range rows {
		fill(i, p.row(i))
	}
	f := fixture{}
	for range models {
		f.models = append(f.models, p)
	}
	return f.complete(rand.New(rand.NewPCG(uint64(rows), uint64(classes))))
}

// complete adds what follows from the models' probabilities, and features: normal,
// of length 1.
func (f fixture) complete(chance *rand.Rand) fixture {
	rows, classes := f.models[0].rows, f.models[0].columns
	f.ensemble = f.mean()
	for c := range classes {
		f.classNames = append(f.classNames, fmt.Sprintf("class %d", c))
	}
	for m := range f.models {
		f.modelNames = append(f.modelNames, fmt.Sprintf("model-%d", m))
		f.logitScales = append(f.logitScales, 100)
		f.images = append(f.images, directions(chance, rows))
		f.texts = append(f.texts, directions(chance, classes))
	}
	return f
}

// mean is the models' mean: sums in their order, in float64.
func (f fixture) mean() matrix {
	out := newMatrix(f.models[0].rows, f.models[0].columns)
	for i := range out.values {
		var sum float64
		for _, m := range f.models {
			sum += float64(m.values[i])
		}
		out.values[i] = float32(sum / float64(len(f.models)))
	}
	return out
}

func directions(chance *rand.Rand, rows int) matrix {
	m := newMatrix(rows, featureWidth)
	for i := range rows {
		var square float64
		row := m.row(i)
		for d := range row {
			x := chance.NormFloat64()
			row[d], square = float32(x), square+x*x
		}
		for d := range row {
			row[d] /= float32(math.Sqrt(square))
		}
	}
	return m
}

// input is the data set as a policy of the kind is given it.
func (f fixture) input(kind sdk.Kind) plugins.Input {
	in := plugins.Input{
		ClassNames: f.classNames, ModelNames: f.modelNames, LogitScales: f.logitScales, Prior: f.prior,
		Models: probabilities(f.models), Features: features(f.images), TextFeatures: features(f.texts),
		Seed: 1, Takes: everything(),
	}
	if kind == sdk.KindSelection {
		in.Ensemble = f.ensemble
	}
	return in
}

// everything is all kinds of records that a selection may emit beside hard labels.
func everything() []sdk.EmitKind {
	return []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop}
}

func probabilities(matrices []matrix) []plugins.Probabilities {
	out := make([]plugins.Probabilities, len(matrices))
	for i, m := range matrices {
		out[i] = m
	}
	return out
}

func features(matrices []matrix) []plugins.Features {
	out := make([]plugins.Features, len(matrices))
	for i, m := range matrices {
		out[i] = m
	}
	return out
}
