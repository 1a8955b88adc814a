package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/host/config"
)

// TestLockIsFound looks for the lock beside the configuration, then in the working
// folder; a run's own configuration leads back to it.
func TestLockIsFound(t *testing.T) {
	working, study := t.TempDir(), t.TempDir()
	t.Chdir(working)
	load := func(set ...string) *config.Config {
		t.Helper()
		c, err := config.Load(config.Source{File: filepath.Join(study, "run.yaml"), Text: []byte(minimal), Set: set})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if got := load().Label.Lock; got != "" {
		t.Errorf("without any the lock is %s", got)
	}
	for _, want := range []string{filepath.Join(working, "upl.lock"), filepath.Join(study, "upl.lock")} {
		if err := os.WriteFile(want, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := load().Label.Lock; got != want {
			t.Errorf("the lock is %s, want %s", got, want)
		}
	}
	if got, want := load("label.lock=other").Label.Lock, filepath.Join(working, "other"); got != want {
		t.Errorf("the lock is %s, want %s", got, want)
	}
	run := filepath.Join(study, "runs", "run")
	again, err := config.Load(config.Source{File: filepath.Join(run, "run.yaml"), Text: load().Effective(run)})
	if err != nil || again.Label.Lock != filepath.Join(study, "upl.lock") {
		t.Errorf("%+v: %v", again, err)
	}
}
