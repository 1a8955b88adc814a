// Package figure is where a report's charts are drawn: gonum's plots in a theme
// of our own, as SVG that stands alone in a file or inline in a page.
package figure

import (
	"bytes"
	"fmt"
	"html"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Widths of figures, in pixels: across the text, half of it, a phone.
const (
	Full  = 860
	Half  = 420
	Phone = 358
)

// Figure is a chart, to be drawn at any width.
type Figure struct {
	// Name is the file's, without its ending.
	Name string
	// Title says what is shown, in a few words; Alt tells those who cannot see
	// what there is to be seen.
	Title, Alt string
	// YLabel stands above the vertical axis, with its unit.
	YLabel string
	Keys   []Key
	// Width is the one to be drawn at where there is room for it.
	Width float64
	// Columns is how many of a journal's two columns it takes in print; 0: one,
	// or two where it is wider than Half.
	Columns int
	// Height is that of the plot, axes included.
	Height float64
	// Draw puts axes and marks into the plot; width is that of the figure.
	Draw func(p *plot.Plot, width float64)
	// Data is what is shown, as numbers.
	Data Table
}

// Key is an entry of the legend.
type Key struct {
	Label string
	Color Color
	Shape Shape
}

// Shape is how a key looks.
type Shape int

// The shapes of keys.
const (
	Dot Shape = iota
	Ring
	Line
	Dash
	Box
	Square
	Triangle
	Diamond
	Inverted // a triangle on its tip
	Cross
	Plus
)

const (
	margin    = 6 // at the top, the bottom and the right
	leftEdge  = 1
	padding   = 14 // around a figure that stands alone
	rowHeight = 18
	keyWidth  = 18
	keyGap    = 16
)

// Inline returns the figure as an SVG element for a page that has Stylesheet.
func (f Figure) Inline(width float64) string {
	l := f.layout(width, false)
	c := newCanvas(vg.Length(l.width), vg.Length(l.height))
	f.draw(c, l)
	w, h := number(l.width), number(l.height)
	return fmt.Sprintf("<svg class=\"chart\" role=\"img\" aria-label=\"%s\" viewBox=\"0 0 %s %s\" width=\"%s\" height=\"%s\">\n%s</svg>",
		html.EscapeString(printable(f.Title+". "+f.Alt)), w, h, w, h, c.out.Bytes())
}

// File returns the figure as an SVG document that needs nothing else, in light
// and dark: for a screen. Print is for paper.
func (f Figure) File() []byte {
	l := f.layout(f.Width, true)
	c := newCanvas(vg.Length(l.width), vg.Length(l.height))
	f.draw(c, l)
	w, h := number(l.width+2*padding), number(l.height+2*padding)
	view := number(-padding) + " " + number(-padding) + " " + w + " " + h
	var out bytes.Buffer
	fmt.Fprintf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"%s\" viewBox=\"%s\" width=\"%s\" height=\"%s\" font-family=\"%s\">\n",
		html.EscapeString(printable(f.Title+". "+f.Alt)), view, w, h, html.EscapeString(fontFamily))
	fmt.Fprintf(&out, "<style>\n%s</style>\n<rect x=\"%s\" y=\"%s\" width=\"100%%\" height=\"100%%\" %s/>\n%s</svg>\n",
		Stylesheet(), number(-padding), number(-padding), paint("fill", "f", Paper), c.out.Bytes())
	return out.Bytes()
}

// layout is where a figure's parts stand, from the top: title, legend, label of
// the vertical axis, plot.
type layout struct {
	width, height float64
	titled        bool
	legend        [][]Key
}

func (f Figure) layout(width float64, titled bool) layout {
	l := layout{width: width, titled: titled, legend: f.legendRows(width)}
	l.height = float64(len(l.legend))*rowHeight + f.Height + 2*margin
	if titled {
		l.height += titleSize + 12
	}
	if f.YLabel != "" {
		l.height += rowHeight
	}
	return l
}

func (f Figure) draw(c vg.Canvas, l layout) {
	top := vg.Length(l.height - margin)
	left := vg.Length(leftEdge)
	if l.titled {
		heading := style(titleSize, Ink)
		heading.Font.Weight = 2
		heading.Handler.Draw(c, f.Title, heading, vg.Point{X: left, Y: top - titleSize + 2})
		top -= titleSize + 12
	}
	for _, row := range l.legend {
		drawKeys(c, row, vg.Point{X: left, Y: top - rowHeight/2})
		top -= rowHeight
	}
	if f.YLabel != "" {
		label := style(textSize, Muted)
		label.Handler.Draw(c, f.YLabel, label, vg.Point{X: left, Y: top - textSize})
		top -= rowHeight
	}
	p := newPlot()
	f.Draw(p, l.width)
	p.Draw(draw.Canvas{Canvas: c, Rectangle: vg.Rectangle{
		Min: vg.Point{X: leftEdge, Y: margin},
		Max: vg.Point{X: vg.Length(l.width) - margin, Y: top},
	}})
}

// legendRows breaks the keys into rows that fit.
func (f Figure) legendRows(width float64) [][]Key {
	var rows [][]Key
	label := style(textSize, Ink)
	room := 0.0
	for _, key := range f.Keys {
		needed := keyWidth + label.Width(key.Label).Points() + keyGap
		if len(rows) == 0 || needed > room {
			rows = append(rows, nil)
			room = width - margin
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], key)
		room -= needed
	}
	return rows
}

func drawKeys(c vg.Canvas, keys []Key, at vg.Point) {
	label := style(textSize, Ink)
	dc := draw.Canvas{Canvas: c}
	for _, key := range keys {
		middle := vg.Point{X: at.X + keyWidth/2 - 2, Y: at.Y}
		switch key.Shape {
		case Line, Dash:
			line := draw.LineStyle{Color: key.Color, Width: 2}
			if key.Shape == Dash {
				line = draw.LineStyle{Color: key.Color, Width: 1.25, Dashes: dashes()}
			}
			dc.StrokeLine2(line, middle.X-7, middle.Y, middle.X+7, middle.Y)
		case Box:
			rectangle(dc, key.Color, middle.X-5, middle.Y-5, middle.X+5, middle.Y+5)
		default:
			mark(dc, middle, 4.5, key.Color, key.Shape)
		}
		label.Handler.Draw(c, key.Label, label, vg.Point{X: at.X + keyWidth, Y: at.Y - 4})
		at.X += keyWidth + label.Width(key.Label) + keyGap
	}
}

func dashes() []vg.Length { return []vg.Length{4, 3} }

// Elide shortens a text to one line of a number of characters.
func Elide(s string, characters int) string {
	runes := []rune(printable(s))
	if len(runes) <= characters {
		return string(runes)
	}
	return strings.TrimRight(string(runes[:characters-1]), " ") + "…"
}
