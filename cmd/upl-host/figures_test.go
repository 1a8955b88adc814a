package main_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/evaluate"
)

// checkModels computes what the run says of the unlabeled pictures anew, from
// the probabilities and labels in its folder.
func (r *demoRun) checkModels(t *testing.T, models []string) {
	t.Helper()
	m, err := evaluate.ReadMetrics(filepath.Join(r.folder, "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := evaluate.ReadModelClasses(filepath.Join(r.folder, "models.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, p := range r.pictures {
		if p[1] == "unlabeled" {
			labels = append(labels, p[2])
		}
	}
	classes := table(t, filepath.Join(r.folder, "classes.csv"))
	names := append(append([]string{}, models...), "ensemble")
	if len(m.Unlabeled.Models) != len(names) || len(rows) != len(names)*len(classes) {
		t.Fatalf("%d models and %d rows, want %d and %d", len(m.Unlabeled.Models), len(rows), len(names), len(names)*len(classes))
	}
	differ := map[int]bool{}
	first := make([]int, len(labels))
	for k, name := range names {
		p := r.got(t, "probabilities/"+name+".npy")
		right, confident := 0, 0
		for i, label := range labels {
			y := evaluate.Argmax(p.Row(i))
			if classes[y][1] == label {
				right++
			}
			if p.Row(i)[y] > evaluate.Confident {
				confident++
			}
			if k == 0 {
				first[i] = y
			}
			if k < len(models) && y != first[i] {
				differ[i] = true
			}
		}
		correct := 0
		for _, row := range rows[k*len(classes) : (k+1)*len(classes)] {
			if row.Model != name {
				t.Fatalf("models.csv has %s where %s belongs", row.Model, name)
			}
			correct += *row.Correct
			confident -= row.Confident
		}
		if got := m.Unlabeled.Models[k]; got.Name != name || correct != right || confident != 0 || *got.Top1 != float64(right)/float64(len(labels)) {
			t.Errorf("%s: %d right, top1 %v, %d confident too few; want %d of %d right", name, correct, *got.Top1, confident, right, len(labels))
		}
	}
	switch got := m.Unlabeled.Disagreement; {
	case (got != nil) != (len(models) > 1):
		t.Errorf("disagreement of %d models: %v", len(models), got)
	case got != nil && *got != float64(len(differ))/float64(len(labels)):
		t.Errorf("the models disagree on %v, want %d of %d", *got, len(differ), len(labels))
	}
	if learned := m.Learned; learned != nil {
		n := len(learned.Ensembles)
		if n != len(learned.Seeds) || *learned.Ensembles[0].Top1 != *learned.Seeds[0].Top1 || *learned.Ensembles[n-1].Top1 != *learned.Top1 {
			t.Errorf("the ensembles of the first seeds are %+v", learned.Ensembles)
		}
		if middle := *learned.Ensembles[n/2].Top1; math.Abs(middle-*learned.Top1) > 0.1 {
			t.Errorf("half of the prompts reach %v, all of them %v", middle, *learned.Top1)
		}
	}
}

// checkFigures has the figures drawn, and looks for those that every run has.
func (r *demoRun) checkFigures(t *testing.T, models []string, learned bool) {
	t.Helper()
	said := succeed(t, "figures", r.folder)
	for name, there := range map[string]bool{
		"accuracy": true, "reliability": true, "confused-pairs": true, "pseudo-label-accuracy": true,
		"accuracy-per-model": len(models) > 1, "accuracy-over-prompts": learned, "training-loss": learned, "accuracy-over-rounds": false,
	} {
		if got := strings.Contains(said, "left out: "+name+": "); got == there {
			t.Errorf("%s is left out: %v, in\n%s", name, got, said)
		}
		for _, file := range []string{name + ".pdf", name + ".csv", "print/" + name + ".svg", "print/" + name + ".pdf", "print/" + name + ".csv"} {
			if _, err := os.Stat(filepath.Join(r.folder, "figures", file)); (err == nil) != there {
				t.Errorf("figures/%s: %v, should be there: %v", file, err, there)
			}
		}
	}
}
