package report_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/report"
)

func manyClasses(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("class %03d", i)
	}
	return names
}

// hostile are class names that a page must not take for anything else.
func hostile() []string {
	return []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, "]]></svg><b>", "&amp; & &lt;",
		"javascript:alert(1)", "{{.Name}}", strings.Repeat("a very long name ", 12), "类别 наука ☂", "とても長い名前のクラスです", "tab\tand\nline\x01",
	}
}

func fixtures() map[string]fixture {
	return map[string]fixture{
		"demo":        {name: "glyphs", gain: 0.5, seeds: 4, labels: true, learned: true},
		"no gain":     {name: "no gain", classes: manyClasses(24), perClass: 20, seeds: 4, labels: true, learned: true, rounds: 3},
		"loss":        {name: "loss", classes: manyClasses(6), perClass: 60, gain: -0.7, seeds: 3, labels: true, learned: true},
		"no labels":   {name: "no labels", gain: 0.6, seeds: 4, learned: true},
		"zero-shot":   {name: "zero-shot alone", labels: true},
		"two classes": {name: "two", classes: []string{"cat", "dog"}, perClass: 60, gain: 0.5, seeds: 1, labels: true, learned: true},
		"one class":   {name: "one", classes: []string{"cat"}, perClass: 5, gain: 0.5, seeds: 2, labels: true, learned: true},
		"adapters":    {name: "adapters", classes: manyClasses(6), perClass: 20, gain: 0.6, seeds: 3, labels: true, learned: true, method: "clip-adapter"},
		"many":        {name: "a thousand", classes: manyClasses(1000), perClass: 2, gain: 1, seeds: 8, labels: true, learned: true},
		"hostile":     {name: hostile()[0], classes: hostile(), perClass: 12, gain: 0.6, seeds: 2, labels: true, learned: true, root: "/nowhere/<i>"},
	}
}

func build(t *testing.T, f fixture) (dir, page string) {
	t.Helper()
	dir = f.build(t)
	must(t, report.Build(context.Background(), dir, report.Options{Gallery: 4, Thumbnail: report.Thumbnails(preprocess.Limits{})}))
	data, err := os.ReadFile(filepath.Join(dir, "report.html"))
	must(t, err)
	return dir, string(data)
}

