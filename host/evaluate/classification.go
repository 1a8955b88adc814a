package evaluate

import (
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs/array"
)

// CalibrationBins is the number of equal-width bins of confidence over which
// the calibration error is taken, as is customary.
const CalibrationBins = 15

// tiny is the smallest normal float32, the floor of every logarithm.
const tiny = 0x1p-126

// Measures are those of one classifier over one set of pictures. What needs
// labels is nil without them.
type Measures struct {
	// Top1 and Top5 are the shares of labelled pictures whose label is the
	// most probable class, or among the five most probable.
	Top1 *float64 `json:"top1,omitempty"`
	Top5 *float64 `json:"top5,omitempty"`
	// MeanPerClassRecall and MacroF1 are means over the classes with labels.
	MeanPerClassRecall *float64 `json:"mean_per_class_recall,omitempty"`
	MacroF1            *float64 `json:"macro_f1,omitempty"`
	// ECE is the expected calibration error (Naeini et al. 2015; Guo et al.
	// 2017): mean over pictures of |accuracy - confidence| of their bin.
	ECE *float64 `json:"ece,omitempty"`
	// Brier is the mean of sum_c (p_c - [c = label])^2, in [0, 2].
	Brier *float64 `json:"brier,omitempty"`
	// NLL is the mean of -log p_label, in nats.
	NLL *float64 `json:"nll,omitempty"`
	// MeanConfidence is the mean of the largest probability.
	MeanConfidence *float64 `json:"mean_confidence,omitempty"`
	// MeanPredictionEntropy is the entropy of the mean prediction, in nats:
	// log C where all classes are predicted alike, 0 where only one is.
	MeanPredictionEntropy *float64 `json:"mean_prediction_entropy,omitempty"`
	// Coverage is the share of classes that some picture is predicted as.
	Coverage *float64 `json:"coverage,omitempty"`

	PerClass []ClassMeasures `json:"per_class"`
}

// ClassMeasures are those of one class.
type ClassMeasures struct {
	Class string `json:"class"`
	// Count is the number of pictures with this label.
	Count *int `json:"count,omitempty"`
	// Predicted is the number of pictures predicted as this class, with a
	// label or without.
	Predicted int `json:"predicted"`
	// Correct is the number of those with this label.
	Correct   *int     `json:"correct,omitempty"`
	Recall    *float64 `json:"recall,omitempty"`
	Precision *float64 `json:"precision,omitempty"`
	F1        *float64 `json:"f1,omitempty"`
}

// CalibrationBin is a bin of confidence, (From, To]; the first also holds its
// left edge. Only labelled pictures are in it.
type CalibrationBin struct {
	From, To float64
	Count    int
	// Correct pictures, and the sum of the confidences.
	Correct    int
	Confidence float64
}

// Pair is a cell of the confusion matrix.
type Pair struct{ Label, Predicted int }

// Classification takes in the rows of a matrix of probabilities one by one, so
// that the matrix never has to be in memory.
type Classification struct {
	classes []string
	bins    []CalibrationBin

	rows, labelled, top5            int
	predicted                       []int // of all rows
	predictedLabelled               []int
	confusion                       map[Pair]int
	brier, nll, confidence, entropy float64
	prediction                      []float64 // sum of all rows
}

// NewClassification starts with no rows. bins is the number of bins of
// confidence, at least 1: CalibrationBins.
func NewClassification(classes []string, bins int) *Classification {
	return &Classification{
		classes:           classes,
		bins:              newCalibrationBins(bins),
		predicted:         make([]int, len(classes)),
		predictedLabelled: make([]int, len(classes)),
		confusion:         map[Pair]int{},
		prediction:        make([]float64, len(classes)),
	}
}

func newCalibrationBins(n int) []CalibrationBin {
	bins := make([]CalibrationBin, n)
	for i := range bins {
		bins[i].From, bins[i].To = float64(i)/float64(n), float64(i+1)/float64(n)
	}
	return bins
}

// binOf returns the bin of a confidence in [0, 1]: the number of inner edges
// below it.
func binOf(confidence float64, bins int) int {
	bin := int(confidence * float64(bins))
	bin = max(0, min(bin, bins-1))
	// The product above may round across an edge; the edges themselves decide.
	for bin > 0 && confidence <= float64(bin)/float64(bins) {
		bin--
	}
	for bin < bins-1 && confidence > float64(bin+1)/float64(bins) {
		bin++
	}
	return bin
}

// Add takes in one picture: its probabilities over the classes and its label,
// below zero where it is unknown. It fails, and takes nothing in, where the
// widths differ, a probability is no finite number, or the label is no class.
func (c *Classification) Add(probabilities []float32, label int) error {
	if len(probabilities) != len(c.classes) || len(probabilities) == 0 {
		return fmt.Errorf("evaluating picture %d: %d probabilities for %d classes", c.rows, len(probabilities), len(c.classes))
	}
	if label >= len(c.classes) {
		return fmt.Errorf("evaluating picture %d: label %d of %d classes", c.rows, label, len(c.classes))
	}
	for class, p := range probabilities {
		if math.IsNaN(float64(p)) || math.IsInf(float64(p), 0) {
			return fmt.Errorf("evaluating picture %d: the probability of class %d is %v", c.rows, class, p)
		}
	}
	y := Argmax(probabilities)
	c.rows++
	c.predicted[y]++
	c.confidence += float64(probabilities[y])
	for class, p := range probabilities {
		c.prediction[class] += float64(p)
		c.entropy -= float64(p) * math.Log(math.Max(float64(p), tiny))
	}
	if label >= 0 {
		c.addLabelled(probabilities, y, label)
	}
	return nil
}

