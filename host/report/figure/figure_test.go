package figure

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/png"
	"math"
	"regexp"
	"strconv"
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
		Keys: []Key{{"dot", Ink, Dot}, {"square", Ink, Square}, {"triangle", Ink, Triangle}, {"diamond", Ink, Diamond}, {"inverted", Ink, Inverted}, {"cross", Ink, Cross}, {"plus", Ink, Plus}, {"ring", Learned, Ring}, {"line", Wrong, Line}, {"dash", Muted, Dash}, {"box", Right, Box}, {strings.Repeat("long ", 12), Ink, Box}},
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

// A figure for print has the width of a column or of a page, in every format,
// and the same figure is the same bytes.
func TestPrint(t *testing.T) {
	f := sample()
	for _, test := range []struct {
		columns     int
		centimetres float64
	}{{1, 8.4}, {2, 17.4}} {
		f.Columns = test.columns
		for _, format := range Formats() {
			file, err := f.Print(format)
			if err != nil {
				t.Fatal(err)
			}
			again, err := f.Print(format)
			if err != nil || !bytes.Equal(file, again) {
				t.Errorf("%s: the same figure gave other bytes, error %v", format, err)
			}
			if got := printedWidth(t, format, file); math.Abs(got-test.centimetres) > 0.02 {
				t.Errorf("%s in %d columns is %.3f cm wide, want %v", format, test.columns, got, test.centimetres)
			}
		}
	}
	if _, err := f.Print("gif"); err == nil {
		t.Error("a format that is not there was written")
	}
}

// A name that is turned ends where its tick begins, below the axis.
func TestUpright(t *testing.T) {
	f := Figure{Width: Half, Height: 200, Draw: func(p *plot.Plot, _ float64) {
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -1, 1, 0, 1
		p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "sports equipment"}}
		Upright(p)
	}}
	file, err := f.Print(SVG)
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`text-anchor="end" transform="rotate\(-90 [0-9.]+ ([0-9.]+)\)"`).FindSubmatch(file)
	tick := regexp.MustCompile(`<path d="M([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)" fill="none" class="s-axis"`).FindSubmatch(file)
	if name == nil || tick == nil {
		t.Fatalf("there is no turned name, or no tick:\n%s", file)
	}
	if string(name[1]) != string(tick[2]) || string(tick[1]) != string(tick[3]) {
		t.Errorf("the name ends at %s, the tick goes from %s down to %s", name[1], tick[4], tick[2])
	}
}

// printedWidth reads a file's width, in centimetres.
func printedWidth(t *testing.T, format Format, file []byte) (width float64) {
	t.Helper()
	find := func(pattern string) float64 {
		found := regexp.MustCompile(pattern).FindSubmatch(file)
		if found == nil {
			t.Fatalf("%s: there is no %s", format, pattern)
		}
		v, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	switch format {
	case PDF:
		return find(`/MediaBox \[0 0 ([0-9.]+) `) / 72 * 2.54
	case PNG:
		picture, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		return float64(picture.Bounds().Dx()) / 300 * 2.54
	}
	return find(`width="([0-9.]+)cm"`)
}

// A PDF holds the font, of it the letters that it uses, and no date.
func TestPDF(t *testing.T) {
	f := sample()
	f.YLabel = "β → 类"
	file, err := f.Print(PDF)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"%PDF-", "/FontFile2", "/BaseFont /utf8liberationsans", "/ToUnicode", "/ca 0.498"} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("the PDF lacks %q", want)
		}
	}
	for _, not := range []string{"Date", "1970", "FPDF"} {
		if bytes.Contains(file, []byte(not)) {
			t.Errorf("the PDF has %q", not)
		}
	}
	if len(file) > 120_000 {
		t.Errorf("the PDF has %d bytes: is the whole font in it?", len(file))
	}
	if got := handler().within("β → 类 \U0001f600", style(12, Ink).Font); got != "β → □ □" {
		t.Errorf("what the font lacks is %q", got)
	}
}

// The page must turn and place what is drawn as the SVG does.
func TestSheet(t *testing.T) {
	s := newSheet(100, 100, "")
	s.pdf.SetCompression(false)
	s.Push()
	s.Translate(vg.Point{X: 10, Y: 20})
	s.Rotate(math.Pi / 2)
	s.SetColor(Wrong)
	s.text(style(12, Ink).Font, vg.Point{}, "start", "a")
	s.Pop()
	var path vg.Path
	path.Move(vg.Point{X: 60, Y: 50})
	path.Arc(vg.Point{X: 50, Y: 50}, 10, 0, math.Pi/2)
	path.QuadTo(vg.Point{X: 1, Y: 1}, vg.Point{X: 2, Y: 2})
	s.SetLineDash([]vg.Length{3}, 0)
	s.Stroke(path)
	s.DrawImage(vg.Rectangle{Max: vg.Point{X: 3, Y: 3}}, image.NewGray(image.Rect(0, 0, 2, 2)))
	file, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"0.00000 1.00000 -1.00000 0.00000 6.66667 13.33333 cm", // turned, at (10, 20) pixels
		"40.00 33.33 m", "37.01523 40.00000 33.33333 40.00000 c", "11.55556 13.77778 0.88889 0.88889 1.33333 1.33333 c", "[2.00] 0.00 d", "0.788 0.310 0.039",
	} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("the page lacks %q:\n%s", want, file[:min(len(file), 3000)])
		}
	}
}

func TestSeriesDiffer(t *testing.T) {
	seen := map[string]int{}
	for i := range 64 {
		color, shape := Series(i)
		look := fmt.Sprint(color.Name, shape)
		if j, there := seen[look]; there {
			t.Errorf("series %d looks like %d", i, j)
		}
		seen[look] = i
	}
	a, _ := Series(0)
	if a != Learned {
		t.Error("the first series is not in the colour of what was learned")
	}
}

func TestTable(t *testing.T) {
	table := NewTable("a", "b")
	half, none := 0.5, (*float64)(nil)
	n := 3
	table.Add("x,\"y\"", 1)
	table.Add(&half, none)
	table.Add(float32(0.1), &n)
	if got, want := string(table.CSV()), "a,b\n\"x,\"\"y\"\"\",1\n0.5,\n0.1,3\n"; got != want {
		t.Errorf("the table is %q, want %q", got, want)
	}
}
