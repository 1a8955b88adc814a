package figure

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// pen is what a canvas draws with: width, dashes and colour, and how a point of
// the plot becomes one of the page, with y upwards.
type pen struct {
	lineWidth vg.Length
	dashes    []vg.Length
	offset    vg.Length
	color     color.Color
	// x' = a x + c y + e, y' = b x + d y + f.
	a, b, c, d, e, f float64
}

// pens are a canvas's pen and those that Push keeps: a part of vg.Canvas.
type pens struct {
	state pen
	stack []pen
}

// SetLineWidth implements vg.Canvas.
func (p *pens) SetLineWidth(w vg.Length) { p.state.lineWidth = w }

// SetLineDash implements vg.Canvas.
func (p *pens) SetLineDash(pattern []vg.Length, offset vg.Length) {
	p.state.dashes, p.state.offset = pattern, offset
}

// SetColor implements vg.Canvas.
func (p *pens) SetColor(clr color.Color) {
	if clr == nil {
		clr = Ink
	}
	p.state.color = clr
}

// Rotate implements vg.Canvas.
func (p *pens) Rotate(rad float64) {
	sin, cos := math.Sincos(rad)
	p.transform(cos, sin, -sin, cos, 0, 0)
}

// Translate implements vg.Canvas.
func (p *pens) Translate(pt vg.Point) {
	p.transform(1, 0, 0, 1, pt.X.Points(), pt.Y.Points())
}

// Scale implements vg.Canvas.
func (p *pens) Scale(x, y float64) { p.transform(x, 0, 0, y, 0, 0) }

func (p *pens) transform(a, b, c, d, e, f float64) {
	s := &p.state
	s.a, s.b, s.c, s.d, s.e, s.f = s.a*a+s.c*b, s.b*a+s.d*b, s.a*c+s.c*d, s.b*c+s.d*d,
		s.a*e+s.c*f+s.e, s.b*e+s.d*f+s.f
}

// Push implements vg.Canvas.
func (p *pens) Push() { p.stack = append(p.stack, p.state) }

// Pop implements vg.Canvas.
func (p *pens) Pop() {
	p.state, p.stack = p.stack[len(p.stack)-1], p.stack[:len(p.stack)-1]
}

// onPage maps a point of the plot to the page, y upwards.
func (p *pens) onPage(pt vg.Point) (x, y float64) {
	s := p.state
	px, py := pt.X.Points(), pt.Y.Points()
	return s.a*px + s.c*py + s.e, s.b*px + s.d*py + s.f
}

// scaled is a length of the plot on the page.
func (p *pens) scaled(l vg.Length) float64 {
	return l.Points() * math.Sqrt(math.Abs(p.state.a*p.state.d-p.state.b*p.state.c))
}

// angle is how far the page is turned, against the clock.
func (p *pens) angle() float64 { return math.Atan2(p.state.b, p.state.a) }
