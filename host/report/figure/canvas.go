package figure

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// canvas draws a plot as SVG. It differs from gonum's own in what a page needs:
// colours are CSS classes (with the light theme's as attributes), so that a
// figure follows the page's theme; text stays text, anchored as it was aligned,
// so that it fits in whatever font the reader has; marks carry titles; and there
// are no ids, so that any number of figures share one document.
//
// One unit of length is one CSS pixel.
type canvas struct {
	width, height vg.Length
	out           bytes.Buffer
	pens
}

var (
	_ vg.CanvasSizer = (*canvas)(nil)
	_ setter         = (*canvas)(nil)
)

func newCanvas(width, height vg.Length) *canvas {
	c := &canvas{width: width, height: height, pens: pens{state: pen{a: 1, d: 1}}}
	vg.Initialize(c)
	return c
}

// Size implements vg.CanvasSizer.
func (c *canvas) Size() (x, y vg.Length) { return c.width, c.height }

// Stroke implements vg.Canvas.
func (c *canvas) Stroke(path vg.Path) {
	if c.state.lineWidth <= 0 {
		return
	}
	style := paint("stroke", "s", c.state.color) + ` stroke-width="` + number(c.state.lineWidth.Points()) + `"`
	if len(c.state.dashes) > 0 {
		dashes := make([]string, len(c.state.dashes))
		for i, d := range c.state.dashes {
			dashes[i] = number(d.Points())
		}
		style += ` stroke-dasharray="` + strings.Join(dashes, " ") + `"`
	}
	c.shape(path, `fill="none" `+style)
}

// Fill implements vg.Canvas.
func (c *canvas) Fill(path vg.Path) { c.shape(path, paint("fill", "f", c.state.color)) }

func (c *canvas) shape(path vg.Path, style string) {
	if circle, ok := asCircle(path); ok {
		x, y := c.point(circle.Pos)
		fmt.Fprintf(&c.out, "<circle cx=\"%s\" cy=\"%s\" r=\"%s\" %s/>\n", number(x), number(y), number(c.scaled(circle.Radius)), style)
		return
	}
	fmt.Fprintf(&c.out, "<path d=\"%s\" %s/>\n", c.data(path), style)
}

// asCircle recognises the path of a full circle.
func asCircle(path vg.Path) (vg.PathComp, bool) {
	if len(path) == 3 && path[0].Type == vg.MoveComp && path[1].Type == vg.ArcComp && path[2].Type == vg.CloseComp &&
		math.Abs(path[1].Angle) >= 2*math.Pi {
		return path[1], true
	}
	return vg.PathComp{}, false
}

func (c *canvas) data(path vg.Path) string {
	var d strings.Builder
	at := func(command byte, points ...vg.Point) {
		d.WriteByte(command)
		for i, pt := range points {
			if i > 0 {
				d.WriteByte(' ')
			}
			x, y := c.point(pt)
			d.WriteString(number(x) + " " + number(y))
		}
	}
	for _, part := range path {
		switch part.Type {
		case vg.MoveComp:
			at('M', part.Pos)
		case vg.LineComp:
			at('L', part.Pos)
		case vg.CurveComp:
			at([]byte{'L', 'Q', 'C'}[len(part.Control)], append(append([]vg.Point{}, part.Control...), part.Pos)...)
		case vg.CloseComp:
			d.WriteByte('Z')
		case vg.ArcComp:
			c.arc(&d, part)
		}
	}
	return d.String()
}

