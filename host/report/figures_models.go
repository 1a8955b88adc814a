package report

import (
	"fmt"
	"slices"
	"sort"

	"gonum.org/v1/plot"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/report/figure"
)

// ensembleModel is what models.csv calls the matrix made of all models'.
const ensembleModel = "ensemble"

// confidentShare is the threshold of the figures, as text.
var confidentShare = fmt.Sprintf("%.0f%s%%", evaluate.Confident*100, thin)

// confidentRows are the classes by the number of unlabeled pictures above the
// threshold, the most first.
func (r *run) confidentRows() (rows []evaluate.ModelClass, why string) {
	total := 0
	for _, row := range r.models {
		if row.Model == ensembleModel {
			rows = append(rows, row)
			total += row.Confident
		}
	}
	switch {
	case len(rows) == 0:
		return nil, "there is no models.csv"
	case total == 0:
		return nil, "no picture has a probability above " + confidentShare
	}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].Confident > rows[j].Confident })
	return rows, drawn
}

// confidentFigure is the paper's Fig. 3, left: what a threshold leaves of each
// class.
func (r *run) confidentFigure() (figure.Figure, string) {
	rows, why := r.confidentRows()
	if why != drawn {
		return figure.Figure{}, why
	}
	f := figure.Figure{
		Name: confidentFigure, Title: "Pictures of each class with a confidence above " + confidentShare,
		YLabel: "unlabeled pictures above " + confidentShare, Width: figure.Half, Height: classAxisHeight(len(rows)),
		Data: figure.NewTable("class", "confident", "labelled", "correct"),
	}
	empty, k := 0, r.picksPerClass()
	for _, row := range rows {
		f.Data.Add(row.Class, row.Confident, row.ConfidentLabelled, row.ConfidentCorrect)
		if row.Confident == 0 {
			empty++
		}
	}
	f.Alt = fmt.Sprintf("From %d pictures of %s to %d of %s; %d of %d classes have none.", rows[0].Confident, rows[0].Class,
		rows[len(rows)-1].Confident, rows[len(rows)-1].Class, empty, len(rows))
	if rows[0].ConfidentCorrect != nil {
		f.Keys = []figure.Key{{Label: "right", Color: figure.Right, Shape: figure.Box}, {Label: "wrong", Color: figure.Wrong.Fade(0.75), Shape: figure.Box}}
	}
	if k > 0 {
		f.Keys = append(f.Keys, figure.Key{Label: fmt.Sprintf("the %d that top-k takes", k), Color: figure.Ink, Shape: figure.Dash})
	}
	f.Draw = func(p *plot.Plot, width float64) { drawConfident(p, rows, k, width) }
	return f, drawn
}

// picksPerClass is K of top-k, where that is how pseudo labels were selected.
func (r *run) picksPerClass() int {
	s := r.settings.Label.Selection
	if k, ok := s.Params["k"].(int); ok && s.Plugin == "top-k" {
		return k
	}
	return 0
}

func drawConfident(p *plot.Plot, rows []evaluate.ModelClass, k int, width float64) {
	var bars figure.Bars
	top := max(rows[0].Confident, k)
	for i, row := range rows {
		x, base := float64(i), 0
		bar := func(n int, color figure.Color, what string) {
			if n > 0 {
				bars = append(bars, figure.Bar{
					X1: x - barHalf(len(rows)), X2: x + barHalf(len(rows)), Y1: float64(base), Y2: float64(base + n),
					Color: color, Title: fmt.Sprintf("%s: %d %s", row.Class, n, what),
				})
				base += n
			}
		}
		if row.ConfidentCorrect == nil {
			bar(row.Confident, figure.Learned.Fade(0.6), "pictures")
			continue
		}
		bar(*row.ConfidentCorrect, figure.Right, "right")
		bar(*row.ConfidentLabelled-*row.ConfidentCorrect, figure.Wrong.Fade(0.75), "wrong")
		bar(row.Confident-*row.ConfidentLabelled, figure.ZeroShot.Fade(0.5), "of unknown label")
	}
	classAxis(p, rows, width)
	p.Y.Min, p.Y.Max = 0, float64(top)*1.05
	p.Y.Tick.Marker = figure.Numbers(0, float64(top), 5, true)
	p.Add(figure.Grid{Horizontal: true}, bars)
	if k > 0 {
		p.Add(figure.Segments{{X1: p.X.Min, X2: p.X.Max, Y1: float64(k), Y2: float64(k), Color: figure.Ink, Width: 1.25, Dashed: true}})
	}
}

