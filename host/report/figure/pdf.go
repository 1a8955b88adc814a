package figure

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"time"

	"codeberg.org/go-pdf/fpdf"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// sheet draws a plot as a page of PDF. It differs from gonum's own in what print
// needs: all letters that the font has are written (there: those of Windows-1252),
// of the font only these are embedded, what is transparent keeps its colour, and
// the same figure is the same bytes.
//
// One unit of length is a pixel of layout: see printUnit.
type sheet struct {
	width, height vg.Length
	pdf           *fpdf.Fpdf
	pageHeight    float64 // in points
	images        int
	fonts         map[string]bool // that are embedded, by style
	pens
}

var (
	_ vg.CanvasSizer = (*sheet)(nil)
	_ setter         = (*sheet)(nil)
)

// epoch stands for the time at which a PDF was made until it is blanked out:
// fpdf writes one in any case.
var epoch = time.Unix(0, 0).UTC()

func newSheet(width, height vg.Length, title string) *sheet {
	s := &sheet{width: width, height: height, pageHeight: height.Points() * printUnit, fonts: map[string]bool{}, pens: pens{state: pen{a: printUnit, d: printUnit}}}
	s.pdf = fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: width.Points() * printUnit, Ht: s.pageHeight}})
	s.pdf.SetCreationDate(epoch)
	s.pdf.SetModificationDate(epoch)
	s.pdf.SetCatalogSort(true)
	s.pdf.SetProducer("upl-host", true)
	s.pdf.SetTitle(printable(title), true)
	s.pdf.SetMargins(0, 0, 0)
	s.pdf.SetAutoPageBreak(false, 0)
	s.pdf.SetLineJoinStyle("round")
	s.pdf.AddPage()
	vg.Initialize(s)
	return s
}

// family is what the embedded font is called within a PDF.
const family = "LiberationSans"

// fontFile is the font as a file.
func fontFile(f font.Font) []byte {
	var file bytes.Buffer
	if _, err := handler().Cache().Lookup(f, f.Size).Face.WriteSourceTo(nil, &file); err != nil {
		panic(err) // a font of the program's own
	}
	return file.Bytes()
}

// Bytes returns the document.
func (s *sheet) Bytes() ([]byte, error) {
	var out bytes.Buffer
	if err := s.pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("writing a PDF: %w", err)
	}
	// The entries are optional, and a date that means nothing is worse than none.
	// Blanks keep all that comes behind in its place.
	file := out.Bytes()
	for _, key := range []string{"/CreationDate", "/ModDate"} {
		entry := []byte(key + " (D:" + epoch.Format("20060102150405") + ")")
		file = bytes.Replace(file, entry, bytes.Repeat([]byte(" "), len(entry)), 1)
	}
	return file, nil
}

// Size implements vg.CanvasSizer.
func (s *sheet) Size() (x, y vg.Length) { return s.width, s.height }

// point maps a point of the plot to the page, whose y points down.
func (s *sheet) point(pt vg.Point) (x, y float64) {
	x, y = s.onPage(pt)
	return x, s.pageHeight - y
}

// ink sets the colours of lines, areas and text.
func (s *sheet) ink() {
	c := rgb(s.state.color)
	r, g, b := int(c.R), int(c.G), int(c.B)
	s.pdf.SetDrawColor(r, g, b)
	s.pdf.SetFillColor(r, g, b)
	s.pdf.SetTextColor(r, g, b)
	s.pdf.SetAlpha(float64(c.A)/math.MaxUint8, "Normal")
}

// Stroke implements vg.Canvas.
func (s *sheet) Stroke(path vg.Path) {
	if s.state.lineWidth <= 0 {
		return
	}
	s.ink()
	s.pdf.SetLineWidth(s.scaled(s.state.lineWidth))
	dashes := make([]float64, len(s.state.dashes))
	for i, d := range s.state.dashes {
		dashes[i] = s.scaled(d)
	}
	s.pdf.SetDashPattern(dashes, s.scaled(s.state.offset))
	s.trace(path)
	s.pdf.DrawPath("D")
}

// Fill implements vg.Canvas.
func (s *sheet) Fill(path vg.Path) {
	s.ink()
	s.trace(path)
	s.pdf.DrawPath("F")
}

