package report_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/report/chromium"
)

func TestInChromium(t *testing.T) {
	b := chromium.Start(t)
	for name, f := range fixtures() {
		dir, _ := build(t, f)
		path := filepath.Join(dir, "report.html")
		for _, width := range []int{390, 1400} {
			for _, theme := range []string{"light", "dark"} {
				if theme == "dark" && name != "demo" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/%s", name, width, theme), func(t *testing.T) {
					b := b.In(t)
					b.Open(path, width, theme)
					if f.classes == nil {
						b.Screenshot(fmt.Sprintf("../../build/report/%s-%d-%s.png", strings.ReplaceAll(name, " ", "-"), width, theme))
					}
					look := b.Look()
					if shown := f.classes == nil; shown != (look.Images > 0) {
						t.Errorf("%d pictures are shown", look.Images)
					}
					if look.Charts < 5 {
						t.Errorf("%d charts", look.Charts)
					}
					for _, fault := range look.Faults {
						t.Error(fault)
					}
				})
			}
		}
	}
}

// The themes must differ, in the page and in the charts; and text must be
// legible in both.
func TestThemes(t *testing.T) {
	b := chromium.Start(t)
	dir, _ := build(t, fixtures()["demo"])
	colors := map[string]map[string]string{}
	for _, theme := range []string{"light", "dark"} {
		b.Open(filepath.Join(dir, "report.html"), 1400, theme)
		colors[theme] = chromium.Evaluate[map[string]string](b, `({page: getComputedStyle(document.body).backgroundColor,
			ink: getComputedStyle(document.body).color, chart: getComputedStyle(document.querySelector('svg.chart text')).fill})`)
		if c := colors[theme]; c["page"] == c["ink"] || c["page"] == c["chart"] {
			t.Errorf("%s: %v", theme, c)
		}
	}
	for _, part := range []string{"page", "ink", "chart"} {
		if colors["light"][part] == colors["dark"][part] {
			t.Errorf("%s is %s in both themes", part, colors["light"][part])
		}
	}
}