// confidentAccuracyFigure is the paper's Fig. 3, right: how right these pictures
// are, class by class, in the order of the figure beside it.
func (r *run) confidentAccuracyFigure() (figure.Figure, string) {
	rows, why := r.confidentRows()
	switch {
	case why != drawn:
		return figure.Figure{}, why
	case rows[0].ConfidentCorrect == nil:
		return figure.Figure{}, noLabels
	}
	data := figure.NewTable("class", "labelled", "correct", "accuracy")
	correct, labelled := 0, 0
	shares := make([]*float64, len(rows))
	for i, row := range rows {
		if n := *row.ConfidentLabelled; n > 0 {
			share := float64(*row.ConfidentCorrect) / float64(n)
			shares[i] = &share
			correct, labelled = correct+*row.ConfidentCorrect, labelled+n
		}
		data.Add(row.Class, row.ConfidentLabelled, row.ConfidentCorrect, shares[i])
	}
	if labelled == 0 {
		return figure.Figure{}, noLabels
	}
	mean := float64(correct) / float64(labelled)
	return figure.Figure{
		Name: confidentAccuracyFigure, Title: "Accuracy of the pictures with a confidence above " + confidentShare + ", by class",
		Alt:    fmt.Sprintf("Of %d pictures above %s, %s are right.", labelled, confidentShare, percentOf(mean)),
		YLabel: "right, of those above " + confidentShare, Width: figure.Half, Height: classAxisHeight(len(rows)), Data: data,
		Keys: []figure.Key{{Label: "all classes together", Color: figure.Ink, Shape: figure.Dash}},
		Draw: func(p *plot.Plot, width float64) {
			var bars figure.Bars
			for i, share := range shares {
				if share != nil {
					bars = append(bars, figure.Bar{
						X1: float64(i) - barHalf(len(rows)), X2: float64(i) + barHalf(len(rows)), Y2: *share, Color: figure.Learned.Fade(0.6),
						Title: fmt.Sprintf("%s: %s of %d", rows[i].Class, percent(share), *rows[i].ConfidentLabelled),
					})
				}
			}
			classAxis(p, rows, width)
			p.Y.Min, p.Y.Max = 0, 1.05
			p.Y.Tick.Marker = figure.Percent(0, 1, 0.2)
			p.Add(figure.Grid{Horizontal: true}, bars,
				figure.Segments{{X1: p.X.Min, X2: p.X.Max, Y1: mean, Y2: mean, Color: figure.Ink, Width: 1.25, Dashed: true}})
		},
	}, drawn
}

// namedClasses is how many classes stand by name below bars.
const namedClasses = 28

func classAxisHeight(classes int) float64 {
	if classes <= namedClasses {
		return 300
	}
	return 240
}

// barHalf is half the width of a class's bar; the bars of many classes touch.
func barHalf(classes int) float64 {
	if classes > 60 {
		return 0.5
	}
	return 0.4
}

// classAxis names the classes below bars, or numbers them where they are many.
func classAxis(p *plot.Plot, rows []evaluate.ModelClass, width float64) {
	n := len(rows)
	p.X.Min, p.X.Max = -0.6, float64(n)-0.4
	if n > namedClasses {
		p.X.Tick.Marker = figure.Numbers(0, float64(n), int(width/70), true)
		p.X.Label.Text = "classes, sorted by their pictures above " + confidentShare
		return
	}
	ticks := make(plot.ConstantTicks, n)
	for i, row := range rows {
		ticks[i] = plot.Tick{Value: float64(i), Label: figure.Elide(row.Class, 17)}
	}
	p.X.Tick.Marker = ticks
	figure.Upright(p)
	p.X.Tick.Label.Font.Size = 10.5
}

// modelRow is a class with its accuracy by each model; nil where it has no
// labelled picture.
type modelRow struct {
	class  string
	shares []*float64
}

// spread is the distance of the best model from the worst.
func (m modelRow) spread() float64 {
	low, high := m.ends()
	return high - low
}

func (m modelRow) last() float64 { return *m.shares[len(m.shares)-1] }

func (m modelRow) mean() (mean float64) {
	for _, share := range m.shares {
		mean += *share / float64(len(m.shares))
	}
	return mean
}

func (m modelRow) ends() (low, high float64) {
	low, high = 1, 0
	for _, share := range m.shares {
		low, high = min(low, *share), max(high, *share)
	}
	return low, high
}

func (r *run) modelsFigure() (figure.Figure, string) {
	if len(r.models) == 0 {
		return figure.Figure{}, "there is no models.csv"
	}
	return AccuracyPerModel(r.models)
}

