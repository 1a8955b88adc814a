package figure

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The marks below are plotters in data coordinates. A mark's Title is shown
// when it is pointed at.

// Grid draws light lines at the axes' ticks.
type Grid struct{ Vertical, Horizontal bool }

// Plot implements plot.Plotter.
func (g Grid) Plot(c draw.Canvas, p *plot.Plot) {
	line := draw.LineStyle{Color: Rule, Width: 1}
	if g.Vertical {
		for _, tick := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
			x := c.X(p.X.Norm(tick.Value))
			if c.ContainsX(x) {
				c.StrokeLine2(line, x, c.Min.Y, x, c.Max.Y)
			}
		}
	}
	if g.Horizontal {
		for _, tick := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
			y := c.Y(p.Y.Norm(tick.Value))
			if tick.Value > p.Y.Min && c.ContainsY(y) {
				c.StrokeLine2(line, c.Min.X, y, c.Max.X, y)
			}
		}
	}
}

// Point is a mark of a radius in pixels: a disc, a ring where Hollow, or of
// another shape.
type Point struct {
	X, Y, Radius float64
	Color        Color
	Hollow       bool
	Shape        Shape
	Title        string
}

// Points draws marks.
type Points []Point

// Plot implements plot.Plotter.
func (ps Points) Plot(c draw.Canvas, p *plot.Plot) {
	for _, pt := range ps {
		at := vg.Point{X: c.X(p.X.Norm(pt.X)), Y: c.Y(p.Y.Norm(pt.Y))}
		shape := pt.Shape
		if pt.Hollow {
			shape = Ring
		}
		titled(c, pt.Title, func() { mark(c, at, vg.Length(pt.Radius), pt.Color, shape) })
	}
}

// Segment is a straight line.
type Segment struct {
	X1, Y1, X2, Y2 float64
	Color          Color
	Width          float64
	Dashed         bool
	Title          string
}

// Segments draws straight lines.
type Segments []Segment

// Plot implements plot.Plotter.
func (ss Segments) Plot(c draw.Canvas, p *plot.Plot) {
	for _, s := range ss {
		line := draw.LineStyle{Color: s.Color, Width: vg.Length(s.Width)}
		if s.Dashed {
			line.Dashes = dashes()
		}
		titled(c, s.Title, func() {
			c.StrokeLine2(line, c.X(p.X.Norm(s.X1)), c.Y(p.Y.Norm(s.Y1)), c.X(p.X.Norm(s.X2)), c.Y(p.Y.Norm(s.Y2)))
		})
	}
}

// Bar is a filled rectangle.
type Bar struct {
	X1, Y1, X2, Y2 float64
	Color          Color
	Title          string
}

// Bars draws rectangles.
type Bars []Bar

// Plot implements plot.Plotter.
func (bs Bars) Plot(c draw.Canvas, p *plot.Plot) {
	for _, b := range bs {
		titled(c, b.Title, func() {
			rectangle(c, b.Color, c.X(p.X.Norm(b.X1)), c.Y(p.Y.Norm(b.Y1)), c.X(p.X.Norm(b.X2)), c.Y(p.Y.Norm(b.Y2)))
		})
	}
}

// Curve is a line through points.
type Curve struct {
	X, Y   []float64
	Color  Color
	Width  float64
	Dashed bool
	Title  string
}

// Plot implements plot.Plotter.
func (cv Curve) Plot(c draw.Canvas, p *plot.Plot) {
	points := make([]vg.Point, len(cv.X))
	for i := range points {
		points[i] = vg.Point{X: c.X(p.X.Norm(cv.X[i])), Y: c.Y(p.Y.Norm(cv.Y[i]))}
	}
	line := draw.LineStyle{Color: cv.Color, Width: vg.Length(cv.Width)}
	if cv.Dashed {
		line.Dashes = dashes()
	}
	titled(c, cv.Title, func() { c.StrokeLines(line, points) })
}

// Label is text at a point, moved by (DX, DY) pixels, upwards and to the right.
type Label struct {
	X, Y, DX, DY float64
	Text         string
	Color        Color
	Align        text.XAlignment
	Size         float64 // 0: that of the axes
	Bold         bool
}

// Labels draws texts, each centred on the height of its point.
type Labels []Label

// Plot implements plot.Plotter.
func (ls Labels) Plot(c draw.Canvas, p *plot.Plot) {
	for _, l := range ls {
		size := l.Size
		if size == 0 {
			size = textSize
		}
		sty := style(vg.Length(size), l.Color)
		sty.XAlign = l.Align
		if l.Bold {
			sty.Font.Weight = 2
		}
		// The middle of the capitals is 0.36 of the size above the baseline.
		at := vg.Point{X: c.X(p.X.Norm(l.X)) + vg.Length(l.DX), Y: c.Y(p.Y.Norm(l.Y)) + vg.Length(l.DY-0.45*size)}
		c.FillText(sty, at, l.Text)
	}
}

func titled(c draw.Canvas, title string, marks func()) {
	if target := underlying(c); target != nil && title != "" {
		target.titled(title, marks)
		return
	}
	marks()
}

