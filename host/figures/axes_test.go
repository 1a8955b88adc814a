package figures_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/figures"
)

// The ablation of N names its methods by N: they are one curve, over N as a number.
func TestOverPrompts(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	var cells strings.Builder
	cells.WriteString("dataset,model,method,known_method,strategy,k,seed,top1,seeds\n")
	for d, dataset := range []string{"pets", "cars"} {
		fmt.Fprintf(&cells, "%s,vit,zero-shot,zero-shot,,,,0.5,\n", dataset)
		fmt.Fprintf(&cells, "%s,vit,mine,,top-k,16,,0.9,4\n", dataset) // one number alone
		for i, n := range []int{16, 2, 1} {
			fmt.Fprintf(&cells, "%s,vit,upl-n%d,upl,top-k,16,,%g,%d\n", dataset, n, 0.7-0.05*float64(i)+0.1*float64(d), n)
		}
	}
	write(t, dir, "cells.csv", cells.String())
	_, err := figures.Write(context.Background(), []string{dir}, figures.Options{Out: out, Only: []string{"accuracy-over-prompts"}})
	must(t, err)
	for file, first := range map[string]float64{"accuracy-over-prompts": 0.65, "accuracy-over-prompts-pets": 0.6, "accuracy-over-prompts-cars": 0.7} {
		data, err := os.ReadFile(filepath.Join(out, file+".csv"))
		must(t, err)
		var order []string
		for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
			order = append(order, strings.Join(strings.Split(line, ",")[:2], " "))
		}
		if diff := cmp.Diff([]string{"upl 1", "upl 2", "upl 16", "zero-shot "}, order); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
		if got := number(t, table(t, filepath.Join(out, file+".csv"))["upl|1"]["mean"]); math.Abs(got-first) > 1e-12 {
			t.Errorf("%s: one prompt has %v, want %v", file, got, first)
		}
	}
}

// Which classes each model knows is said by the first run of each.
func TestPerModel(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	write(t, dir, "cells.csv", header+"d,vit,upl,top-k,4,1,0.5,runs/none\nd,vit,upl,top-k,4,2,0.5,runs/vit\nd,rn,upl,top-k,4,1,0.5,runs/rn\nd,rn,upl,top-k,4,2,0.5,runs/other\n")
	const columns = "model,class,pictures,predicted,correct,confident,confident_labelled,confident_correct\n"
	write(t, dir, "runs/vit/models.csv", columns+"vit,cat,4,4,1,0,0,0\nvit,dog,4,4,3,0,0,0\nensemble,cat,4,4,1,0,0,0\nensemble,dog,4,4,3,0,0,0\n")
	// Of a run with several models, the one that is trained.
	write(t, dir, "runs/rn/models.csv", columns+"rn,cat,4,4,4,0,0,0\nrn,dog,4,4,2,0,0,0\nvit,cat,4,4,0,0,0,0\nvit,dog,4,4,0,0,0,0\n")
	write(t, dir, "runs/other/models.csv", columns+"rn,cat,4,4,0,0,0,0\nrn,dog,4,4,0,0,0,0\n")
	_, err := figures.Write(context.Background(), []string{dir}, figures.Options{Out: out, Only: []string{"accuracy-per-model"}})
	must(t, err)
	got, err := os.ReadFile(filepath.Join(out, "accuracy-per-model.csv"))
	must(t, err)
	if diff := cmp.Diff("class,vit,rn\ncat,0.25,1\ndog,0.75,0.5\n", string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A method of the user's own is one from true labels where the table says so.
func TestLabelsOfOwnMethods(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	cells := "dataset,model,method,labels,strategy,k,seed,top1\n"
	for k := range 2 {
		cells += fmt.Sprintf("d,m,coop-slow,true,,%d,1,0.6\nd,m,coop,pseudo,top-k,%d,1,0.5\n", 1+k, 1+k)
	}
	write(t, dir, "cells.csv", cells)
	_, err := figures.Write(context.Background(), []string{dir}, figures.Options{Out: out, Only: []string{"accuracy-over-shots", "accuracy-over-k"}})
	must(t, err)
	shots, ks := table(t, filepath.Join(out, "accuracy-over-shots.csv")), table(t, filepath.Join(out, "accuracy-over-k.csv"))
	for _, k := range []string{"1", "2"} {
		if shots["coop-slow|"+k] == nil || ks["coop|"+k] == nil || ks["coop-slow|"+k] != nil || shots["coop|"+k] != nil {
			t.Errorf("over shots %v, over K %v", shots, ks)
		}
	}
}

// What all parts of a figure lack is said once; what one lacks, of that one.
func TestMissingOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "cells.csv", header+"a,m,upl,top-k,4,1,0.5,\na,m,upl,top-k,8,1,0.6,\na,m,coop,,4,1,0.5,\nb,m,upl,top-k,4,1,0.5,\nb,m,coop,,4,1,0.5,\n")
	result, err := figures.Write(context.Background(), []string{dir}, figures.Options{Out: t.TempDir()})
	must(t, err)
	why := map[string][]string{}
	for _, m := range result.Missing {
		why[m.Name] = append(why[m.Name], m.Why)
	}
	if got := why["accuracy-over-shots"]; len(got) != 1 || got[0] != "the runs with true labels have one number of shots" {
		t.Errorf("over shots: %q", got)
	}
	want := []string{"mean over 2 data sets: the runs have fewer than two K", "b: the runs have fewer than two K"}
	if diff := cmp.Diff(want, why["accuracy-over-k"]); diff != "" {
		t.Errorf("over K (-want +got):\n%s", diff)
	}
}