// AccuracyPerModel is the paper's Fig. 5: which classes each model knows, of several.
// Where there is none, it returns why.
func AccuracyPerModel(models []evaluate.ModelClass) (figure.Figure, string) {
	names, rows := modelRows(models)
	ensemble := slices.Contains(names, ensembleModel)
	switch {
	case len(names) < 2 || ensemble && len(names) < 3:
		return figure.Figure{}, "there is one model"
	case len(rows) == 0:
		return figure.Figure{}, noLabels
	}
	data := figure.NewTable(append([]string{"class"}, names...)...)
	for _, row := range rows {
		cells := []any{row.class}
		for _, share := range row.shares {
			cells = append(cells, share)
		}
		data.Add(cells...)
	}
	title := "Zero-shot accuracy of each class by each model"
	shown := rows
	if len(rows) > maxRows {
		shown = slices.Clone(rows)
		sort.SliceStable(shown, func(i, j int) bool { return shown[i].spread() > shown[j].spread() })
		shown = shown[:maxRows]
		title += fmt.Sprintf(": the %d classes on which they differ most", maxRows)
	}
	sorted := "mean of the models"
	key := modelRow.mean
	if ensemble {
		sorted, key = ensembleModel, modelRow.last
	}
	sort.SliceStable(shown, func(i, j int) bool { return key(shown[i]) > key(shown[j]) })
	f := figure.Figure{
		Name: modelsFigure, Title: title, Columns: 1, Data: data,
		Alt:   fmt.Sprintf("Of %d classes, sorted by the %s; %s is where the models differ most.", len(rows), sorted, widest(rows)),
		Width: figure.Full, Height: 50 + 20*float64(len(shown)),
		Draw: func(p *plot.Plot, width float64) { drawModels(p, names, shown, width) },
	}
	for i, name := range names {
		color, shape := modelLook(i, name)
		f.Keys = append(f.Keys, figure.Key{Label: figure.Elide(name, 30), Color: color, Shape: shape})
	}
	return f, drawn
}

func widest(rows []modelRow) string {
	return slices.MaxFunc(rows, func(a, b modelRow) int {
		if a.spread() < b.spread() {
			return -1
		}
		return 1
	}).class
}

// modelLook is a model's colour and shape; the ensemble is a ring around them.
func modelLook(i int, name string) (figure.Color, figure.Shape) {
	if name == ensembleModel {
		return figure.Ink, figure.Ring
	}
	return figure.Series(i)
}

// modelRows are the classes with labelled pictures by every model, in the order of the classes.
func modelRows(of []evaluate.ModelClass) (models []string, rows []modelRow) {
	places := map[string]int{}
	for _, m := range of {
		if !slices.Contains(models, m.Model) {
			models = append(models, m.Model)
		}
		if m.Pictures == nil || *m.Pictures == 0 {
			continue
		}
		i, there := places[m.Class]
		if !there {
			i, places[m.Class] = len(rows), len(rows)
			rows = append(rows, modelRow{class: m.Class})
		}
		share := float64(*m.Correct) / float64(*m.Pictures)
		rows[i].shares = append(rows[i].shares, &share)
	}
	// Runs of other pictures may lack a class.
	return models, slices.DeleteFunc(rows, func(row modelRow) bool { return len(row.shares) < len(models) })
}

func drawModels(p *plot.Plot, models []string, rows []modelRow, width float64) {
	layout := rowLayout{rows: len(rows), first: len(rows)}
	lines := make(figure.Segments, len(rows))
	apart := min(0.2, 0.6/float64(len(models))) // so that equal ones are seen
	single := len(models)
	if slices.Contains(models, ensembleModel) {
		single--
	}
	var ensembles, marks figure.Points
	for i, row := range rows {
		y := layout.y(i)
		low, high := row.ends()
		lines[i] = figure.Segment{X1: low, X2: high, Y1: y, Y2: y, Color: figure.Axis.Fade(0.6), Width: 1.5}
		for m, share := range row.shares {
			color, shape := modelLook(m, models[m])
			point := figure.Point{X: *share, Y: y, Radius: 4, Color: color, Shape: shape, Title: fmt.Sprintf("%s, %s: %s", row.class, models[m], percent(share))}
			if models[m] == ensembleModel {
				point.Radius = 7
				ensembles = append(ensembles, point)
				continue
			}
			point.Y += apart * (float64(single-1)/2 - float64(m))
			marks = append(marks, point)
		}
	}
	p.X.Min, p.X.Max = -0.03, 1.03
	p.X.Tick.Marker = figure.Percent(0, 1, 0.2)
	p.X.Label.Text = "unlabeled pictures of the class classified correctly"
	if width < figure.Half {
		p.X.Label.Text = "accuracy on the unlabeled pictures"
	}
	layout.axis(p, func(i int) string { return rows[i].class }, width)
	p.Add(figure.Grid{Vertical: true}, lines, ensembles, marks)
}
