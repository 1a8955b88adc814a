package learn_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/host/learn"
)

// refusing learns nothing.
type refusing struct{}

var errAsked = errors.New("asked for a gradient")

func (refusing) Gradients(context.Context, []graphs.Batch) ([]graphs.Gradient, error) {
	return nil, errAsked
}

// TestKept takes what another run has learned from the same inputs, as it is, and
// nothing else.
func TestKept(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "contexts")
	first := newJob(t.TempDir(), 20)
	first.Kept = kept
	mustRun(t, first)

	again := newJob(t.TempDir(), 20)
	again.Kept, again.Gradienter = kept, refusing{}
	var plan learn.Plan
	again.Events.OnPlan = func(p learn.Plan) { plan = p }
	mustRun(t, again)
	if diff := cmp.Diff(training(t, first.Folder), training(t, again.Folder)); diff != "" {
		t.Errorf("what was taken differs (- learned, + taken):\n%s", diff)
	}
	if plan.Done != plan.Steps() || plan.Done == 0 {
		t.Errorf("the plan says that %d of %d steps are done", plan.Done, plan.Steps())
	}
	fewer := newJob(t.TempDir(), 20)
	fewer.Kept, fewer.Gradienter, fewer.Settings.Seeds = kept, refusing{}, []uint64{3, 1}
	if contexts := mustRun(t, fewer); contexts[0].Seed != 3 || contexts[1].Seed != 1 {
		t.Errorf("seeds %d and %d", contexts[0].Seed, contexts[1].Seed)
	}

	for name, change := range map[string]func(*learn.Job){
		"another seed":     func(j *learn.Job) { j.Settings.Seeds = []uint64{4} },
		"another schedule": func(j *learn.Job) { j.Settings.Epochs = 5 },
		"other labels":     func(j *learn.Job) { j.Data.Targets.Row(0)[0] += 0.5 },
		"seeds together":   func(j *learn.Job) { j.Settings.Together = 3 },
		"another model":    func(j *learn.Job) { j.Prompt.ModelHash = "1" },
		"nothing kept":     func(j *learn.Job) { j.Kept = "" },
	} {
		other := newJob(t.TempDir(), 20)
		other.Kept, other.Gradienter = kept, refusing{}
		change(&other)
		if _, err := learn.Run(t.Context(), other); !errors.Is(err, errAsked) {
			t.Errorf("%s: what was kept is taken: %v", name, err)
		}
	}
}

// TestKeptIsDamaged learns anew what cannot be read, and keeps that.
func TestKeptIsDamaged(t *testing.T) {
	first := newJob(t.TempDir(), 20)
	first.Kept = t.TempDir()
	mustRun(t, first)
	want := contents(t, first.Kept)
	if len(want) != 3 {
		t.Fatalf("%d files are kept of 3 seeds", len(want))
	}
	for name, damaged := range map[string]func(string) string{
		"a flipped bit": func(s string) string { b := []byte(s); b[len(b)-1] ^= 1; return string(b) },
		"a cut end":     func(s string) string { return s[:len(s)-5] },
		"empty":         func(string) string { return "" },
	} {
		for file, content := range want {
			if err := os.WriteFile(filepath.Join(first.Kept, file), []byte(damaged(content)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		again := newJob(t.TempDir(), 20)
		again.Kept = first.Kept
		mustRun(t, again)
		if diff := cmp.Diff(training(t, first.Folder), training(t, again.Folder)); diff != "" {
			t.Errorf("%s: what was learned differs:\n%s", name, diff)
		}
		if diff := cmp.Diff(want, contents(t, first.Kept)); diff != "" {
			t.Errorf("%s: what is kept differs:\n%s", name, diff)
		}
	}
}

// training are the files of a run but those for TensorBoard, which hold times.
func training(t *testing.T, folder string) map[string]string {
	files := contents(t, folder)
	for name := range files {
		if filepath.Dir(filepath.Dir(name)) == "tensorboard" {
			delete(files, name)
		}
	}
	return files
}