func TestBuild(t *testing.T) {
	for name, want := range map[string]struct {
		has, hasNot []string
		figures     []string
	}{
		"demo": {
			[]string{"One prompt", "Ensemble of 4", "±", "raised the accuracy from", "McNemar", "Most improved", "Newly wrong", "Most confident mistakes", "1.1\u202fGiB", "Selected by top-k with k = 16, from 2 models"},
			[]string{"No labels", "cannot be shown", "Nothing was learned from them", ">Brier<"},
			[]string{"accuracy", "per-class-accuracy", "pseudo-label-accuracy", "pseudo-labels-per-class", "training-loss", "training-accuracy", "reliability", "confidence", "confusion-zero-shot", "confusion-learned", "confused-pairs", "accuracy-per-model", "accuracy-over-prompts"},
		},
		"no gain": {
			[]string{"cannot tell from no change", `<th scope="col" class="n">Brier</th>`, `<th scope="col" class="n">macro F1</th>`, `<th scope="col" class="n">recall</th>`},
			[]string{"raised the accuracy", "lowered the accuracy"},
			[]string{"accuracy-over-rounds"},
		},
		"loss": {
			[]string{"lowered the accuracy from", "points", `class="change worse"`},
			[]string{"raised the accuracy", `class="change better"`},
			nil,
		},
		"no labels": {
			[]string{"No labels: the accuracy is unknown", "No labels: how many are right is unknown", "reliability (no labels)", "The models disagree on", "Predictions changed", "Changed by learning", "Mean confidence, learned"},
			[]string{"0.0\u202f% of", "Most improved", "McNemar", "of them right", `id="confusion"`, "Top-5"},
			[]string{"predictions-per-class", "pseudo-label-accuracy", "pseudo-labels-per-class", "training-loss", "training-accuracy", "confidence"},
		},
		"zero-shot": {
			[]string{"Nothing was learned"},
			[]string{"One prompt", "Ensemble of", "Most improved", "Training</h2>"},
			[]string{"accuracy", "pseudo-label-accuracy", "pseudo-labels-per-class", "reliability", "confidence", "confusion-zero-shot"},
		},
		"two classes": {[]string{"One prompt was learned", "accuracy-over-prompts (there is one prompt)"}, []string{"Top-5", "Ensemble of"}, []string{"confident-pictures", "confident-accuracy"}},
		"adapters": {
			[]string{"One adapter", "learned by clip-adapter from true labels", "Learning from true labels raised", "averaging the logits of 3 adapters", "the ensemble of the first N adapters", ">number of adapters N<", "Nothing was learned from them", "with the true labels", "predicted as their true label"},
			[]string{"One prompt", "N prompts", "without their labels", "Training used", "with the pseudo labels", "predicted as their pseudo label"},
			[]string{"accuracy-over-prompts"},
		},
		"one class": {[]string{"left the accuracy as it was"}, nil, nil},
		"many":      {[]string{"All 1000 classes as a table", "960 more", "each of 8 seeds", "The 30 of 1000 classes", "more classes are in pseudo_labels.csv"}, nil, nil},
		"hostile": {
			[]string{"&lt;script&gt;alert(1)&lt;/script&gt;", "could not be shown", "cannot be shown"},
			[]string{"<script", "<img src=x", "<b>", "</svg><b", "<i>\n"},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, page := build(t, fixtures()[name])
			for _, text := range want.has {
				if !strings.Contains(page, text) {
					t.Errorf("the page lacks %q", text)
				}
			}
			for _, text := range want.hasNot {
				if strings.Contains(strings.NewReplacer("<b>Figure", "", "<b>Table", "").Replace(page), text) {
					t.Errorf("the page has %q", text)
				}
			}
			for _, figure := range want.figures {
				if !strings.Contains(page, `id="figure-`+figure+`"`) {
					t.Errorf("the page lacks figure %s", figure)
				}
			}
			checkIDs(t, page)
			checkNumbers(t, dir, page)
			checkFigures(t, dir, want.figures)
		})
	}
}

// checkNumbers looks for the run's main numbers.
func checkNumbers(t *testing.T, dir, page string) {
	t.Helper()
	metrics, err := evaluate.ReadMetrics(filepath.Join(dir, "metrics.json"))
	must(t, err)
	shares := map[string]*float64{"zero-shot confidence": metrics.ZeroShot.MeanConfidence, "zero-shot": metrics.ZeroShot.Top1, "pseudo labels": metrics.PseudoLabels.Accuracy}
	if learned := metrics.Learned; learned != nil {
		shares["learned"] = learned.Top1
		if len(learned.Seeds) > 1 {
			shares["one prompt"] = learned.SeedsMean
		}
	}
	for name, share := range shares {
		if share == nil {
			continue
		}
		if text := fmt.Sprintf("%.1f\u202f%%", *share*100); !strings.Contains(page, text) {
			t.Errorf("%s, %s, is not on the page", name, text)
		}
	}
}

// checkIDs looks for ids that are there twice, and for links to none.
func checkIDs(t *testing.T, page string) {
	t.Helper()
	seen := map[string]bool{}
	for _, part := range strings.Split(page, ` id="`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		if seen[id] {
			t.Errorf("id %s is there twice", id)
		}
		seen[id] = true
	}
	for _, part := range strings.Split(page, `href="#`)[1:] {
		if id, _, _ := strings.Cut(part, `"`); !seen[id] {
			t.Errorf("a link leads to #%s, which is not there", id)
		}
	}
}

