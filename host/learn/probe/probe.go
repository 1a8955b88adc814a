// Package probe is the linear probe: multinomial logistic regression on pictures'
// features, the supervised bound that CLIP's authors compare with (arXiv 2103.00020,
// appendix A.3).
package probe

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/optimize"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// Length is that of the features that the regression sees. CLIP's own, before they are
// normalised, are about as long, so that published strengths of L2 mean the same here.
const Length = 10

// DefaultL2 is 1/C of the example in CLIP's README, C = 0.316.
const DefaultL2 = 1 / 0.316

// Probe classifies by f W' + b.
type Probe struct {
	Weights array.Matrix // W [C, D]
	Bias    []float32    // b [C]
	L2      float64      // what it was fitted with
}

// Validate reports everything that cannot be.
func (p Probe) Validate() error {
	if p.Weights.Rows == 0 || len(p.Bias) != p.Weights.Rows {
		return fmt.Errorf("weights of %d x %d with %d biases", p.Weights.Rows, p.Weights.Cols, len(p.Bias))
	}
	return nil
}

// Classes is C.
func (p Probe) Classes() int { return p.Weights.Rows }

// Width is D.
func (p Probe) Width() int { return p.Weights.Cols }

// Logits fills out [N, C] with the logits of features [N, D].
func (p Probe) Logits(features, out array.Matrix) error {
	p.logits(features, out)
	return nil
}

func (p Probe) logits(features, out array.Matrix) {
	numeric.TimesTransposed(1, features, p.Weights, out)
	for i := range out.Rows {
		row := out.Row(i)
		for c, b := range p.Bias {
			row[c] += b
		}
	}
}

const (
	iterations = 1000 // at most, as CLIP's
	// flat is a gradient of the mean loss at which the fit ends.
	flat = 1e-6
	// nearlyFlat is one with which a line search that finds no better point may end:
	// what is left to gain is lost in rounding.
	nearlyFlat = 1e-4
)

// Fit minimises the sum of the pictures' losses (numeric.RowLoss) + L2/2 |W/Length|² over
// features [N, D] with targets [N, C], by L-BFGS from zeros. The bias is free. Arithmetic is
// float64. With candidate sets the loss is not convex: what is found depends on the start.
func Fit(ctx context.Context, features array.Matrix, targets numeric.Targets, l2 float64) (Probe, error) {
	o := newObjective(features, targets, l2)
	if o.total == 0 {
		return Probe{}, errors.New("fitting a linear probe: no picture has a weight")
	}
	problem := optimize.Problem{
		Func: func(x []float64) float64 { return o.at(x) },
		Grad: func(gradient, x []float64) { o.at(x); copy(gradient, o.gradient) },
		Status: func() (optimize.Status, error) {
			if err := ctx.Err(); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{
		GradientThreshold: flat, MajorIterations: iterations, Converger: optimize.NeverTerminate{},
	}
	result, err := optimize.Minimize(problem, make([]float64, o.size()), settings, &optimize.LBFGS{Linesearcher: &optimize.MoreThuente{}})
	if ctx.Err() != nil {
		return Probe{}, ctx.Err()
	}
	if result == nil {
		return Probe{}, fmt.Errorf("fitting a linear probe with L2 %g: %w", l2, err)
	}
	o.at(result.X)
	if steepest := largestSize(o.gradient); err != nil && !(steepest <= nearlyFlat) {
		return Probe{}, fmt.Errorf("fitting a linear probe with L2 %g: %w, at a gradient of %.3g", l2, err, steepest)
	}
	return o.probe(result.X), nil
}

func largestSize(values []float64) (most float64) {
	for _, v := range values {
		if size := math.Abs(v); !(size <= most) { // also for NaN
			most = size
		}
	}
	return most
}

// objective is the mean loss and its gradient at x: the weights [C, D], then the bias.
type objective struct {
	features       array.Matrix
	targets        numeric.Targets
	l2, total      float64 // total is the sum of all targets
	value          float64
	gradient, last []float64 // last is where value and gradient are of
	// Some rows at once, in float64.
	rows, logits []float64
}

// rowsAtOnce bounds what is held in float64.
const rowsAtOnce = 1024

func newObjective(features array.Matrix, targets numeric.Targets, l2 float64) *objective {
	o := &objective{features: features, targets: targets, l2: l2}
	for _, t := range targets.Data {
		o.total += float64(t)
	}
	n := min(rowsAtOnce, features.Rows)
	o.rows, o.logits = make([]float64, n*features.Cols), make([]float64, n*targets.Cols)
	o.gradient = make([]float64, o.size())
	return o
}

func (o *objective) size() int { return o.targets.Cols * (o.features.Cols + 1) }

// at returns the value at x; the gradient is kept.
func (o *objective) at(x []float64) float64 {
	if o.last != nil && equal(o.last, x) {
		return o.value
	}
	classes, width := o.targets.Cols, o.features.Cols
	weights, slopes := general(classes, width, x), general(classes, width, o.gradient)
	clear(o.gradient)
	o.value = 0
	for first := 0; first < o.features.Rows; first += rowsAtOnce {
		n := min(rowsAtOnce, o.features.Rows-first)
		for i, v := range o.features.Slice(first, first+n).Data {
			o.rows[i] = Length * float64(v)
		}
		rows, logits := general(n, width, o.rows), general(n, classes, o.logits)
		clear(logits.Data)
		numeric.AddProduct(blas.NoTrans, blas.Trans, rows, weights, logits)
		o.value += o.slope(o.targets.Slice(first, first+n), x[classes*width:], o.gradient[classes*width:])
		numeric.AddProduct(blas.Trans, blas.NoTrans, logits, rows, slopes)
	}
	for i, w := range x[:classes*width] {
		o.value += o.l2 / 2 * w * w
		o.gradient[i] += o.l2 * w
	}
	o.value /= o.total
	for i := range o.gradient {
		o.gradient[i] /= o.total
	}
	o.last = append(o.last[:0], x...)
	return o.value
}

// slope turns logits without the bias into the gradient by them, adds that by the bias,
// and returns the loss.
func (o *objective) slope(targets numeric.Targets, bias, biasGradient []float64) (loss float64) {
	losses := make([]float64, targets.Rows)
	row := func(i int) []float64 { return o.logits[i*targets.Cols : (i+1)*targets.Cols] }
	numeric.Parallel(targets.Rows, func(i int) {
		z := row(i)
		for c, b := range bias {
			z[c] += b
		}
		losses[i] = numeric.RowLoss(z, targets.Row(i), targets.IsSet(i), 1, z)
	})
	for i, l := range losses {
		loss += l
		for c, v := range row(i) {
			biasGradient[c] += v
		}
	}
	return loss
}

func general(rows, cols int, data []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: data[:rows*cols]}
}

func equal(a, b []float64) bool {
	for i, v := range a {
		if v != b[i] {
			return false
		}
	}
	return true
}

// probe takes Length into the weights, so that it is for features of length 1.
func (o *objective) probe(x []float64) Probe {
	classes, width := o.targets.Cols, o.features.Cols
	p := Probe{Weights: array.NewMatrix(classes, width), Bias: make([]float32, classes), L2: o.l2}
	for i := range p.Weights.Data {
		p.Weights.Data[i] = float32(Length * x[i])
	}
	for c := range p.Bias {
		p.Bias[c] = float32(x[classes*width+c])
	}
	return p
}
