package figure

import (
	"strings"

	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// setter is a canvas that sets text itself, at a point of its baseline that is
// the text's start, middle or end.
type setter interface {
	text(f font.Font, pt vg.Point, anchor, txt string)
	// titled draws marks that show a text when pointed at, where that can be.
	titled(title string, marks func())
}

// typesetter measures text in Liberation Sans, whose widths are those of Arial
// and Helvetica, and leaves its setting to the canvas: a reader's browser, or
// the PDF that has the font in it.
type typesetter struct{ text.Plain }

// Box implements text.Handler. Ideographs, Hangul and pictographs, which
// Liberation lacks, are as wide as the font is high.
func (h typesetter) Box(txt string, fnt font.Font) (width, height, depth vg.Length) {
	wide := 0
	narrow := strings.Map(func(r rune) rune {
		if r >= 0x1100 && r < 0x1200 || r >= 0x2e80 {
			wide++
			return -1
		}
		return r
	}, txt)
	width, height, depth = h.Plain.Box(narrow, fnt)
	return width + vg.Length(wide)*fnt.Size, height, depth
}

// Draw implements text.Handler.
func (h typesetter) Draw(c vg.Canvas, txt string, style text.Style, pt vg.Point) {
	if style.Rotation != 0 {
		// An axis lifts its names by their descent, into the ticks where they are turned.
		pt.Y -= h.Extents(style.Font).Descent
	}
	target := underlying(c)
	if target == nil {
		style.Font = embedded(style.Font)
		h.Plain.Draw(c, h.within(txt, style.Font), style, pt)
		return
	}
	c.Push()
	defer c.Pop()
	c.SetColor(style.Color)
	c.Translate(pt)
	c.Rotate(style.Rotation)
	extents := h.Extents(style.Font)
	y := style.Height(txt)*vg.Length(style.YAlign) - extents.Ascent + style.Font.Size
	anchor := "start"
	switch {
	case style.XAlign < -0.75:
		anchor = "end"
	case style.XAlign < -0.25:
		anchor = "middle"
	}
	target.text(style.Font, vg.Point{Y: y}, anchor, txt)
}

// embedded is the font of those that come with the program: it has but two
// weights.
func embedded(f font.Font) font.Font {
	if f.Weight > xfont.WeightNormal {
		f.Weight = xfont.WeightBold
	}
	return f
}

// within replaces the letters that the font lacks by a box.
func (h typesetter) within(txt string, f font.Font) string {
	face := h.Fonts.Lookup(f, f.Size).Face
	var buffer sfnt.Buffer
	return strings.Map(func(r rune) rune {
		if i, err := face.GlyphIndex(&buffer, r); err != nil || i == 0 || r > 0xffff {
			return '\u25a1'
		}
		return r
	}, printable(txt))
}

// underlying returns the canvas of ours below a canvas; nil where it is another.
func underlying(c vg.Canvas) setter {
	switch c := c.(type) {
	case setter:
		return c
	case draw.Canvas:
		return underlying(c.Canvas)
	case *draw.Canvas:
		return underlying(c.Canvas)
	}
	return nil
}