// checkFigures reads the files of the figures as XML.
func checkFigures(t *testing.T, dir string, names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "figures", "*.svg"))
	must(t, err)
	checkPrints(t, files)
	if len(files) < len(names) || len(files) == 0 {
		t.Errorf("%d files of figures, want %d", len(files), len(names))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		texts, shapes := 0, 0
		for decoder := xml.NewDecoder(bytes.NewReader(data)); ; {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", filepath.Base(file), err)
			}
			element, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			switch element.Name.Local {
			case "text":
				texts++
			case "path", "circle":
				shapes++
			case "script", "foreignObject":
				t.Errorf("%s holds <%s>", filepath.Base(file), element.Name.Local)
			}
			for _, attribute := range element.Attr {
				if strings.Contains(attribute.Value, "NaN") || strings.Contains(attribute.Value, "Inf") || attribute.Name.Local == "id" {
					t.Errorf("%s: <%s %s=%q>", filepath.Base(file), element.Name.Local, attribute.Name.Local, attribute.Value)
				}
			}
		}
		if texts < 3 || shapes < 2 {
			t.Errorf("%s has %d texts and %d shapes", filepath.Base(file), texts, shapes)
		}
	}
}

// checkPrints looks for the PDF and the data beside each figure.
func checkPrints(t *testing.T, files []string) {
	t.Helper()
	for _, file := range files {
		base := strings.TrimSuffix(file, ".svg")
		page, err := os.ReadFile(base + ".pdf")
		if err != nil || !bytes.HasPrefix(page, []byte("%PDF-")) {
			t.Errorf("%s.pdf: no PDF, error %v", base, err)
		}
		data, err := os.Open(base + ".csv")
		must(t, err)
		rows, err := csv.NewReader(data).ReadAll()
		must(t, data.Close())
		if err != nil || len(rows) < 2 || len(rows[0]) < 2 {
			t.Errorf("%s.csv has %d rows, error %v", base, len(rows), err)
		}
	}
}

// The same folder gives the same bytes, whatever the number of threads; and what
// is no longer made is removed.
func TestBuildAgain(t *testing.T) {
	f := fixtures()["demo"]
	dir, first := build(t, f)
	stale := filepath.Join(dir, "figures", "predictions-per-class.pdf")
	own := filepath.Join(dir, "figures", "mine.svg")
	must(t, os.WriteFile(stale, []byte("old"), 0o600))
	must(t, os.WriteFile(own, []byte("a person's"), 0o600))
	must(t, report.Build(context.Background(), dir, report.Options{Gallery: 4, Thumbnail: report.Thumbnails(preprocess.Limits{})}))
	second, err := os.ReadFile(filepath.Join(dir, "report.html"))
	must(t, err)
	if first != string(second) {
		t.Error("the same run gave another report")
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Error("a figure of an earlier report is still there")
	}
	if _, err := os.Stat(own); err != nil {
		t.Error("a file that is not the report's was removed")
	}
}

func TestWithoutPictures(t *testing.T) {
	dir := fixtures()["demo"].build(t)
	must(t, report.Build(context.Background(), dir, report.Options{}))
	data, err := os.ReadFile(filepath.Join(dir, "report.html"))
	must(t, err)
	if bytes.Contains(data, []byte("<img")) || !bytes.Contains(data, []byte("No pictures are shown")) {
		t.Error("a report without pictures does not say so")
	}
	// A thumbnail that is no embedded picture is refused: the page stays offline.
	remote := func([]byte) (string, error) { return "https://example.org/x.png", nil }
	must(t, report.Build(context.Background(), dir, report.Options{Gallery: 1, Thumbnail: remote}))
	data, err = os.ReadFile(filepath.Join(dir, "report.html"))
	must(t, err)
	if bytes.Contains(data, []byte(`src="https:`)) || !bytes.Contains(data, []byte("no data: URI")) {
		t.Error("a remote picture got into the report")
	}
}

