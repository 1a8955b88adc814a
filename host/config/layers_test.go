package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/config"
)

// minimal is what a configuration cannot do without, and a little more.
const minimal = `
models: [{path: vit}, {path: rn, name: small}]
dataset: {path: images}
label: {selection: {params: {k: 16, Mode: Soft, nested: {a: 1}}}}
learn: {epochs: 20, batch_size: 8}
`

func text(environ []string, set ...string) config.Source {
	return config.Source{File: "/study/run.yaml", Text: []byte(minimal), Environ: environ, Set: set}
}

func TestPrecedence(t *testing.T) {
	environ := []string{"UPL_LEARN_EPOCHS=30", "UPL_LEARN_MOMENTUM=0.5", "UPL_SEED=", "UPL_GOLDEN=/elsewhere", "PATH=/bin"}
	for _, test := range []struct {
		name                     string
		source                   config.Source
		epochs, batch            int
		momentum                 float64
		seed, firstSeed, lastOne uint64
	}{
		{"file", text(nil), 20, 8, 0.9, 1, 1, 16},
		{"environment over file", text(environ), 30, 8, 0.5, 1, 1, 16},
		{"set over environment", text(environ, "learn.epochs=40"), 40, 8, 0.5, 1, 1, 16},
		{"later set over earlier", text(environ, "learn.epochs=40", "learn={epochs: 50, seeds: 2}", "seed=5"), 50, 8, 0.5, 5, 5, 6},
		{"section keeps other keys", text(nil, "learn={momentum: 0}", "learn={seeds: [3]}"), 20, 8, 0, 1, 3, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(t, test.source)
			seeds := c.Learn.Seeds
			got := []any{c.Learn.Epochs, c.Learn.BatchSize, c.Learn.Momentum, c.Seed, seeds[0], seeds[len(seeds)-1]}
			want := []any{test.epochs, test.batch, test.momentum, test.seed, test.firstSeed, test.lastOne}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("epochs, batch, momentum, seed, first and last seed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSet(t *testing.T) {
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		set  string
		get  func(*config.Config) any
		want any
	}{
		{"name=2024", func(c *config.Config) any { return c.Name }, "2024"},
		{`name="2024 "`, func(c *config.Config) any { return c.Name }, "2024 "},
		{`prompt.template='[CLS]' or "[CLS]"`, func(c *config.Config) any { return c.Prompt.Template }, `'[CLS]' or "[CLS]"`},
		{"prompt.template=[CLS]: a = b", func(c *config.Config) any { return c.Prompt.Template }, "[CLS]: a = b"},
		{`prompt.templates=["a [CLS]", "b {}"]`, func(c *config.Config) any { return c.Prompt.All() }, []string{"a [CLS]", "b {}"}},
		{"prompt.templates=tip-adapter-7", func(c *config.Config) any { return c.Prompt.Templates }, config.Templates{Set: "tip-adapter-7"}},
		{"prompt.templates=[]", func(c *config.Config) any { return c.Prompt.All() }, []string(nil)},
		{"dataset={kind: dtd, path: /d, test: val}", func(c *config.Config) any { return c.Dataset.Test }, "val"},
		{"dataset={path: /d, test: val, split: /d/s.json}", func(c *config.Config) any { return c.Dataset.Test }, "val"},
		{"dataset={path: /d, validation: val}", func(c *config.Config) any { return c.Dataset.Validation }, "/d/val"},
		{"learn.seeds=2", func(c *config.Config) any { return c.Learn.Seeds }, config.Seeds{1, 2}},
		{"learn.seeds=[9, 7]", func(c *config.Config) any { return c.Learn.Seeds }, config.Seeds{9, 7}},
		{"learn.learning_rate=1", func(c *config.Config) any { return c.Learn.LearningRate }, 1.0},
		{"learn.class_specific=true", func(c *config.Config) any { return c.Learn.ClassSpecific }, true},
		{"label.limits.time=1m30s", func(c *config.Config) any { return c.Label.Limits.Time }, 90 * time.Second},
		{"label.limits.memory=1GiB", func(c *config.Config) any { return c.Label.Limits.Memory }, config.Size(1 << 30)},
		{"models=[{path: a}]", func(c *config.Config) any { return c.Models }, []config.Model{{Path: filepath.Join(working, "a"), Name: "a"}}},
		{"models.0.name=big", func(c *config.Config) any { return c.Models[0] }, config.Model{Path: "/study/vit", Name: "big"}},
		{"models[1].path=/m", func(c *config.Config) any { return c.Models[1] }, config.Model{Path: "/m", Name: "small"}},
		{"models.2={path: /new}", func(c *config.Config) any { return c.Models[2] }, config.Model{Path: "/new", Name: "new"}},
		{"models.2.path=/new", func(c *config.Config) any { return c.Models[2] }, config.Model{Path: "/new", Name: "new"}},
		{
			"label.selection.params.k=8", func(c *config.Config) any { return c.Label.Selection.Params },
			config.Params{"k": int64(8), "Mode": "Soft", "nested": map[string]any{"a": int64(1)}},
		},
		{
			"label.selection.params.nested.B=[1.0, x]", func(c *config.Config) any { return c.Label.Selection.Params["nested"] },
			map[string]any{"a": int64(1), "B": []any{1.0, "x"}},
		},
		{"label.selection.params={K: 1}", func(c *config.Config) any { return c.Label.Selection.Params }, config.Params{"K": int64(1)}},
		{"label.ensemble.params.New=true", func(c *config.Config) any { return c.Label.Ensemble.Params }, config.Params{"New": true}},
		{"label.ensemble.plugin=./mine", func(c *config.Config) any { return c.Label.Ensemble.Plugin }, filepath.Join(working, "mine")},
		{"label.prior=[1, 0.5]", func(c *config.Config) any { return c.Label.Prior }, config.Prior{Values: []float64{1, 0.5}}},
		{"label.prior=a: [1].csv", func(c *config.Config) any { return c.Label.Prior }, config.Prior{File: filepath.Join(working, "a: [1].csv")}},
		{"label={prior: p.npy}", func(c *config.Config) any { return c.Label.Prior }, config.Prior{File: filepath.Join(working, "p.npy")}},
		{"dataset.path=data", func(c *config.Config) any { return c.Dataset.Path }, filepath.Join(working, "data")},
	} {
		t.Run(test.set, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.get(load(t, text(nil, test.set)))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Assignments come in order, each upon what the ones before left.
func TestSetInOrder(t *testing.T) {
	c := load(t, text(
		[]string{"UPL_LABEL_SELECTION_PARAMS={k: 4, Deep: {x: 1}}"},
		"label.selection.params.k=8", "label.selection.params.Deep.y=2",
		"models.0.name=one", "models.1.name=two", "models.2={path: /three, name: three}",
	))
	for _, set := range [][]string{{"label.prior=p.csv", "label.prior=[2, 1]"}, {"label.prior=[2, 1, 1]", "label={prior: [2, 1]}"}} {
		if got := load(t, text([]string{"UPL_LABEL_PRIOR=[1]"}, set...)).Label.Prior; !cmp.Equal(got, config.Prior{Values: []float64{2, 1}}) {
			t.Errorf("%q: prior %v", set, got)
		}
	}
	if diff := cmp.Diff(config.Params{"k": int64(8), "Deep": map[string]any{"x": int64(1), "y": int64(2)}}, c.Label.Selection.Params); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
	want := []config.Model{{Path: "/study/vit", Name: "one"}, {Path: "/study/rn", Name: "two"}, {Path: "/three", Name: "three"}}
	if diff := cmp.Diff(want, c.Models); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
}

// Faults of the environment and of --set name where they come from.
func TestFaultsElsewhere(t *testing.T) {
	home(t)
	for _, test := range []struct {
		name    string
		environ []string
		set     []string
	}{
		{name: "environment", environ: []string{
			"UPL_LEARN_EPOCH=3", "UPL_LEARN_EPOCHS=many", "UPL_DEVICE=tpu", "UPL_MODELS=[{path: x, nam: y}",
			"UPL_LABEL_SELECTION_PARAMS_K=8", "UPL_HOST_STDERR=1", "UPL_REPORT_GALLERY=-1",
		}},
		{name: "set", set: []string{
			"learn.epoch=3", "learn.epochs=many", "learn.epochs", "=3", "epochs=3", "learn.epochs.x=3", "learn=3",
			"models.9.path=x", "models.first.path=x", "models.0.pth=x", "models.0.path.x=x", "models.0=x",
			"label.selection.params.k.x=1", "label.selection.params.k=.nan", "label.selection.params=3",
			"learn.seeds=", "learn.momentum=1", "dataset.kind=cvs",
		}},
		{name: "several", environ: []string{"UPL_SEED=x"}, set: []string{"seed=y", "learn.seeds=0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := config.Load(text(test.environ, test.set...))
			if err == nil {
				t.Fatal("no error")
			}
			golden(t, test.name+".golden", err.Error()+"\n")
		})
	}
}

func TestWithoutFile(t *testing.T) {
	c := load(t, config.Source{Set: []string{"models=[{path: /m}]", "dataset.path=/d"}})
	if c.Name != "run" || c.Models[0].Path != "/m" {
		t.Errorf("name %q, models %v", c.Name, c.Models)
	}
	_, err := config.Load(config.Source{File: "testdata/none.yaml"})
	if err == nil || !strings.Contains(err.Error(), "none.yaml: no such file") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestPaths(t *testing.T) {
	home(t)
	folder := t.TempDir()
	for _, name := range []string{"images/train", "images/test", "lists/test"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ name, written, want string }{
		{"in the data set", "train", "images/train"},
		{"in the data set first", "test", "images/test"},
		{"beside the configuration", "lists/test", "lists/test"},
		{"nowhere", "none", "images/none"},
		{"absolute", "/test", "/test"},
		{"home", "~/test", "/home/researcher/test"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := test.want
			if !filepath.IsAbs(want) {
				want = filepath.Join(folder, want)
			}
			c := load(t, config.Source{
				File: filepath.Join(folder, "study.yaml"),
				Text: []byte("models: [{path: vit}]\ndataset: {path: images, test: " + test.written + "}"),
			})
			if c.Dataset.Test != want {
				t.Errorf("test %s, want %s", c.Dataset.Test, want)
			}
			if c.Run.Out != filepath.Join(folder, "runs", "study") {
				t.Errorf("out %s", c.Run.Out)
			}
		})
	}
}

// A run's folder keeps the configuration; it can be moved with what it names.
func TestEffectiveMoves(t *testing.T) {
	home(t)
	c := load(t, config.Source{File: "/a/study.yaml", Text: []byte(`
models: [{path: models/vit}, {path: ~/rn}, {path: /opt/x}]
dataset: {path: images, unlabeled: train}
label: {selection: {plugin: ./mine}}
`)})
	moved := load(t, config.Source{File: "/b/runs/study/run.yaml", Text: c.Effective("/a/runs/study")})
	want := []config.Model{{Path: "/b/models/vit", Name: "vit"}, {Path: "/home/researcher/rn", Name: "rn"}, {Path: "/opt/x", Name: "x"}}
	if diff := cmp.Diff(want, moved.Models); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	got := []string{moved.Dataset.Path, moved.Dataset.Unlabeled, moved.Label.Selection.Plugin, moved.Run.Out}
	if diff := cmp.Diff([]string{"/b/images", "/b/images/train", "/b/mine", "/b/runs/study"}, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestDiffAndFingerprint(t *testing.T) {
	base := load(t, text(nil))
	for _, test := range []struct {
		set     string
		want    string
		results bool
	}{
		{"learn.epochs=21", "learn.epochs: 21, was 20", true},
		{"label.selection.params.k=8", "label.selection.params: {Mode: Soft, k: 8, nested: {a: 1}}, was {Mode: Soft, k: 16, nested: {a: 1}}", true},
		{"models.0.path=/x", "models: [{path: /x, name: x}, {path: /study/rn, name: small}], was [{path: /study/vit, name: vit}, {path: /study/rn, name: small}]", true},
		{"seed=2", "seed: 2, was 1", true},
		{"device=cpu", "device: cpu, was auto", false},
		{"run.threads=3", "run.threads: 3, was 0", false},
		{"run.batch_size=8", "run.batch_size: 8, was 32", true},
		{"cache.dir=/c", "", false},
		{"label.limits.time=1s", "label.limits.time: 1s, was 10m", false},
		{"log.level=debug", "log.level: debug, was info", false},
		{"report.enabled=false", "report.enabled: false, was true", false},
	} {
		t.Run(test.set, func(t *testing.T) {
			other := load(t, text(nil, test.set, "learn.seeds=16"))
			differences := config.Diff(base, other)
			if test.set == "seed=2" && len(differences) == 2 { // and the seeds that follow from it
				differences = differences[:1]
			}
			if len(differences) != 1 {
				t.Fatalf("differences %v, want one", differences)
			}
			if got := differences[0].String(); test.want != "" && got != test.want {
				t.Errorf("difference %q, want %q", got, test.want)
			}
			if got := base.Fingerprint() != other.Fingerprint(); got != test.results || differences[0].Results != test.results {
				t.Errorf("fingerprints differ: %t, difference says %t, want %t", got, differences[0].Results, test.results)
			}
		})
	}
	if d := config.Diff(base, base); d != nil {
		t.Errorf("differences from itself: %v", d)
	}
}

func TestFill(t *testing.T) {
	for _, test := range []struct{ template, class, want string }{
		{"a photo of a [CLS].", "red_fox", "a photo of a red fox."},
		{"a photo of a {}.", "cat", "a photo of a cat."},
		{"a {c}, {}", "red_fox", "a red fox, red fox"},
		{"{} or [CLS]", "[CLS]", "[CLS] or [CLS]"},
	} {
		if got := config.Fill(test.template, test.class); got != test.want {
			t.Errorf("Fill(%q, %q) = %q, want %q", test.template, test.class, got, test.want)
		}
	}
}

func TestTemplateSets(t *testing.T) {
	for name, want := range map[string]int{"tip-adapter-7": 7, "openai-80": 80} {
		templates, ok := config.TemplateSet(name)
		distinct := map[string]bool{}
		for _, template := range templates {
			distinct[template] = true
			if !config.HasPlaceholder(template) {
				t.Errorf("%s: %q has no place for the class name", name, template)
			}
		}
		if !ok || len(distinct) != want {
			t.Errorf("%s has %d templates, not %d", name, len(distinct), want)
		}
	}
	all, _ := config.TemplateSet("openai-80")
	best, _ := config.TemplateSet("tip-adapter-7")
	for _, template := range best {
		if !slices.Contains(all, template) {
			t.Errorf("%q is none of CLIP's 80", template)
		}
	}
	if _, ok := config.TemplateSet("none"); ok {
		t.Error("there is a set called none")
	}
}

// TestMethodDefaults fills in what each method was published with, under what a
// source gives.
func TestMethodDefaults(t *testing.T) {
	for _, c := range []struct {
		set           []string
		method        string
		epochs, batch int
		rate, decay   float64
	}{
		{nil, config.MethodPrompt, 50, 32, 0.002, 0.0005},
		{[]string{"learn.method=none"}, config.MethodZeroShot, 50, 32, 0.002, 0.0005},
		{[]string{"learn.method=coop"}, config.MethodCoOp, 0, 32, 0.002, 0.0005},
		{[]string{"learn.method=clip-adapter", "learn.epochs=7"}, config.MethodCLIPAdapter, 7, 32, 0.002, 0.0005},
		{[]string{"learn.method=tip-adapter-f"}, config.MethodTipAdapterF, 20, 256, 0.001, 0.01},
		{[]string{"learn={method: tip-adapter-f, batch_size: 8, epochs: 3, learning_rate: 0.5, weight_decay: 0}"}, config.MethodTipAdapterF, 3, 8, 0.5, 0},
	} {
		source := config.Source{Set: append([]string{"models=[{path: m}]", "dataset.path=d"}, c.set...)}
		loaded, err := config.Load(source)
		if err != nil {
			t.Fatalf("%v: %v", c.set, err)
		}
		l := loaded.Learn
		if l.Method != c.method || l.Epochs != c.epochs || l.BatchSize != c.batch || l.LearningRate != c.rate || l.WeightDecay != c.decay {
			t.Errorf("%v: %s, %d epochs, batches of %d, rate %g, decay %g", c.set, l.Method, l.Epochs, l.BatchSize, l.LearningRate, l.WeightDecay)
		}
		// The effective configuration is itself one, of the same values.
		again, err := config.Load(config.Source{File: "run.yaml", Text: loaded.Effective("")})
		if err != nil || again.Fingerprint() != loaded.Fingerprint() {
			t.Errorf("%v: read again it is another: %v", c.set, err)
		}
	}
	for _, method := range []string{"prompt", "linear-probe", "zero-shot"} {
		_, err := config.Load(config.Source{Set: []string{"models=[{path: m}]", "dataset.path=d", "learn.method=" + method, "learn.epochs=0"}})
		if err == nil || !strings.Contains(err.Error(), "learn.epochs: 0 is for coop, clip-adapter and tip-adapter-f alone") {
			t.Errorf("%s with 0 epochs: %v", method, err)
		}
	}
}

// TestTipDefaults holds Tip-Adapter's settings by data set to those of its
// configurations: init_alpha, search_scale, train_epoch, augment_epoch.
func TestTipDefaults(t *testing.T) {
	type settings struct {
		Alpha, Beta, AlphaMax, BetaMax float64
		Epochs, Views                  int
	}
	for kind, want := range map[string]settings{
		"imagenet": {1.17, 1, 3, 7, 20, 10}, "caltech101": {3, 1, 5, 12, 20, 10}, "oxford_pets": {1.17, 1, 3, 7, 20, 10},
		"stanford_cars": {3, 1, 10, 20, 20, 10}, "oxford_flowers": {10, 1, 50, 50, 20, 10}, "food101": {1.17, 1, 10, 10, 20, 10},
		"fgvc_aircraft": {5, 1, 30, 30, 20, 10}, "sun397": {1.17, 1, 10, 12, 20, 10}, "dtd": {2, 1, 13, 13, 20, 10},
		"eurosat": {2, 1, 10, 12, 100, 10}, "ucf101": {3, 1, 3, 7, 20, 10}, "folder": {1.17, 1, 3, 7, 20, 10},
	} {
		load := func(set ...string) *config.Config {
			c, err := config.Load(config.Source{Set: append([]string{"models=[{path: m}]", "dataset={path: d, kind: " + kind + "}"}, set...)})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		of := func(c *config.Config) settings {
			tip := c.Learn.Tip
			return settings{tip.Alpha, tip.Beta, tip.AlphaMax, tip.BetaMax, c.Learn.Epochs, c.Learn.Views}
		}
		loaded := load("learn.method=tip-adapter-f")
		if diff := cmp.Diff(want, of(loaded)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
		again, err := config.Load(config.Source{File: "run.yaml", Text: loaded.Effective("")})
		if err != nil || again.Fingerprint() != loaded.Fingerprint() {
			t.Errorf("%s: read again it is another: %v", kind, err)
		}
		given := load("learn={method: tip-adapter-f, views: 1, epochs: 3, tip: {alpha: 4, beta: 2, alpha_max: 6, beta_max: 8}}")
		if diff := cmp.Diff(settings{4, 2, 6, 8, 3, 1}, of(given)); diff != "" {
			t.Errorf("%s, given: %s", kind, diff)
		}
		if c := load("learn.method=prompt"); c.Learn.Views != 1 || c.Learn.Epochs != 50 {
			t.Errorf("%s: prompts of %d views, %d epochs", kind, c.Learn.Views, c.Learn.Epochs)
		}
		if alone := load("learn.method=tip-adapter"); alone.Learn.Tip != loaded.Learn.Tip || alone.Learn.Views != 10 {
			t.Errorf("%s: tip-adapter has %+v", kind, alone.Learn)
		}
	}
}

// TestBareTrue reads the word without quotes where it is a value, and nowhere else.
func TestBareTrue(t *testing.T) {
	const rest = "models: [{path: m}]\ndataset: {path: d}\n"
	for _, file := range []string{"a.yaml", "a.json"} {
		text := rest + "learn: {labels: true}\n"
		if file == "a.json" {
			text = `{"models": [{"path": "m"}], "dataset": {"path": "d"}, "learn": {"labels": true}}`
		}
		c, err := config.Load(config.Source{File: file, Text: []byte(text)})
		if err != nil || c.Learn.Labels != config.LabelsTrue {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, text := range []string{"learn: {labels: false}\n", "learn: {method: true}\n", "name: true\n"} {
		if _, err := config.Load(config.Source{File: "a.yaml", Text: []byte(rest + text)}); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}
