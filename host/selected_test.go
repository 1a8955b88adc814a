package host

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/progress"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// chosen is a run whose unlabeled pictures are a.png and b.png, of cat and dog.
func chosen(t *testing.T) (*run, array.Matrix) {
	t.Helper()
	r := pictured(t, map[string]string{picturesName: keptPictures})
	if err := r.readKept(); err != nil {
		t.Fatal(err)
	}
	return r, array.Matrix{Rows: 2, Cols: 2, Data: []float32{0.75, 0.25, 0.25, 0.75}}
}

func readText(t *testing.T, r *run, name string) string {
	t.Helper()
	text, err := os.ReadFile(r.folder.Join(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// All that a policy may emit comes back from the run's files as it was, is learned
// from as what it is, and is measured.
func TestSelectionFiles(t *testing.T) {
	r, ensemble := chosen(t)
	soft := plugins.SoftLabel{Row: 0, Weight: 0.5, P: []sdk.Candidate{{Class: 0, P: 0.25}, {Class: 1, P: 0.75}}}
	set := plugins.CandidateSet{Row: 1, Weight: 2, Classes: []int{0, 1}}
	hard := plugins.Label{Row: 0, Class: 1, Weight: 0.25}
	asSoft := pick{row: 0, class: 1, weight: 0.5, probability: 0.25, soft: []float32{0.25, 0.75}}
	asSet := pick{row: 1, class: 1, weight: 2, probability: 0.75, set: []int{0, 1}}
	asHard := pick{row: 0, class: 1, weight: 0.25, probability: 0.25}
	for name, test := range map[string]struct {
		selection plugins.Selection
		want      []pick
		dropped   int
		targets   []float32
		sets      []bool
	}{
		"hard":         {plugins.Selection{Labels: []plugins.Label{hard}}, []pick{asHard}, 0, []float32{0, 0.25}, nil},
		"soft":         {plugins.Selection{Soft: []plugins.SoftLabel{soft}}, []pick{asSoft}, 0, []float32{0.125, 0.375}, nil},
		"soft and set": {plugins.Selection{Soft: []plugins.SoftLabel{soft}, Candidates: []plugins.CandidateSet{set}}, []pick{asSoft, asSet}, 0, []float32{0.125, 0.375, 1, 1}, []bool{false, true}},
		"hard and set": {plugins.Selection{Labels: []plugins.Label{hard}, Candidates: []plugins.CandidateSet{set}}, []pick{asHard, asSet}, 0, []float32{0, 0.25, 1, 1}, []bool{false, true}},
		"dropped":      {plugins.Selection{Labels: []plugins.Label{hard}, Drops: []int{1}}, []pick{asHard}, 1, []float32{0, 0.25}, nil},
		"nothing":      {plugins.Selection{}, []pick{}, 0, []float32{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			place := roundPlace(1)
			outputs, err := r.keepSelection(place, test.selection, ensemble)
			if err != nil {
				t.Fatal(err)
			}
			got, dropped, err := r.picksAt(place)
			if err != nil || dropped != test.dropped {
				t.Fatalf("%d dropped, %v", dropped, err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(pick{})); diff != "" {
				t.Error(diff)
			}
			// What an earlier selection had more, in the same place, is gone.
			_, err = os.Stat(r.folder.Join(place + recordsName))
			if special := name != "hard" && name != "nothing"; (err == nil) != special || (len(outputs) == 2) != special {
				t.Errorf("files %v, %s: %v", outputs, recordsName, err)
			}
			labels := make([]learn.Label, len(got))
			for i, p := range got {
				labels[i] = p.label()
			}
			targets, err := learn.Targets(labels, 2)
			if diff := cmp.Diff(test.targets, targets.Data); diff != "" || err != nil {
				t.Error(diff, err)
			}
			if diff := cmp.Diff(test.sets, targets.Sets); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The likeliest candidate of the ensemble is what a set is shown as; of a soft label
// its own likeliest class.
func TestSelectionTable(t *testing.T) {
	r, ensemble := chosen(t)
	_, err := r.keepSelection("", plugins.Selection{
		Candidates: []plugins.CandidateSet{{Row: 0, Weight: 1, Classes: []int{0, 1}}},
		Soft:       []plugins.SoftLabel{{Row: 1, Weight: 0.5, P: []sdk.Candidate{{Class: 0, P: 0.5}, {Class: 1, P: 0.5}}}},
	}, ensemble)
	if err != nil {
		t.Fatal(err)
	}
	want := "path,class,weight,probability\na.png,cat,1,0.75\nb.png,cat,0.5,0.25\n"
	if diff := cmp.Diff(want, readText(t, r, pseudoLabelsName)); diff != "" {
		t.Error(diff)
	}
	picks, err := r.picks()
	if err != nil {
		t.Fatal(err)
	}
	measures, err := evaluate.PseudoLabels([]evaluate.Pick{picks[0].measured(), picks[1].measured()}, []int{1, 1}, r.classNames, 0)
	if err != nil || *measures.Accuracy != 0.5 || measures.Soft != 1 || measures.Sets.Count != 1 || *measures.Sets.Coverage != 1 || len(measures.EmptyClasses) != 0 {
		t.Errorf("%+v, %v", measures, err)
	}
}

// A file of records that does not fit is named.
func TestSelectionFilesThatDoNotFit(t *testing.T) {
	r, ensemble := chosen(t)
	set := func(row int, classes ...int) plugins.Selection {
		return plugins.Selection{Candidates: []plugins.CandidateSet{{Row: row, Weight: 1, Classes: classes}}}
	}
	if _, err := r.keepSelection("", set(1, 0), ensemble); err != nil {
		t.Fatal(err)
	}
	table := readText(t, r, pseudoLabelsName)
	if _, err := r.keepSelection("", set(0, 1), ensemble); err != nil {
		t.Fatal(err)
	}
	if err := r.folder.Write(pseudoLabelsName, []byte(table)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.picks(); err == nil || !strings.Contains(err.Error(), recordsName) || !strings.Contains(err.Error(), "row 0") {
		t.Errorf("another table's records give %v", err)
	}
	if err := r.folder.Write(recordsName, []byte("none")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.picks(); err == nil || !strings.Contains(err.Error(), recordsName) {
		t.Errorf("a damaged file gives %v", err)
	}
}

func TestWarnEmptyClasses(t *testing.T) {
	r, _ := chosen(t)
	r.log, r.display = slog.New(slog.DiscardHandler), progress.Silent
	for name, s := range map[string]plugins.Selection{
		"hard":       {Labels: []plugins.Label{{Class: 0}}},
		"soft":       {Soft: []plugins.SoftLabel{{P: []sdk.Candidate{{Class: 0, P: 1}, {Class: 1, P: 0}}}}},
		"candidates": {Candidates: []plugins.CandidateSet{{Classes: []int{0}}}},
	} {
		r.manifest.Warnings = nil
		r.warnEmptyClasses(s)
		if want := []string{"1 of 2 classes have no pseudo label: dog, small"}; !cmp.Equal(want, r.manifest.Warnings) {
			t.Errorf("%s: %q", name, r.manifest.Warnings)
		}
	}
	r.manifest.Warnings = nil
	r.warnEmptyClasses(plugins.Selection{Candidates: []plugins.CandidateSet{{Classes: []int{0, 1}}}})
	if len(r.manifest.Warnings) > 0 {
		t.Errorf("%q", r.manifest.Warnings)
	}
}
