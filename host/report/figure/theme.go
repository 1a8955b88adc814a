package figure

import (
	"fmt"
	"image/color"
	"math"
	"strings"
	"sync"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Color is a colour with a part to play, which each theme casts anew.
type Color struct {
	// Name makes the CSS classes f-NAME (fill) and s-NAME (stroke).
	Name        string
	Light, Dark string // "#rrggbb"
	// Alpha is the opacity; 0 means 1.
	Alpha float64
}

// RGBA implements color.Color with the light theme's value, for print.
func (c Color) RGBA() (r, g, b, a uint32) { return rgb(c).RGBA() }

// rgb is a colour as it is in print.
func rgb(clr color.Color) color.NRGBA {
	c, ours := clr.(Color)
	if !ours {
		return color.NRGBAModel.Convert(clr).(color.NRGBA)
	}
	value := color.NRGBA{A: math.MaxUint8}
	if c.Alpha > 0 {
		value.A = uint8(c.Alpha * math.MaxUint8)
	}
	if _, err := fmt.Sscanf(c.Light, "#%02x%02x%02x", &value.R, &value.G, &value.B); err != nil {
		return color.NRGBA{A: math.MaxUint8}
	}
	return value
}

// Fade returns the colour with an opacity.
func (c Color) Fade(alpha float64) Color {
	c.Alpha = max(alpha, 0.004) // 0 would mean opaque
	return c
}

// The palette: neutrals, the two classifiers, right and wrong, and the seeds.
// Hues are Okabe and Ito's (2008), which the colour-blind tell apart, adjusted
// to a contrast of at least 3 to 1 against both themes' paper.
var (
	Paper    = Color{Name: "paper", Light: "#ffffff", Dark: "#15171b"}
	Ink      = Color{Name: "ink", Light: "#1d2129", Dark: "#e6e7ea"}
	Muted    = Color{Name: "muted", Light: "#5b6270", Dark: "#a2a8b4"}
	Rule     = Color{Name: "rule", Light: "#e3e5ea", Dark: "#2d313a"}
	Axis     = Color{Name: "axis", Light: "#9aa0ac", Dark: "#666d7a"}
	ZeroShot = Color{Name: "zero", Light: "#7d8492", Dark: "#949baa"}
	Learned  = Color{Name: "learned", Light: "#0b67ad", Dark: "#5cb0ee"}
	Right    = Color{Name: "right", Light: "#0b8562", Dark: "#35b88f"}
	Wrong    = Color{Name: "wrong", Light: "#c94f0a", Dark: "#f08a4b"}
)

// seeds are the colours of curves that are told apart.
func seeds() []Color {
	return []Color{
		Learned,
		{Name: "seed2", Light: "#b8790a", Dark: "#e0a63a"},
		{Name: "seed3", Light: "#0b8562", Dark: "#35b88f"},
		{Name: "seed4", Light: "#b5487f", Dark: "#de86b3"},
		{Name: "seed5", Light: "#c94f0a", Dark: "#f08a4b"},
		{Name: "seed6", Light: "#5b6270", Dark: "#a2a8b4"},
		{Name: "seed7", Light: "#6f4fc0", Dark: "#ad97f2"},
		{Name: "seed8", Light: "#80603a", Dark: "#c8a67c"},
	}
}

// Seeds is how many curves have a colour each; more share one.
const Seeds = 6

// Seed returns the colour of the i-th of n curves.
func Seed(i, n int) Color {
	if n > Seeds {
		return Learned.Fade(0.45)
	}
	return seeds()[i]
}

// SeriesColors is how many series have a colour each.
var SeriesColors = len(seeds())

// Series returns the look of the i-th of several series: a colour and a shape,
// either of which tells it from its neighbours, and both from all of 64.
func Series(i int) (Color, Shape) {
	colors := seeds()
	shapes := []Shape{Dot, Square, Triangle, Diamond, Inverted, Cross, Plus, Ring}
	return colors[i%len(colors)], shapes[(i+i/len(shapes))%len(shapes)]
}

func palette() []Color {
	return append([]Color{Paper, Ink, Muted, Rule, Axis, ZeroShot, Learned, Right, Wrong}, seeds()[1:]...)
}

// Stylesheet returns the rules that cast the palette's classes, and custom
// properties --NAME for a page that shows figures. Both themes are in it: the
// reader's system chooses.
func Stylesheet() string {
	var classes, light, dark strings.Builder
	for _, c := range palette() {
		fmt.Fprintf(&classes, ".f-%s{fill:var(--%s)}.s-%s{stroke:var(--%s)}\n", c.Name, c.Name, c.Name, c.Name)
		fmt.Fprintf(&light, "--%s:%s;", c.Name, c.Light)
		fmt.Fprintf(&dark, "--%s:%s;", c.Name, c.Dark)
	}
	return ":root{" + light.String() + "}\n@media screen and (prefers-color-scheme:dark){:root{" + dark.String() + "}}\n" + classes.String()
}

// Type sizes, in pixels.
const (
	textSize  = 12
	titleSize = 14
)

// fontFamily has the widths that the typesetter measures with.
const fontFamily = `"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif`

// style is text of the theme: its font, size and colour.
func style(size vg.Length, clr color.Color) text.Style {
	return text.Style{
		Color:   clr,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		Handler: handler(),
	}
}

// handler holds the parsed fonts, which is worth doing once.
var handler = sync.OnceValue(func() typesetter {
	return typesetter{text.Plain{Fonts: font.NewCache(liberation.Collection())}}
})

// Upright turns the names below a plot, which would not fit side by side.
func Upright(p *plot.Plot) {
	label := &p.X.Tick.Label
	label.Rotation, label.XAlign, label.YAlign = math.Pi/2, draw.XRight, draw.YCenter
	p.X.Tick.Length = 3
}

// newPlot returns an empty plot in the theme: a light grid, quiet axes.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	label := style(textSize, Muted)
	p.TextHandler = label.Handler
	p.Title.TextStyle = label
	p.Legend.TextStyle = label
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle = label
		axis.Label.TextStyle.XAlign, axis.Label.TextStyle.YAlign = draw.XCenter, draw.YBottom
		axis.Label.Padding = 4
		axis.Tick.Label = label
		axis.Tick.LineStyle = draw.LineStyle{Color: Axis, Width: 1}
		axis.Tick.Length = 4
		axis.LineStyle = draw.LineStyle{Color: Axis, Width: 1}
		axis.Padding = 0
	}
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XCenter, draw.YTop
	p.Y.Tick.Label.XAlign, p.Y.Tick.Label.YAlign = draw.XRight, draw.YCenter
	p.Y.Tick.Length, p.Y.Width = 0, 0
	return p
}
