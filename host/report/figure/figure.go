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
	// Height is that of the plot, axes included.
	Height float64
	// Draw puts axes and marks into the plot; width is that of the figure.
	Draw func(p *plot.Plot, width float64)
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
	body, w, h := f.draw(width, false)
	return fmt.Sprintf("<svg class=\"chart\" role=\"img\" aria-label=\"%s\" viewBox=\"0 0 %s %s\" width=\"%s\" height=\"%s\">\n%s</svg>",
		html.EscapeString(printable(f.Title+". "+f.Alt)), number(w), number(h), number(w), number(h), body)
}

// File returns the figure as an SVG document that needs nothing else.
func (f Figure) File() []byte {
	body, w, h := f.draw(f.Width, true)
	view := number(-padding) + " " + number(-padding) + " " + number(w+2*padding) + " " + number(h+2*padding)
	var out bytes.Buffer
	fmt.Fprintf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"%s\" viewBox=\"%s\" width=\"%s\" height=\"%s\" font-family=\"%s\">\n",
		html.EscapeString(printable(f.Title+". "+f.Alt)), view, number(w+2*padding), number(h+2*padding), html.EscapeString(fontFamily))
	fmt.Fprintf(&out, "<style>\n%s</style>\n<rect x=\"%s\" y=\"%s\" width=\"100%%\" height=\"100%%\" %s/>\n%s</svg>\n", Stylesheet(), number(-padding), number(-padding), paint("fill", "f", Paper), body)
	return out.Bytes()
}

// draw lays out title, legend, axis label and plot, from the top.
func (f Figure) draw(width float64, titled bool) (body string, w, h float64) {
	rows := f.legendRows(width)
	head := float64(len(rows)) * rowHeight
	if titled {
		head += titleSize + 12
	}
	if f.YLabel != "" {
		head += rowHeight
	}
	h = head + f.Height + 2*margin
	c := newCanvas(vg.Length(width), vg.Length(h))
	top := vg.Length(h - margin)
	left := vg.Length(leftEdge)
	if titled {
		heading := style(titleSize, Ink)
		heading.Font.Weight = 2
		heading.Handler.Draw(c, f.Title, heading, vg.Point{X: left, Y: top - titleSize + 2})
		top -= titleSize + 12
	}
	for _, row := range rows {
		drawKeys(c, row, vg.Point{X: left, Y: top - rowHeight/2})
		top -= rowHeight
	}
	if f.YLabel != "" {
		label := style(textSize, Muted)
		label.Handler.Draw(c, f.YLabel, label, vg.Point{X: left, Y: top - textSize})
		top -= rowHeight
	}
	p := newPlot()
	f.Draw(p, width)
	p.Draw(draw.Canvas{Canvas: c, Rectangle: vg.Rectangle{
		Min: vg.Point{X: leftEdge, Y: margin},
		Max: vg.Point{X: vg.Length(width) - margin, Y: top},
	}})
	return c.out.String(), width, h
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

func drawKeys(c *canvas, keys []Key, at vg.Point) {
	label := style(textSize, Ink)
	dc := draw.Canvas{Canvas: c}
	for _, key := range keys {
		middle := vg.Point{X: at.X + keyWidth/2 - 2, Y: at.Y}
		switch key.Shape {
		case Dot:
			circle(dc, middle, 4.5, key.Color, false)
		case Ring:
			circle(dc, middle, 4.5, key.Color, true)
		case Line, Dash:
			line := draw.LineStyle{Color: key.Color, Width: 2}
			if key.Shape == Dash {
				line = draw.LineStyle{Color: key.Color, Width: 1.25, Dashes: dashes()}
			}
			dc.StrokeLine2(line, middle.X-7, middle.Y, middle.X+7, middle.Y)
		case Box:
			rectangle(dc, key.Color, middle.X-5, middle.Y-5, middle.X+5, middle.Y+5)
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