func TestRefused(t *testing.T) {
	write := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		}
	}
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { t.Helper(); must(t, os.Remove(filepath.Join(dir, name))) }
	}
	for name, test := range map[string]struct {
		damage func(*testing.T, string)
		want   string
	}{
		"no metrics":        {remove("metrics.json"), "metrics.json"},
		"damaged metrics":   {write("metrics.json", `{"labels": tru`), "metrics.json"},
		"no predictions":    {remove("predictions.csv"), "predictions.csv"},
		"cut predictions":   {write("predictions.csv", "path,label,zero_shot,zero_shot_probability,learned,learned_probability\na,b"), "predictions.csv:2"},
		"other columns":     {write("classes.csv", "id,title\n1,a\n"), "there is no column name"},
		"damaged manifest":  {write("manifest.json", `{"dataset": {"root": "x"}`), "manifest.json"},
		"deep manifest":     {write("manifest.json", strings.Repeat("[", 5000)), "levels"},
		"damaged training":  {write("training/seed-1.csv", "epoch,learning_rate,loss,accuracy\n0,0.1,high,0.5\n"), "seed-1.csv:2"},
		"damaged run.yaml":  {write("run.yaml", "name: [\n"), "run.yaml"},
		"empty pictures":    {write("pictures.csv", ""), "the file is empty"},
		"damaged skip list": {write("skipped.csv", "path,reason\n\"a"), "skipped.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fixture{name: "x", classes: []string{"a", "b"}, perClass: 3, seeds: 1, labels: true, learned: true}.build(t)
			test.damage(t, dir)
			err := report.Build(context.Background(), dir, report.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "report.html")); !os.IsNotExist(err) {
				t.Error("there is a report all the same")
			}
		})
	}
	t.Run("stopped", func(t *testing.T) {
		dir := fixtures()["demo"].build(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err := report.Build(ctx, dir, report.Options{Gallery: 2, Thumbnail: report.Thumbnails(preprocess.Limits{})})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
}

// Every figure is drawn or said to be missing, and why.
func TestFigures(t *testing.T) {
	for name, f := range fixtures() {
		dir := f.build(t)
		charts, missing, err := report.Figures(dir)
		must(t, err)
		var got []string
		for _, chart := range charts {
			got = append(got, chart.Name)
			if chart.Title == "" || chart.Alt == "" || len(chart.Data.Rows) == 0 {
				t.Errorf("%s: %s lacks a title, a description or data", name, chart.Name)
			}
		}
		for _, m := range missing {
			got = append(got, m.Name)
			if m.Why == "" {
				t.Errorf("%s: %s is missing without a reason", name, m.Name)
			}
		}
		want := report.FigureNames()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: figures %q, want %q", name, got, want)
		}
	}
	if _, _, err := report.Figures(t.TempDir()); err == nil || !strings.Contains(err.Error(), "metrics.json") {
		t.Errorf("error %v of an empty folder, want one with metrics.json", err)
	}
}

// TestFlatCurves: one epoch is no curve, and one that does not move has an axis of
// few digits.
func TestFlatCurves(t *testing.T) {
	for name, test := range map[string]struct {
		epochs int
		why    string
	}{"one epoch": {1, "one epoch makes no curve"}, "flat": {3, ""}} {
		dir := fixture{name: "x", classes: []string{"a", "b"}, perClass: 3, seeds: 1, labels: true, learned: true}.build(t)
		text := "epoch,learning_rate,loss,accuracy\n"
		for epoch := range test.epochs {
			text += fmt.Sprintf("%d,0.002,1.35371%d,0.5\n", epoch, epoch)
		}
		must(t, os.WriteFile(filepath.Join(dir, "training", "seed-1.csv"), []byte(text), 0o600))
		charts, missing, err := report.Figures(dir)
		must(t, err)
		for _, m := range missing {
			if strings.HasPrefix(m.Name, "training-") && m.Why != test.why {
				t.Errorf("%s: %s is missing: %s", name, m.Name, m.Why)
			}
		}
		drawn := 0
		for _, chart := range charts {
			if !strings.HasPrefix(chart.Name, "training-") {
				continue
			}
			drawn++
			p := plot.New()
			chart.Draw(p, 400)
			for _, tick := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
				if len(tick.Label) > len("1.3500") {
					t.Errorf("%s: %s has the tick %q", name, chart.Name, tick.Label)
				}
			}
		}
		if drawn > 0 != (test.why == "") {
			t.Errorf("%s: %d curves are drawn", name, drawn)
		}
	}
}
