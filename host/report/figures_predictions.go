package report

import (
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/report/figure"
)

// series is what one classifier says of the test pictures.
type series struct {
	name    string
	color   figure.Color
	of      func(evaluate.Prediction) (class string, probability float32)
	hollow  bool
	pointer *float64 // its calibration error
}

// classifiers returns zero-shot and, where there is one, the learned one.
func (r *run) classifiers() []series {
	list := []series{{
		name: "zero-shot", color: figure.ZeroShot, hollow: true, pointer: r.metrics.ZeroShot.ECE,
		of: func(p evaluate.Prediction) (string, float32) { return p.ZeroShot, p.ZeroShotProbability },
	}}
	if r.learned() {
		list = append(list, series{
			name: "learned", color: figure.Learned, pointer: r.metrics.Learned.ECE,
			of: func(p evaluate.Prediction) (string, float32) { return p.Learned, p.LearnedProbability },
		})
	}
	return list
}

// bin counts predictions by confidence.
type bin struct {
	count, labelled, correct int
	confidence               float64 // sum over the labelled
}

func (r *run) bins(s series, n int) []bin {
	bins := make([]bin, n)
	for _, p := range r.predictions {
		class, probability := s.of(p)
		i := max(0, min(n-1, int(math.Ceil(float64(probability)*float64(n)))-1))
		bins[i].count++
		if p.Label != "" {
			bins[i].labelled++
			bins[i].confidence += float64(probability)
			if class == p.Label {
				bins[i].correct++
			}
		}
	}
	return bins
}

// reliabilityFigure sets accuracy against confidence: on the diagonal a
// classifier is as right as it is sure.
func (r *run) reliabilityFigure() (figure.Figure, string) {
	if r.labelled() == 0 {
		return figure.Figure{}, noLabels
	}
	classifiers := r.classifiers()
	f := figure.Figure{
		Name: reliabilityFigure, Title: "Reliability: accuracy of predictions by their confidence",
		YLabel: "predictions that are right", Width: figure.Half, Height: 300,
	}
	for _, s := range classifiers {
		shape := figure.Dot
		if s.hollow {
			shape = figure.Ring
		}
		f.Keys = append(f.Keys, figure.Key{Label: s.name, Color: s.color, Shape: shape})
		f.Alt += fmt.Sprintf("Calibration error, %s: %s. ", s.name, decimal(s.pointer))
	}
	f.Data = r.binsTable(evaluate.CalibrationBins)
	f.Keys = append(f.Keys, figure.Key{Label: "as right as confident", Color: figure.Muted, Shape: figure.Dash})
	f.Draw = func(p *plot.Plot, _ float64) {
		confidenceAxis(p, "confidence of the prediction")
		p.Y.Min, p.Y.Max = 0, 1
		p.Y.Tick.Marker = figure.Percent(0, 1, 0.2)
		p.Add(figure.Grid{Vertical: true, Horizontal: true},
			figure.Segments{{X2: 1, Y2: 1, Color: figure.Muted, Width: 1.25, Dashed: true}})
		for _, s := range classifiers {
			r.addReliability(p, s)
		}
	}
	return f, drawn
}

func (r *run) addReliability(p *plot.Plot, s series) {
	curve := figure.Curve{Color: s.color.Fade(0.7), Width: 1.5, Title: s.name}
	var dots figure.Points
	for _, b := range r.bins(s, evaluate.CalibrationBins) {
		if b.labelled == 0 {
			continue
		}
		n := float64(b.labelled)
		x, y := b.confidence/n, float64(b.correct)/n
		curve.X, curve.Y = append(curve.X, x), append(curve.Y, y)
		// Area grows with the count, within what can be seen and told apart.
		radius := min(9, 2.5+9*math.Sqrt(n/float64(len(r.predictions))))
		dots = append(dots, figure.Point{
			X: x, Y: y, Radius: radius, Color: s.color, Hollow: s.hollow,
			Title: fmt.Sprintf("%s, confidence %s: %d of %d right", s.name, percentOf(x), b.correct, b.labelled),
		})
	}
	p.Add(curve, dots)
}

// confidenceBins is how finely the confidence of predictions is shown.
const confidenceBins = 20

// binsTable are the predictions of all classifiers by confidence.
func (r *run) binsTable(n int) figure.Table {
	data := figure.NewTable("classifier", "from", "to", "count", "labelled", "correct", "mean_confidence")
	for _, s := range r.classifiers() {
		for i, b := range r.bins(s, n) {
			var mean *float64 // of no picture
			if b.labelled > 0 {
				m := b.confidence / float64(b.labelled)
				mean = &m
			}
			data.Add(s.name, float64(i)/float64(n), float64(i+1)/float64(n), b.count, b.labelled, b.correct, mean)
		}
	}
	return data
}

