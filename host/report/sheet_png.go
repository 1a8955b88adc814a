package report

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg" // thumbnails
	"image/png"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/upl-host/upl-host/host/report/figure"
)

// The measures of a contact sheet in a PNG, in pixels.
const (
	sheetColumns = 8
	sheetGap     = 8
	sheetLine    = 24 // of text
	sheetFont    = 15
	sheetWidth   = sheetGap + sheetColumns*(ThumbnailSide+sheetGap)
	// sheetRows bounds the picture's height, and so its memory.
	sheetRows = 64
)

// drawPNG draws a grid of pictures below the names of their classes.
func (s Sheet) drawPNG(out *bytes.Buffer, g *gallery) error {
	shown, rows := 0, 0
	for _, class := range g.Classes {
		if rows += sheetRowsOf(class); rows > sheetRows && shown > 0 {
			rows -= sheetRowsOf(class)
			break
		}
		shown++
	}
	height := sheetGap + 2*sheetLine + shown*sheetLine + rows*(ThumbnailSide+sheetGap)
	pen, err := newPen(sheetWidth, height)
	if err != nil {
		return err
	}
	lede := s.Lede
	if shown < len(g.Classes) {
		lede = fmt.Sprintf("%s The first %d classes; the HTML sheet has all.", lede, shown)
	}
	y := sheetGap
	pen.text(y, s.Title, figure.Ink)
	pen.text(y+sheetLine, lede, figure.Muted)
	y += 2 * sheetLine
	for _, class := range g.Classes[:shown] {
		pen.text(y, class.Class+"  ("+plural(class.Count, "picture", "pictures")+")", figure.Ink)
		y += sheetLine
		for i, shot := range class.Shots {
			x := sheetGap + i%sheetColumns*(ThumbnailSide+sheetGap)
			if err := pen.picture(x, y+i/sheetColumns*(ThumbnailSide+sheetGap), string(shot.Src)); err != nil {
				return fmt.Errorf("%s: %w", shot.Path, err)
			}
		}
		y += sheetRowsOf(class) * (ThumbnailSide + sheetGap)
	}
	return png.Encode(out, pen.canvas)
}

func sheetRowsOf(class classShots) int {
	return (len(class.Shots) + sheetColumns - 1) / sheetColumns
}

// pen draws on a canvas.
type pen struct {
	canvas *image.RGBA
	face   font.Face
}

func newPen(width, height int) (*pen, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: sheetFont, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, err
	}
	p := &pen{image.NewRGBA(image.Rect(0, 0, width, height)), face}
	draw.Draw(p.canvas, p.canvas.Bounds(), image.NewUniform(figure.Paper), image.Point{}, draw.Src)
	return p, nil
}

// text writes one line, cut off where the canvas ends.
func (p *pen) text(y int, text string, c color.Color) {
	room := fixed.I(p.canvas.Bounds().Dx() - 2*sheetGap)
	if font.MeasureString(p.face, text) > room {
		runes := []rune(text)
		for len(runes) > 0 && font.MeasureString(p.face, string(runes)+"…") > room {
			runes = runes[:len(runes)-1]
		}
		text = string(runes) + "…"
	}
	d := font.Drawer{Dst: p.canvas, Src: image.NewUniform(c), Face: p.face, Dot: fixed.P(sheetGap, y+sheetFont+2)}
	d.DrawString(text)
}

// picture draws a thumbnail in the middle of its cell; a crossed cell where there is none.
func (p *pen) picture(x, y int, uri string) error {
	cell := image.Rect(x, y, x+ThumbnailSide, y+ThumbnailSide)
	draw.Draw(p.canvas, cell, image.NewUniform(figure.Rule), image.Point{}, draw.Src)
	if uri == "" {
		for i := range ThumbnailSide {
			p.canvas.Set(x+i, y+i, figure.Wrong)
			p.canvas.Set(x+i, y+ThumbnailSide-1-i, figure.Wrong)
		}
		return nil
	}
	_, encoded, ok := strings.Cut(uri, ";base64,")
	if !ok {
		return errors.New("the thumbnail is no base64 text")
	}
	small, _, err := image.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(encoded)))
	if err != nil {
		return fmt.Errorf("decoding the thumbnail: %w", err)
	}
	size := small.Bounds().Size()
	place := image.Rectangle{Max: size}.Add(cell.Min.Add(image.Pt((ThumbnailSide-size.X)/2, (ThumbnailSide-size.Y)/2)))
	draw.Draw(p.canvas, place.Intersect(cell), small, small.Bounds().Min, draw.Src)
	return nil
}