func (c *Classification) addLabelled(probabilities []float32, y, label int) {
	c.labelled++
	c.predictedLabelled[y]++
	c.confusion[Pair{label, y}]++
	if rank(probabilities, label) < min(5, len(probabilities)) {
		c.top5++
	}
	for class, p := range probabilities {
		d := float64(p)
		if class == label {
			d--
		}
		c.brier += d * d
	}
	c.nll -= math.Log(math.Max(float64(probabilities[label]), tiny))
	bin := &c.bins[binOf(float64(probabilities[y]), len(c.bins))]
	bin.Count++
	bin.Confidence += float64(probabilities[y])
	if y == label {
		bin.Correct++
	}
}

// Argmax returns the place of the largest value, of equals the first; -1 for
// no values.
func Argmax(values []float32) int {
	best := -1
	for i, v := range values {
		if best < 0 || v > values[best] {
			best = i
		}
	}
	return best
}

// rank is the number of classes that come before class in the order
// (probability descending, class ascending).
func rank(probabilities []float32, class int) int {
	before := 0
	for other, p := range probabilities {
		if p > probabilities[class] || (p == probabilities[class] && other < class) {
			before++
		}
	}
	return before
}

// Measures returns the measures of the rows so far.
func (c *Classification) Measures() Measures {
	m := Measures{PerClass: make([]ClassMeasures, len(c.classes))}
	if c.rows > 0 {
		m.MeanConfidence = ratio(c.confidence, c.rows)
		m.MeanPredictionEntropy = pointer(entropyOfMean(c.prediction, c.rows))
		m.Coverage = coverage(c.predicted)
	}
	if c.labelled > 0 {
		m.Top5 = ratio(float64(c.top5), c.labelled)
		m.Brier = ratio(c.brier, c.labelled)
		m.NLL = ratio(c.nll, c.labelled)
		m.ECE = pointer(calibrationError(c.bins, c.labelled))
	}
	counts := make([]int, len(c.classes))
	for pair, n := range c.confusion {
		counts[pair.Label] += n
	}
	var correct, withLabels int
	var recall, f1 float64
	for i, name := range c.classes {
		class := ClassMeasures{Class: name, Predicted: c.predicted[i]}
		if c.labelled > 0 {
			right := c.confusion[Pair{i, i}]
			class.Count, class.Correct = pointer(counts[i]), pointer(right)
			if c.predictedLabelled[i] > 0 {
				class.Precision = ratio(float64(right), c.predictedLabelled[i])
			}
			if counts[i] > 0 {
				class.Recall = ratio(float64(right), counts[i])
				class.F1 = ratio(2*float64(right), counts[i]+c.predictedLabelled[i])
				recall += *class.Recall
				f1 += *class.F1
				withLabels++
			}
			correct += right
		}
		m.PerClass[i] = class
	}
	if c.labelled > 0 {
		m.Top1 = ratio(float64(correct), c.labelled)
		m.MeanPerClassRecall = ratio(recall, withLabels)
		m.MacroF1 = ratio(f1, withLabels)
	}
	return m
}

// Labelled returns the number of rows with a label.
func (c *Classification) Labelled() int { return c.labelled }

// Confusion returns how often each pair of label and prediction occurred;
// pairs that did not are not in it.
func (c *Classification) Confusion() map[Pair]int { return c.confusion }

// Calibration returns the bins of confidence, empty ones included.
func (c *Classification) Calibration() []CalibrationBin { return c.bins }

// MeanEntropy returns the mean entropy of a row, in nats; NaN without rows.
func (c *Classification) MeanEntropy() float64 {
	if c.rows == 0 {
		return math.NaN()
	}
	return c.entropy / float64(c.rows)
}

// Classify measures a whole matrix [N, C] against N labels.
func Classify(probabilities array.Matrix, labels []int, classes []string) (Measures, error) {
	if len(labels) != probabilities.Rows {
		return Measures{}, fmt.Errorf("evaluating: %d labels for %d pictures", len(labels), probabilities.Rows)
	}
	c := NewClassification(classes, CalibrationBins)
	for i := range probabilities.Rows {
		if err := c.Add(probabilities.Row(i), labels[i]); err != nil {
			return Measures{}, err
		}
	}
	return c.Measures(), nil
}

func entropyOfMean(sum []float64, rows int) float64 {
	var h float64
	for _, s := range sum {
		p := s / float64(rows)
		h -= p * math.Log(math.Max(p, tiny))
	}
	return h
}

func calibrationError(bins []CalibrationBin, n int) float64 {
	var ece float64
	for _, bin := range bins {
		ece += math.Abs(float64(bin.Correct) - bin.Confidence)
	}
	return ece / float64(n)
}

func pointer[T any](v T) *T { return &v }

func ratio(sum float64, n int) *float64 { return pointer(sum / float64(n)) }
