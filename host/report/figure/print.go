package figure

import (
	"bytes"
	"fmt"
	"html"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// Figures are laid out in pixels with text of 12. In print that text is 8 points
// high, which journals ask for, and figures are a column or a page wide.
const (
	printUnit   = 8.0 / textSize // points a pixel
	centimetre  = 72 / 2.54 / printUnit
	columnWidth = 8.4 * centimetre
	pageWidth   = 17.4 * centimetre
	// imageDPI makes 300 dots an inch of print.
	imageDPI = 300 * printUnit
)

// Format is a way to write a figure for print: its file's ending.
type Format string

// The formats.
const (
	SVG Format = "svg"
	PDF Format = "pdf"
	PNG Format = "png"
)

// Formats are all formats.
func Formats() []Format { return []Format{SVG, PDF, PNG} }

// Print returns the figure as a file for print: light, without a title, which is
// the caption's, and one or two columns wide.
func (f Figure) Print(format Format) ([]byte, error) {
	width := columnWidth
	if f.Columns == 2 || f.Columns == 0 && f.Width > Half {
		width = pageWidth
	}
	l := f.layout(width, false)
	w, h := vg.Length(l.width), vg.Length(l.height)
	switch format {
	case SVG:
		c := newCanvas(w, h)
		f.draw(c, l)
		return f.standalone(c, l), nil
	case PDF:
		s := newSheet(w, h, f.Title)
		f.draw(s, l)
		return s.Bytes()
	case PNG:
		c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(imageDPI), vgimg.UseBackgroundColor(color.White))}
		f.draw(c, l)
		var out bytes.Buffer
		if _, err := c.WriteTo(&out); err != nil {
			return nil, fmt.Errorf("writing a PNG: %w", err)
		}
		return out.Bytes(), nil
	}
	return nil, fmt.Errorf("a figure has no format %q", format)
}

// standalone is what a canvas holds as a document of its size on paper.
func (f Figure) standalone(c *canvas, l layout) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"%s\" viewBox=\"0 0 %s %s\" width=\"%scm\" height=\"%scm\" font-family=\"%s\">\n",
		html.EscapeString(printable(f.Title+". "+f.Alt)), number(l.width), number(l.height),
		number(l.width/centimetre), number(l.height/centimetre), html.EscapeString(fontFamily))
	fmt.Fprintf(&out, "<rect width=\"100%%\" height=\"100%%\" fill=\"%s\"/>\n%s</svg>\n", Paper.Light, c.out.Bytes())
	return out.Bytes()
}