// mark draws a shape around a point. All but crosses are filled, and as large to
// the eye as a disc of the radius.
func mark(c draw.Canvas, at vg.Point, radius vg.Length, clr Color, shape Shape) {
	corners := map[Shape][]vg.Point{
		Square:   {{X: -0.87, Y: -0.87}, {X: 0.87, Y: -0.87}, {X: 0.87, Y: 0.87}, {X: -0.87, Y: 0.87}},
		Triangle: {{X: -1.1, Y: -0.75}, {X: 1.1, Y: -0.75}, {Y: 1.15}},
		Inverted: {{X: -1.1, Y: 0.75}, {X: 1.1, Y: 0.75}, {Y: -1.15}},
		Diamond:  {{X: -1.2}, {Y: -1.2}, {X: 1.2}, {Y: 1.2}},
	}[shape]
	strokes := map[Shape][][2]vg.Point{
		Cross: {{{X: -0.85, Y: -0.85}, {X: 0.85, Y: 0.85}}, {{X: -0.85, Y: 0.85}, {X: 0.85, Y: -0.85}}},
		Plus:  {{{X: -1.1}, {X: 1.1}}, {{Y: -1.1}, {Y: 1.1}}},
	}[shape]
	around := func(pt vg.Point) vg.Point { return at.Add(pt.Scale(radius)) }
	switch {
	case corners != nil:
		var path vg.Path
		path.Move(around(corners[0]))
		for _, corner := range corners[1:] {
			path.Line(around(corner))
		}
		path.Close()
		c.SetColor(clr)
		c.Fill(path)
	case strokes != nil:
		for _, s := range strokes {
			from, to := around(s[0]), around(s[1])
			c.StrokeLine2(draw.LineStyle{Color: clr, Width: 2}, from.X, from.Y, to.X, to.Y)
		}
	case shape == Ring:
		c.SetColor(Paper)
		c.Fill(disc(at, radius))
		c.SetLineStyle(draw.LineStyle{Color: clr, Width: 2})
		c.Stroke(disc(at, radius-1))
	default:
		c.SetColor(clr)
		c.Fill(disc(at, radius))
	}
}

func disc(at vg.Point, radius vg.Length) vg.Path {
	var path vg.Path
	path.Move(vg.Point{X: at.X + radius, Y: at.Y})
	path.Arc(at, radius, 0, 2*math.Pi)
	path.Close()
	return path
}

func rectangle(c draw.Canvas, clr Color, x1, y1, x2, y2 vg.Length) {
	var path vg.Path
	path.Move(vg.Point{X: x1, Y: y1})
	path.Line(vg.Point{X: x2, Y: y1})
	path.Line(vg.Point{X: x2, Y: y2})
	path.Line(vg.Point{X: x1, Y: y2})
	path.Close()
	c.SetColor(clr)
	c.Fill(path)
}

// Percent are ticks of a share, as per cent, every step.
func Percent(from, to, step float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for k := firstStep(from, step); k*step <= to+1e-9; k++ {
		ticks = append(ticks, plot.Tick{Value: k * step, Label: fmt.Sprintf("%.0f%s%%", k*step*100, narrowSpace)})
	}
	return ticks
}

// narrowSpace joins a number and its unit.
const narrowSpace = "\u202f"

// Names are ticks at 0, 1, 2... for the rows of a chart.
func Names(names []string) plot.ConstantTicks {
	ticks := make(plot.ConstantTicks, len(names))
	for i, name := range names {
		if name == "" {
			name = " " // gonum takes an empty label for a minor tick
		}
		ticks[i] = plot.Tick{Value: float64(i), Label: name}
	}
	return ticks
}

// Numbers are about n ticks at round numbers; whole asks for integers.
func Numbers(from, to float64, n int, whole bool) plot.ConstantTicks {
	step := Step(to-from, n)
	if whole {
		step = math.Max(1, math.Round(step))
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks plot.ConstantTicks
	for k := firstStep(from, step); k*step <= to+1e-9*step; k++ {
		ticks = append(ticks, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step, 'f', decimals, 64)})
	}
	return ticks
}

// firstStep is the number of the first multiple of step from there on.
func firstStep(from, step float64) float64 {
	return math.Ceil(from/step-1e-9) + 0 // not -0, which would be printed
}

// Step is the round number (1, 2 or 5 times a power of ten) that divides a span
// into about n parts.
func Step(span float64, n int) float64 {
	if span <= 0 || math.IsNaN(span) || math.IsInf(span, 0) {
		return 1
	}
	raw := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*1.0000001 {
			return m * power
		}
	}
	return 10 * power
}

// ShareAxis makes an axis of shares, as per cent, that holds the values.
func ShareAxis(axis *plot.Axis, values []float64) {
	low, high := 1.0, 0.0
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if low > high { // no values
		low, high = 0, 1
	}
	step := max(0.01, Step(high-low, 5))
	axis.Min, axis.Max = max(0, math.Floor(low/step)*step), min(1, math.Ceil(high/step)*step)
	if axis.Max-axis.Min < step {
		axis.Min, axis.Max = max(0, axis.Min-step), min(1, axis.Max+step)
	}
	// Marks on the edge are whole.
	axis.Tick.Marker = Percent(axis.Min, axis.Max, step)
	edge := 0.03 * (axis.Max - axis.Min)
	axis.Min, axis.Max = axis.Min-edge, axis.Max+edge
}
