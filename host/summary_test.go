package host_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/evaluate"
)

func value(v float64) *float64 { return &v }

func TestRows(t *testing.T) {
	sure := evaluate.Measures{MeanConfidence: value(0.5)}
	right := evaluate.Measures{MeanConfidence: value(0.5), Top1: value(0.127)}
	for _, test := range []struct {
		name    string
		metrics evaluate.Metrics
		want    []host.Row
	}{
		{
			"labels",
			evaluate.Metrics{
				ZeroShot:     right,
				Learned:      &evaluate.Learned{Measures: right, Seeds: make([]evaluate.Seed, 4), SeedsMean: value(0.1884), SeedsDeviation: value(0.007)},
				PseudoLabels: &evaluate.PseudoLabelMeasures{Count: 127, Accuracy: value(0.378), EmptyClasses: make([]string, 8)},
			},
			[]host.Row{
				{System: "zero-shot", Top1: "12.7 %", Detail: "mean confidence 0.50"},
				{System: "one prompt", Top1: "18.8 % ± 0.7", Detail: "mean and deviation over 4 seeds"},
				{System: "ensemble of 4 prompts", Top1: "12.7 %", Detail: "mean confidence 0.50"},
				{System: "pseudo labels", Top1: "37.8 %", Detail: "127 pictures, 8 classes without"},
			},
		},
		{
			"no labels",
			evaluate.Metrics{
				ZeroShot:     sure,
				Learned:      &evaluate.Learned{Measures: sure, Seeds: make([]evaluate.Seed, 2)},
				PseudoLabels: &evaluate.PseudoLabelMeasures{Count: 3},
			},
			[]host.Row{
				{System: "zero-shot", Top1: "no labels", Detail: "mean confidence 0.50"},
				{System: "one prompt", Top1: "no labels", Detail: "mean and deviation over 2 seeds"},
				{System: "ensemble of 2 prompts", Top1: "no labels", Detail: "mean confidence 0.50"},
				{System: "pseudo labels", Top1: "no labels", Detail: "3 pictures"},
			},
		},
		{
			"one of each",
			evaluate.Metrics{
				ZeroShot:     right,
				Learned:      &evaluate.Learned{Measures: right, Seeds: make([]evaluate.Seed, 1), SeedsMean: value(0)},
				PseudoLabels: &evaluate.PseudoLabelMeasures{Count: 1, Accuracy: value(0), EmptyClasses: make([]string, 1)},
			},
			[]host.Row{
				{System: "zero-shot", Top1: "12.7 %", Detail: "mean confidence 0.50"},
				{System: "one prompt", Top1: "0.0 %", Detail: "of one seed"},
				{System: "ensemble of 1 prompt", Top1: "12.7 %", Detail: "mean confidence 0.50"},
				{System: "pseudo labels", Top1: "0.0 %", Detail: "1 picture, 1 class without"},
			},
		},
		{
			"nothing learnt, nothing picked",
			evaluate.Metrics{ZeroShot: right, PseudoLabels: &evaluate.PseudoLabelMeasures{EmptyClasses: make([]string, 2)}},
			[]host.Row{
				{System: "zero-shot", Top1: "12.7 %", Detail: "mean confidence 0.50"},
				{System: "pseudo labels", Detail: "0 pictures, 2 classes without"},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := host.Summary{Metrics: test.metrics}
			if diff := cmp.Diff(test.want, s.Rows()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPluginFolders(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("UPL_PLUGINS", strings.Join([]string{"/first", "/second"}, string(os.PathListSeparator)))
	want := []string{"/first", "/second", filepath.Join(".upl-host", "plugins"), filepath.Join(home, ".local", "share", "upl-host", "plugins")}
	if got := host.PluginFolders(); len(got) < 4 || !slices.Equal(got[:4], want) {
		t.Errorf("plugins are looked for in %v, want first %v", got, want)
	}
	t.Setenv("UPL_PLUGINS", "")
	t.Setenv("XDG_DATA_HOME", "/data")
	want = []string{filepath.Join(".upl-host", "plugins"), "/data/upl-host/plugins"}
	if got := host.PluginFolders(); len(got) < 2 || !slices.Equal(got[:2], want) {
		t.Errorf("plugins are looked for in %v, want first %v", got, want)
	}
}

func TestReadManifestRefuses(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "{", "another schema": `{"schema": 2}`} {
		run := t.TempDir()
		if err := os.WriteFile(filepath.Join(run, "manifest.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := host.ReadManifest(run); err == nil || !strings.Contains(err.Error(), "manifest.json") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