// confidenceFigure shows how sure the classifiers are.
func (r *run) confidenceFigure() (figure.Figure, string) {
	if len(r.predictions) == 0 {
		return figure.Figure{}, "no test pictures"
	}
	classifiers := r.classifiers()
	f := figure.Figure{
		Name: confidenceFigure, Title: "Confidence of the predictions", YLabel: "share of the test pictures",
		Width: figure.Half, Height: 300,
		Alt: fmt.Sprintf("Mean confidence, zero-shot: %s", percent(r.metrics.ZeroShot.MeanConfidence)),
	}
	if r.learned() {
		f.Alt += fmt.Sprintf(", learned: %s", percent(r.metrics.Learned.MeanConfidence))
	}
	f.Alt += "."
	for _, s := range classifiers {
		f.Keys = append(f.Keys, figure.Key{Label: s.name, Color: s.color, Shape: figure.Line})
	}
	f.Data = r.binsTable(confidenceBins)
	f.Draw = func(p *plot.Plot, _ float64) {
		top := 0.0
		steps := make([]figure.Curve, len(classifiers))
		for i, s := range classifiers {
			step := figure.Curve{X: []float64{0}, Y: []float64{0}, Color: s.color, Width: 2, Title: s.name}
			for k, b := range r.bins(s, confidenceBins) {
				share := float64(b.count) / float64(len(r.predictions))
				top = max(top, share)
				step.X = append(step.X, float64(k)/confidenceBins, float64(k+1)/confidenceBins)
				step.Y = append(step.Y, share, share)
			}
			step.X, step.Y = append(step.X, 1), append(step.Y, 0)
			steps[i] = step
		}
		confidenceAxis(p, "confidence of the prediction")
		step := max(0.01, figure.Step(top, 5))
		p.Y.Min, p.Y.Max = 0, math.Ceil(top/step)*step
		p.Y.Tick.Marker = figure.Percent(0, p.Y.Max, step)
		p.Add(figure.Grid{Horizontal: true})
		for _, s := range steps {
			p.Add(s)
		}
	}
	return f, drawn
}

// confusions counts (label, prediction) of a classifier.
func (r *run) confusions(s series) map[[2]string]int {
	counts := map[[2]string]int{}
	for _, p := range r.predictions {
		if p.Label != "" {
			class, _ := s.of(p)
			counts[[2]string{p.Label, class}]++
		}
	}
	return counts
}

// maxConfusion is how many classes the confusion matrix shows.
const maxConfusion = 30

// confusedClasses are those of the confusion matrix: all, or those that take
// part in the most errors of the last classifier, in their order.
func (r *run) confusedClasses() []string {
	if len(r.classes) <= maxConfusion {
		return r.classes
	}
	classifiers := r.classifiers()
	errors := map[string]int{}
	for pair, n := range r.confusions(classifiers[len(classifiers)-1]) {
		if pair[0] != pair[1] {
			errors[pair[0]] += n
			errors[pair[1]] += n
		}
	}
	places := make([]int, len(r.classes))
	for i := range places {
		places[i] = i
	}
	sort.SliceStable(places, func(i, j int) bool { return errors[r.classes[places[i]]] > errors[r.classes[places[j]]] })
	places = places[:maxConfusion]
	sort.Ints(places)
	classes := make([]string, len(places))
	for i, place := range places {
		classes[i] = r.classes[place]
	}
	return classes
}

func (r *run) confusionFigure(learned bool) (figure.Figure, string) {
	classifiers := r.classifiers()
	switch {
	case r.labelled() == 0:
		return figure.Figure{}, noLabels
	case learned && len(classifiers) < 2:
		return figure.Figure{}, nothingLearned
	}
	s, name := classifiers[0], confusionFigure
	if learned {
		s, name = classifiers[1], confusionFigureNow
	}
	classes, counts := r.confusedClasses(), r.confusions(s)
	data := figure.NewTable("label", "predicted", "pictures")
	for _, label := range r.classes {
		for _, predicted := range r.classes {
			if n := counts[[2]string{label, predicted}]; n > 0 {
				data.Add(label, predicted, n)
			}
		}
	}
	cell := max(11.0, min(36, 300/float64(len(classes))))
	return figure.Figure{
		Name: name, Title: "Confusion, " + s.name, YLabel: "label; stronger colour: larger share of its pictures",
		Alt:   fmt.Sprintf("Rows are labels, columns predictions, of %d classes; a stronger colour is a larger share of the label.", len(classes)),
		Keys:  []figure.Key{{Label: "right", Color: figure.Learned, Shape: figure.Box}, {Label: "wrong", Color: figure.Wrong, Shape: figure.Box}},
		Width: figure.Half, Height: 140 + cell*float64(len(classes)),
		Data: data,
		Draw: func(p *plot.Plot, width float64) { drawConfusion(p, classes, counts, width) },
	}, drawn
}

func drawConfusion(p *plot.Plot, classes []string, counts map[[2]string]int, width float64) {
	n := len(classes)
	totals := map[string]int{}
	for pair, k := range counts {
		totals[pair[0]] += k
	}
	var cells figure.Bars
	var numbers figure.Labels
	names := make([]string, n)
	for i, label := range classes {
		y := float64(n - 1 - i)
		names[n-1-i] = figure.Elide(label, int(width/24))
		for j, class := range classes {
			k := counts[[2]string{label, class}]
			if k == 0 {
				continue
			}
			share, x := float64(k)/float64(totals[label]), float64(j)
			color := figure.Wrong
			if i == j {
				color = figure.Learned
			}
			cells = append(cells, figure.Bar{
				X1: x - 0.48, X2: x + 0.48, Y1: y - 0.48, Y2: y + 0.48, Color: color.Fade(0.08 + 0.92*share),
				Title: fmt.Sprintf("%s, predicted as %s: %d of %d", label, class, k, totals[label]),
			})
			if n <= 10 {
				ink := figure.Ink
				if share > 0.55 {
					ink = figure.Paper
				}
				numbers = append(numbers, figure.Label{X: x, Y: y, Text: count(k), Color: ink, Align: draw.XCenter, Size: 11})
			}
		}
	}
	columns := make(plot.ConstantTicks, n)
	for j, class := range classes {
		columns[j] = plot.Tick{Value: float64(j), Label: figure.Elide(class, 17)}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5, -0.5, float64(n)-0.5
	p.X.Tick.Marker, p.Y.Tick.Marker = columns, figure.Names(names)
	figure.Upright(p)
	p.X.Tick.Label.Font.Size, p.Y.Tick.Label.Font.Size = 10.5, 10.5
	p.X.Label.Text = "prediction"
	p.Add(cells, numbers)
}