func (s *sheet) trace(path vg.Path) {
	begun, before := false, vg.Point{}
	for _, part := range path {
		x, y := s.point(part.Pos)
		switch part.Type {
		case vg.MoveComp:
			s.pdf.MoveTo(x, y)
		case vg.LineComp:
			s.pdf.LineTo(x, y)
		case vg.CloseComp:
			s.pdf.ClosePath()
		case vg.ArcComp:
			s.arc(part, begun)
			sin, cos := math.Sincos(part.Start + part.Angle)
			part.Pos = part.Pos.Add(vg.Point{X: part.Radius * vg.Length(cos), Y: part.Radius * vg.Length(sin)})
		case vg.CurveComp:
			c0, c1 := part.Control[0], part.Control[len(part.Control)-1]
			if len(part.Control) == 1 { // quadratic: PDF has cubic curves alone
				c0 = before.Add(c0.Sub(before).Scale(2.0 / 3))
				c1 = part.Pos.Add(c1.Sub(part.Pos).Scale(2.0 / 3))
			}
			x0, y0 := s.point(c0)
			x1, y1 := s.point(c1)
			s.pdf.CurveBezierCubicTo(x0, y0, x1, y1, x, y)
		}
		begun, before = true, part.Pos
	}
}

// arc draws an arc as cubic curves of at most a quarter turn each, which differ
// from it by less than a thousandth of its radius.
func (s *sheet) arc(part vg.PathComp, begun bool) {
	at := func(angle, out float64) (x, y float64) {
		sin, cos := math.Sincos(angle)
		r := part.Radius.Points()
		return s.point(part.Pos.Add(vg.Point{X: vg.Length(r * (cos - out*sin)), Y: vg.Length(r * (sin + out*cos))}))
	}
	x, y := at(part.Start, 0)
	if begun {
		s.pdf.LineTo(x, y)
	} else {
		s.pdf.MoveTo(x, y)
	}
	steps := math.Ceil(math.Abs(part.Angle) / (math.Pi / 2))
	step := part.Angle / steps
	handle := 4.0 / 3 * math.Tan(step/4)
	for i := range int(steps) {
		from := part.Start + float64(i)*step
		x0, y0 := at(from, handle)
		x1, y1 := at(from+step, -handle)
		x, y := at(from+step, 0)
		s.pdf.CurveBezierCubicTo(x0, y0, x1, y1, x, y)
	}
}

// FillString implements vg.Canvas.
func (s *sheet) FillString(face font.Face, pt vg.Point, txt string) {
	s.text(face.Font, pt, "start", txt)
}

// text implements setter.
func (s *sheet) text(f font.Font, pt vg.Point, anchor, txt string) {
	if f.Size == 0 || txt == "" {
		return
	}
	f = embedded(f)
	txt = handler().within(txt, f)
	bold := ""
	if f.Weight > xfont.WeightNormal {
		bold = "B"
	}
	if !s.fonts[bold] {
		s.pdf.AddUTF8FontFromBytes(family, bold, fontFile(f))
		s.fonts[bold] = true
	}
	s.ink()
	s.pdf.SetFont(family, bold, s.scaled(f.Size))
	shift := map[string]float64{"middle": 0.5, "end": 1}[anchor] * s.pdf.GetStringWidth(txt)
	sin, cos := math.Sincos(s.angle())
	x, y := s.onPage(pt)
	s.pdf.TransformBegin()
	s.pdf.Transform(fpdf.TransformMatrix{A: cos, B: sin, C: -sin, D: cos, E: x - shift*cos, F: y - shift*sin})
	s.pdf.Text(0, s.pageHeight, txt)
	s.pdf.TransformEnd()
}

// titled implements setter: on paper nothing is pointed at.
func (s *sheet) titled(_ string, marks func()) { marks() }

// DrawImage implements vg.Canvas.
func (s *sheet) DrawImage(rect vg.Rectangle, img image.Image) {
	var data bytes.Buffer
	if err := png.Encode(&data, img); err != nil {
		return // an image without pixels: nothing to be seen
	}
	s.images++
	name := fmt.Sprint(s.images)
	options := fpdf.ImageOptions{ImageType: "png"}
	s.pdf.RegisterImageOptionsReader(name, options, &data)
	x, y := s.point(vg.Point{X: rect.Min.X, Y: rect.Max.Y})
	size := rect.Size()
	s.pdf.ImageOptions(name, x, y, s.scaled(size.X), s.scaled(size.Y), false, options, 0, "")
}
