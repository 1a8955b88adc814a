package matrix

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/folder"
)

// written is the folder of a result's tables.
func written(t *testing.T, r *Result) *folder.Folder {
	t.Helper()
	f, err := folder.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := r.write(f); err != nil {
		t.Fatal(err)
	}
	return f
}

// pageOf writes a result's tables and returns its page.
func pageOf(t *testing.T, r *Result, reports ...string) string {
	t.Helper()
	f, err := folder.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, run := range reports {
		path := f.Join(run + "/report.html")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var first []byte
	for range 2 {
		if err := r.write(f); err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(f.Join("table.html"))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, page) {
			t.Error("written again, the page has other bytes")
		}
		first = page
	}
	return string(first)
}

// Figures are drawn when no run is to do; until then the page says so.
func TestPageOfUnfinished(t *testing.T) {
	r := made([]string{"glyphs"}, []string{"vit", "rn"})
	if page := pageOf(t, r); strings.Count(page, "<svg") != 4 || strings.Contains(page, "to do") {
		t.Errorf("the finished page has %d drawings, want two figures, wide and narrow", strings.Count(page, "<svg"))
	}
	r.Cells = append(r.Cells, Cell{Coordinates: config.Coordinates{Dataset: "glyphs", Model: "rn", Method: "coop", Seed: "1"}, Status: Waiting})
	page := pageOf(t, r)
	for text, there := range map[string]bool{"<svg": false, "1 run to do: figures are drawn when all are done": true, "13 of 15 runs done.": true} {
		if strings.Contains(page, text) != there {
			t.Errorf("the page has %q: should be there: %v", text, there)
		}
	}
}

// A row has a link to each of its runs' reports that is there.
func TestPageLinksReports(t *testing.T) {
	r := made([]string{"glyphs"}, []string{"vit"})
	last := r.Cells[len(r.Cells)-1] // it failed
	page := pageOf(t, r, r.Cells[0].Folder, r.Cells[3].Folder, last.Folder)
	want := []string{
		`<a href="runs/glyphs-vit-zero-shot--/report.html" title="Report of glyphs-vit-zero-shot--">report</a>`,
		`<a href="runs/glyphs-vit-upl*-top-k-2/report.html" title="Report of glyphs-vit-upl*-top-k-2">2</a>`,
	}
	for _, link := range want {
		if !strings.Contains(page, link) {
			t.Errorf("the page lacks %s: %q", link, regexp.MustCompile("<a [^>]*report.html.*?</a>").FindAllString(page, -1))
		}
	}
	if got := strings.Count(page, "report.html"); got != len(want) {
		t.Errorf("%d links, want %d", got, len(want))
	}
}

// What is highest is said of what had labels and of what had none, each for itself.
func TestFindings(t *testing.T) {
	r := made([]string{"glyphs"}, []string{"vit", "rn"})
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Model == "vit" && c.Strategy == "sinkhorn" {
			c.Metrics.Learned.Labels = "true"
		}
	}
	blocks := r.Table().blocks()
	got := strings.Join(blocks[0].findings(), "\n")
	// A method that learns from true labels does so with every model.
	want := "vit: highest from true labels upl*, sinkhorn, 29.0 ± 1.0\u202f%; highest without labels upl*, top-k, 36.0 ± 1.0\u202f%; zero-shot, 25.0\u202f%.\n" +
		"rn: highest from true labels upl*, sinkhorn, 35.8 ± 0.7\u202f%; highest without labels upl*, top-k, 42.3 ± 1.0\u202f%; zero-shot, 31.2\u202f%."
	if got != want {
		t.Errorf("the findings are\n%s\nwant\n%s", got, want)
	}
	if got := made([]string{"glyphs"}, []string{"a", "b", "c", "d", "e"}).Table().blocks()[0].findings(); len(got) != 0 {
		t.Errorf("of five models: %q", got)
	}
}