// arc draws an arc in steps of at most a third of a turn, so that SVG's two
// flags are never in doubt.
func (c *canvas) arc(d *strings.Builder, part vg.PathComp) {
	on := func(angle float64) (x, y float64) {
		sin, cos := math.Sincos(angle)
		return c.point(part.Pos.Add(vg.Point{X: part.Radius * vg.Length(cos), Y: part.Radius * vg.Length(sin)}))
	}
	join := byte('L')
	if d.Len() == 0 {
		join = 'M'
	}
	x, y := on(part.Start)
	d.WriteString(string(join) + number(x) + " " + number(y))
	r := number(c.scaled(part.Radius))
	sweep := "0" // with y upwards a positive angle turns against SVG's clock
	if part.Angle < 0 {
		sweep = "1"
	}
	steps := int(math.Ceil(math.Abs(part.Angle) / (2 * math.Pi / 3)))
	for i := 1; i <= steps; i++ {
		x, y := on(part.Start + part.Angle*float64(i)/float64(steps))
		d.WriteString("A" + r + " " + r + " 0 0 " + sweep + " " + number(x) + " " + number(y))
	}
}

// point maps a point of the plot to the document, whose y points down.
func (c *canvas) point(pt vg.Point) (x, y float64) {
	x, y = c.onPage(pt)
	return x, c.height.Points() - y
}

// FillString implements vg.Canvas.
func (c *canvas) FillString(face font.Face, pt vg.Point, txt string) {
	c.text(face.Font, pt, "start", txt)
}

// text implements setter.
func (c *canvas) text(f font.Font, pt vg.Point, anchor, txt string) {
	if f.Size == 0 || txt == "" {
		return
	}
	x, y := c.point(pt)
	attributes := ""
	if anchor != "start" {
		attributes += ` text-anchor="` + anchor + `"`
	}
	if f.Weight > 0 {
		attributes += ` font-weight="600"`
	}
	if angle := -c.angle() * 180 / math.Pi; angle != 0 {
		attributes += fmt.Sprintf(` transform="rotate(%s %s %s)"`, number(angle), number(x), number(y))
	}
	fmt.Fprintf(&c.out, "<text x=\"%s\" y=\"%s\" font-size=\"%s\"%s %s>%s</text>\n",
		number(x), number(y), number(f.Size.Points()), attributes, paint("fill", "f", c.state.color), html.EscapeString(printable(txt)))
}

// DrawImage implements vg.Canvas. The bitmap is embedded.
func (c *canvas) DrawImage(rect vg.Rectangle, img image.Image) {
	var data bytes.Buffer
	if err := png.Encode(&data, img); err != nil {
		return // an image without pixels: nothing to be seen
	}
	x, y := c.point(vg.Point{X: rect.Min.X, Y: rect.Max.Y})
	size := rect.Size()
	fmt.Fprintf(&c.out, "<image x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" href=\"data:image/png;base64,%s\"/>\n",
		number(x), number(y), number(c.scaled(size.X)), number(c.scaled(size.Y)), base64.StdEncoding.EncodeToString(data.Bytes()))
}

// titled implements setter: marks that show a text when pointed at.
func (c *canvas) titled(title string, marks func()) {
	c.out.WriteString("<g><title>" + html.EscapeString(printable(title)) + "</title>\n")
	marks()
	c.out.WriteString("</g>\n")
}

// paint returns the attributes that colour a fill or a stroke.
func paint(attribute, prefix string, clr color.Color) string {
	if named, ok := clr.(Color); ok {
		s := fmt.Sprintf(`class="%s-%s" %s="%s"`, prefix, named.Name, attribute, named.Light)
		if named.Alpha > 0 && named.Alpha < 1 {
			s += fmt.Sprintf(` %s-opacity="%s"`, attribute, number(named.Alpha))
		}
		return s
	}
	rgba := rgb(clr)
	return fmt.Sprintf(`%s="#%02x%02x%02x" %s-opacity="%s"`, attribute, rgba.R, rgba.G, rgba.B, attribute, number(float64(rgba.A)/255))
}

// number is a coordinate, to a hundredth of a pixel.
func number(v float64) string {
	s := strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
	if s == "-0" {
		return "0"
	}
	return s
}

// printable replaces what XML cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r':
			return ' '
		case r < 0x20, r == 0x7f, r == 0xfffe, r == 0xffff:
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
