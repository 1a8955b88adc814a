package learn_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// TestRows gives each seed pictures of its own: each learns what it would from these
// alone, whatever else is there and whoever trains beside it.
func TestRows(t *testing.T) {
	job := newJob(t.TempDir(), 20)
	job.Rows = map[uint64][]int{1: {0, 2, 4, 6, 8, 10, 12, 14, 16}, 2: {1, 2, 3, 4, 5, 6, 7, 8, 9}, 3: {19, 18, 17, 3, 2, 1, 0, 11, 12}}
	job.Settings.Together = 2
	contexts := mustRun(t, job)
	for i, c := range contexts {
		alone := newJob(t.TempDir(), 20)
		all := alone.Data
		alone.Data = learn.Data{Features: array.NewMatrix(9, 4), Targets: numeric.NewTargets(9, 3, false)}
		for k, row := range job.Rows[c.Seed] {
			copy(alone.Data.Features.Row(k), all.Features.Row(row))
			copy(alone.Data.Targets.Row(k), all.Targets.Row(row))
		}
		alone.Settings.Seeds = []uint64{c.Seed}
		want := mustRun(t, alone)[0]
		if !bytes.Equal(array.Bytes(c.Vectors.Data), array.Bytes(want.Vectors.Data)) {
			t.Errorf("seed %d learns something else beside others", c.Seed)
		}
		if i > 0 && slices.Equal(c.Vectors.Data, contexts[0].Vectors.Data) {
			t.Errorf("seeds %d and 1 learnt the same", c.Seed)
		}
	}
	changed := newJob(job.Folder, 20)
	changed.Rows = map[uint64][]int{1: job.Rows[1], 2: job.Rows[2], 3: job.Rows[1]}
	if again := mustRun(t, changed); slices.Equal(again[2].Vectors.Data, contexts[2].Vectors.Data) {
		t.Error("a context of other pictures is taken for finished")
	}
	for says, rows := range map[string][]int{
		"seed 2 learns from 2 pictures": {1, 2},
		"seed 2 learns from row 20":     {1, 2, 3, 4, 5, 6, 7, 8, 20},
	} {
		job.Rows[2] = rows
		if _, err := learn.Run(t.Context(), job); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}
