package main_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// small is a matrix of eight runs, which takes some seconds.
func small(t *testing.T) job {
	folder := models(t)
	file := filepath.Join(t.TempDir(), "matrix.yaml")
	text := fmt.Sprintf(`
name: small
models: [{path: %[1]s/vit}, {path: %[1]s/rn}]
dataset: {path: %[2]s/images/glyphs, classes: %[2]s/classes.txt, unlabeled: train, test: test}
learn: {epochs: 3}
report: {gallery: 1}
matrix: {methods: [zero-shot, upl, "upl*", tip-adapter], k: [4], seeds: [1, 2]}
`, folder, absolute(t, demo))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return job{arguments: []string{"run", "-c", file, "--set", "run.batch_size=8"}}.in(t.TempDir())
}

// tables are the hashes of a matrix's tables, and of its runs' results.
func tables(t *testing.T, matrix string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, name := range []string{"cells.csv", "table.csv", "table.md", "table.tex", "table.html"} {
		data, err := os.ReadFile(filepath.Join(matrix, name))
		if err != nil {
			t.Fatal(err)
		}
		found[name] = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	runs, err := filepath.Glob(filepath.Join(matrix, "runs", "*"))
	if err != nil || len(runs) == 0 {
		t.Fatalf("the matrix %s has no runs: %v", matrix, err)
	}
	for _, run := range runs {
		data, err := os.ReadFile(filepath.Join(run, "predictions.csv"))
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(run)] = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	return found
}

// TestMatrixKilled kills a matrix again and again, with SIGKILL, at random moments,
// and starts it again: the tables are those of one that nothing disturbed, and so
// are those of its runs, each in a process of its own.
func TestMatrixKilled(t *testing.T) {
	const kills = 10
	undisturbed := small(t)
	undisturbed.do(t)
	want := tables(t, undisturbed.run())
	random := rand.New(rand.NewPCG(7, 2204))
	killed := 0
	for round := 1; killed < kills; round++ {
		job := undisturbed.in(t.TempDir())
		for killed < kills {
			p := job.start(t)
			if p.ends(time.Duration(random.Int64N(int64(3 * time.Second)))) {
				p.succeed(t)
				break
			}
			if err := p.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-p.done
			killed++
		}
		job.do(t)
		if diff := cmp.Diff(want, tables(t, job.run())); diff != "" {
			t.Fatalf("round %d: the tables of the killed matrix differ (- undisturbed, + killed):\n%s", round, diff)
		}
	}

	// What runs share changes nothing: alone, from its own configuration, a run has the same results.
	const name = "upl-star-k4-seed2"
	alone := job{arguments: []string{"run", "-c", filepath.Join(undisturbed.run(), "runs", name, "run.yaml")}}.in(t.TempDir())
	alone.do(t)
	if diff := cmp.Diff(results(t, filepath.Join(undisturbed.run(), "runs", name)), results(t, alone.run())); diff != "" {
		t.Errorf("the results of a run alone differ (- in the matrix, + alone):\n%s", diff)
	}

	// A second time it is done at once.
	began := time.Now()
	undisturbed.do(t)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("found done in %v", took)
	}
}
