package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset/layout"
)

// paper has the configurations of the paper's tables and figures.
const paper = "../../examples/paper"

// readmeRow is a study in the table of its README: file, number of runs.
var readmeRow = regexp.MustCompile("(?m)^\\| \\[`([a-z-]+\\.yaml)`\\]\\([a-z-]+\\.yaml\\) \\|.*\\| ([0-9]+) \\|$")

// Every study expands to the number of runs that its README names, and is listed there.
// All are over the eleven data sets, but for the templates, which are ImageNet's.
func TestPaperStudies(t *testing.T) {
	home(t)
	readme, err := os.ReadFile(filepath.Join(paper, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range readmeRow.FindAllStringSubmatch(string(readme), -1) {
		listed = append(listed, row[1])
		t.Run(row[1], func(t *testing.T) {
			m := expand(t, config.Source{File: filepath.Join(paper, row[1])})
			if want, _ := strconv.Atoi(row[2]); len(m.Runs) != want {
				t.Errorf("%d runs, its README says %d", len(m.Runs), want)
			}
			var kinds []string
			for _, r := range m.Runs {
				if r.Dataset != r.Config.Dataset.Kind {
					t.Errorf("%s is of kind %s", r.Dataset, r.Config.Dataset.Kind)
				}
				if !slices.Contains(kinds, r.Dataset) {
					kinds = append(kinds, r.Dataset)
				}
				if r.Config.Dataset.Resize == "" {
					t.Errorf("%s leaves to the model how pictures are made square", r.Name)
				}
			}
			want := layout.Kinds()
			if row[1] == "templates.yaml" {
				want = []string{"imagenet"}
			}
			if !slices.Equal(kinds, want) {
				t.Errorf("data sets %v, want %v", kinds, want)
			}
		})
	}
	files, err := filepath.Glob(filepath.Join(paper, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "common.yaml" && !slices.Contains(listed, name) {
			t.Errorf("%s is not in the table of README.md", name)
		}
	}
}

// Tip-Adapter's settings are those of its code for each data set, under the profile of
// CoOp too.
func TestPaperTipAdapter(t *testing.T) {
	home(t)
	m := expand(t, config.Source{File: filepath.Join(paper, "shots.yaml")})
	seen := 0
	for _, r := range m.Runs {
		learn := r.Config.Learn
		got := fmt.Sprintf("alpha %g to %g, beta to %g, %d epochs of %d at %g, decay %g, %d views",
			learn.Tip.Alpha, learn.Tip.AlphaMax, learn.Tip.BetaMax, learn.Epochs, learn.BatchSize, learn.LearningRate, learn.WeightDecay, learn.Views)
		want, known := map[string]string{
			"imagenet": "alpha 1.17 to 3, beta to 7, 20 epochs of 256 at 0.001, decay 0.01, 10 views",
			"eurosat":  "alpha 2 to 10, beta to 12, 100 epochs of 256 at 0.001, decay 0.01, 10 views",
			"sun397":   "alpha 1.17 to 10, beta to 12, 20 epochs of 256 at 0.001, decay 0.01, 10 views",
		}[r.Dataset]
		if r.Method != "tip-adapter-f" || !known {
			continue
		}
		if seen++; got != want {
			t.Errorf("%s: %s, want %s", r.Name, got, want)
		}
	}
	if seen != 45 {
		t.Errorf("%d runs of Tip-Adapter-F, want 45", seen)
	}
}

// The profiles say what was published, for a configuration of one's own.
func TestPaperProfiles(t *testing.T) {
	home(t)
	for profile, want := range map[string]string{
		"upl-paper":   "squash prompt pseudo top-k 16 seeds, 50 epochs of 32 at 0.002, 16 vectors",
		"coop":        "squash coop true top-k 3 seeds, 0 epochs of 32 at 0.002, 16 vectors",
		"clip-openai": "clip zero-shot pseudo top-k 16 seeds, 50 epochs of 32 at 0.002, 16 vectors",
	} {
		file, err := filepath.Abs(filepath.Join(paper, "profiles", profile+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("extends: %s\nmodels: [{path: m}]\ndataset: {path: d}\n", file)
		c := load(t, config.Source{File: "/study/x.yaml", Text: []byte(text)})
		got := fmt.Sprintf("%s %s %s %s %d seeds, %d epochs of %d at %g, %d vectors", c.Dataset.Resize, c.Learn.Method, c.Learn.Labels,
			c.Label.Selection.Plugin, len(c.Learn.Seeds), c.Learn.Epochs, c.Learn.BatchSize, c.Learn.LearningRate, c.Learn.ContextLength)
		if got != want {
			t.Errorf("%s: %s, want %s", profile, got, want)
		}
	}
}
