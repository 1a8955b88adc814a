package main_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/folder"
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

// TestMatrixTogether has several processes do one matrix.
func TestMatrixTogether(t *testing.T) {
	t.Parallel()
	alone := small(t)
	alone.do(t)
	want := tables(t, alone.run())

	// Of three the one that began is killed: the others take over what it was at.
	t.Run("killed", func(t *testing.T) {
		together := alone.in(t.TempDir())
		first, second, third := together.start(t), together.start(t), together.start(t)
		for !first.ends(10*time.Millisecond) && len(begun(t, filepath.Join(together.run(), "runs", "upl-k4-seed1"))) == 0 {
		}
		if err := first.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-first.done
		second.succeed(t)
		third.succeed(t)
		if diff := cmp.Diff(want, tables(t, together.run())); diff != "" {
			t.Errorf("the tables of three differ (- one, + three):\n%s\n%s\n%s\n%s", diff, &first.out, &second.out, &third.out)
		}
	})

	// While another process is at a run, who has the tables does the others and waits
	// for it; who has not does what it can, and ends.
	t.Run("waiting", func(t *testing.T) {
		waits := alone.in(t.TempDir())
		busy, err := folder.Open(filepath.Join(waits.run(), "runs", "upl-k4-seed2"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(waits.run(), "cells.csv"), nil, 0o644); err != nil { // the folder is a matrix's
			t.Fatal(err)
		}
		first := waits.start(t)
		last := filepath.Join(waits.run(), "runs", "tip-adapter-k4-seed2", "metrics.json")
		for !first.ends(10 * time.Millisecond) {
			if _, err := os.Stat(last); err == nil {
				break
			}
		}
		second := waits.start(t)
		second.succeed(t)
		if out := second.out.String(); !strings.Contains(out, "other processes are at 1 run, and end with the table in "+waits.run()) {
			t.Errorf("a process that cannot do anything says: %s", out)
		}
		if first.ends(0) {
			t.Errorf("who has the tables did not wait: %s", &first.out)
		}
		if err := busy.Close(); err != nil {
			t.Fatal(err)
		}
		first.succeed(t)
		if diff := cmp.Diff(want, tables(t, waits.run())); diff != "" {
			t.Errorf("who waited has other tables (- undisturbed, + waited):\n%s", diff)
		}
	})

	// Where a process works on something else there is no matrix to join.
	t.Run("another's folder", func(t *testing.T) {
		other := alone.in(t.TempDir())
		busy, err := folder.Open(other.run())
		if err != nil {
			t.Fatal(err)
		}
		defer busy.Close()
		other.start(t).fail(t, 2)
	})
}
