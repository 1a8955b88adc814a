package matrix

import (
	"fmt"
	"testing"

	"github.com/upl-host/upl-host/host/report/chromium"
)

// TestPageInChromium shows the page of one model and of many columns, finished and
// not, on a telephone and on a desk.
func TestPageInChromium(t *testing.T) {
	b := chromium.Start(t)
	unfinished := made([]string{"glyphs"}, []string{"vit"})
	unfinished.Cells[1].Status = Waiting
	for name, r := range map[string]*Result{
		"one":        made([]string{"glyphs"}, []string{"vit"}),
		"many":       made([]string{"glyphs", "rendered", "a data set whose name is long"}, []string{"vit", "rn", "a model whose name is long"}),
		"unfinished": unfinished,
	} {
		f := written(t, r)
		for _, width := range []int{390, 1400} {
			for _, theme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("%s/%d/%s", name, width, theme), func(t *testing.T) {
					b := b.In(t)
					b.Open(f.Join("table.html"), width, theme)
					b.Screenshot(fmt.Sprintf("../../build/report/matrix-%s-%d-%s.png", name, width, theme))
					look := b.Look()
					if drawn := name != "unfinished"; drawn != (look.Charts > 0) {
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
