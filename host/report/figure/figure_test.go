package figure

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
	"pgregory.net/rapid"
)

func labels(ticks plot.ConstantTicks) []string {
	list := make([]string, len(ticks))
	for i, tick := range ticks {
		list[i] = tick.Label
	}
	return list
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		name string
		got  plot.ConstantTicks
		want []string
	}{
		{"percent", Percent(0, 1, 0.25), []string{"0\u202f%", "25\u202f%", "50\u202f%", "75\u202f%", "100\u202f%"}},
		{"percent from within", Percent(0.12, 0.31, 0.1), []string{"20\u202f%", "30\u202f%"}},
		{"whole numbers", Numbers(0, 3, 10, true), []string{"0", "1", "2", "3"}},
		{"tenths", Numbers(1, 1.5, 5, false), []string{"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}},
		{"from below zero", Numbers(-1, 1, 2, false), []string{"-1", "0", "1"}},
		{"a point", Numbers(2, 2, 5, false), []string{"2"}},
		{"names", Names([]string{"a", ""}), []string{"a", " "}},
	} {
		if diff := cmp.Diff(test.want, labels(test.got)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestStepIsRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := math.Pow(10, rapid.Float64Range(-9, 9).Draw(t, "log span"))
		n := rapid.IntRange(1, 20).Draw(t, "parts")
		step := Step(span, n)
		if parts := span / step; parts > float64(n)*1.001 || parts < float64(n)/2.6 {
			t.Fatalf("%v in steps of %v: %v parts, want about %d", span, step, parts, n)
		}
		mantissa := step / math.Pow(10, math.Floor(math.Log10(step)+1e-9))
		if m := math.Round(mantissa); math.Abs(mantissa-m) > 1e-6 || (m != 1 && m != 2 && m != 5) {
			t.Fatalf("the step %v is not 1, 2 or 5 times a power of ten", step)
		}
	})
	for _, span := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if Step(span, 5) != 1 {
			t.Errorf("Step(%v) = %v, want 1", span, Step(span, 5))
		}
	}
}

// luminance and contrast are WCAG 2's.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	var rgb [3]uint8
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	var linear [3]float64
	for i, v := range rgb {
		c := float64(v) / 255
		if linear[i] = c / 12.92; c > 0.04045 {
			linear[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a)+0.05, luminance(t, b)+0.05
	return max(x, y) / min(x, y)
}

func TestContrast(t *testing.T) {
	text := map[string]bool{"ink": true, "muted": true, "learned": true, "wrong": true, "right": true}
	for _, c := range palette() {
		least := 3.0 // of marks
		switch {
		case c.Name == "paper" || c.Name == "rule" || c.Name == "axis":
			continue // no content
		case text[c.Name]:
			least = 4.5
		}
		if light := contrast(t, c.Light, Paper.Light); light < least {
			t.Errorf("%s on light paper: contrast %.2f, want %v", c.Name, light, least)
		}
		if dark := contrast(t, c.Dark, Paper.Dark); dark < least {
			t.Errorf("%s on dark paper: contrast %.2f, want %v", c.Name, dark, least)
		}
	}
}

func TestElide(t *testing.T) {
	for in, want := range map[string]string{
		"short": "short", "exactly ten": "exactly t…", "ten chars!": "ten chars!", "two\nlines": "two lines", "бббббббббббб": "ббббббббб…",
	} {
		if got := Elide(in, 10); got != want {
			t.Errorf("Elide(%q) = %q, want %q", in, got, want)
		}
	}
}

// sample has every kind of mark.
func sample() Figure {
	return Figure{
		Name: "sample", Title: `a < b & "c"`, Alt: "x", YLabel: "y]]>", Width: Half, Height: 200,
		Keys: []Key{{"dot", Ink, Dot}, {"ring", Learned, Ring}, {"line", Wrong, Line}, {"dash", Muted, Dash}, {"box", Right, Box}, {strings.Repeat("long ", 12), Ink, Box}},
		Draw: func(p *plot.Plot, _ float64) {
			p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
			p.X.Tick.Marker, p.Y.Tick.Marker = Percent(0, 1, 0.5), Names([]string{"<one>", "два"})
			p.Add(Grid{true, true}, Points{{X: 0.5, Y: 0.5, Radius: 3, Color: Learned.Fade(0.5), Title: "<t>"}}, Curve{X: []float64{0, 1}, Y: []float64{0, 1}, Color: Ink, Width: 1},
				Bars{{0, 0, 0.2, 0.2, Wrong, ""}}, Segments{{X2: 1, Color: Muted, Width: 1, Dashed: true}}, Labels{{X: 0.1, Y: 0.1, Text: "\x00", Color: Ink, Bold: true}})
		},
	}
}

func TestFileIsXML(t *testing.T) {
	file := sample().File()
	if err := xml.Unmarshal(file, new(struct{})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"prefers-color-scheme:dark", "&lt;one&gt;", "два", `stroke-dasharray="4 3"`, `fill-opacity="0.5"`, "<title>&lt;t&gt;</title>", "\ufffd"} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("the file lacks %q", want)
		}
	}
	if again := sample().File(); !bytes.Equal(file, again) {
		t.Error("the same figure gave other bytes")
	}
}

// The marks also draw on gonum's own canvases (PDF, bitmaps).
func TestOtherCanvas(t *testing.T) {
	p := newPlot()
	sample().Draw(p, Half)
	c := vgsvg.New(Half, 200)
	p.Draw(draw.New(c))
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.ToLower(out.String()), strings.TrimPrefix(Wrong.Light, "#")) {
		t.Error("the colours did not get there")
	}
}

func TestCanvas(t *testing.T) {
	c := newCanvas(100, 100)
	c.Push()
	c.Translate(vg.Point{X: 10, Y: 20})
	c.Scale(2, 2)
	c.Rotate(math.Pi / 2)
	if x, y := c.point(vg.Point{X: 5}); math.Abs(x-10) > 1e-9 || math.Abs(y-70) > 1e-9 {
		t.Errorf("the point is at %v, %v, want 10, 70", x, y)
	}
	c.Pop()
	var path vg.Path
	path.Move(vg.Point{X: 60, Y: 50})
	path.Arc(vg.Point{X: 50, Y: 50}, 10, 0, math.Pi/2)
	path.QuadTo(vg.Point{X: 1, Y: 1}, vg.Point{X: 2, Y: 2})
	path.CubeTo(vg.Point{X: 1, Y: 1}, vg.Point{X: 2, Y: 2}, vg.Point{X: 3, Y: 3})
	c.SetColor(nil)
	c.Stroke(path)
	c.DrawImage(vg.Rectangle{Max: vg.Point{X: 4, Y: 4}}, image.NewGray(image.Rect(0, 0, 2, 2)))
	for _, want := range []string{"M60 50L60 50A10 10 0 0 0 50 40Q1 99 2 98C1 99 2 98 3 97", `y="96" width="4"`, "s-ink"} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("%s lacks %q", c.out.String(), want)
		}
	}
}
