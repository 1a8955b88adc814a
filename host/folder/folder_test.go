package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/host/folder"
)

func TestSecondRunIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	first, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var locked *folder.LockedError
	if _, err := folder.Open(path); !errors.As(err, &locked) {
		t.Fatalf("a second process got in: %v", err)
	}
	if is, err := folder.Locked(path); err != nil || !is {
		t.Errorf("a folder where somebody works is locked: %v, %v", is, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, free := range []string{path, filepath.Join(path, "absent")} {
		if is, err := folder.Locked(free); err != nil || is {
			t.Errorf("%s is locked: %v, %v", free, is, err)
		}
	}
	again, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if empty, err := again.Empty(); err != nil || !empty {
		t.Errorf("a folder with only a lock is empty: %v, %v", empty, err)
	}
}

func TestFinished(t *testing.T) {
	f, err := folder.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Write("probabilities/a.npy", []byte("one")); err != nil {
		t.Fatal(err)
	}
	want, err := f.Finish("classify", folder.Record{Inputs: "inputs", Seconds: 1.5, Warnings: []string{"w"}}, []string{"probabilities/a.npy"})
	if err != nil {
		t.Fatal(err)
	}
	got, ok := f.Finished("classify", "inputs")
	if !ok || got.Digest() != want.Digest() || got.Seconds != 1.5 || len(got.Warnings) != 1 {
		t.Fatalf("a finished stage is %+v, %v", got, ok)
	}
	cases := map[string]func() error{
		"other inputs":    func() error { return nil },
		"a changed file":  func() error { return f.Write("probabilities/a.npy", []byte("two")) },
		"a missing file":  func() error { return os.Remove(f.Join("probabilities/a.npy")) },
		"a broken record": func() error { return f.Write("stages/classify.json", []byte("{")) },
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			inputs := "inputs"
			if name == "other inputs" {
				inputs = "others"
			}
			if err := f.Write("probabilities/a.npy", []byte("one")); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Finish("classify", folder.Record{Inputs: "inputs"}, []string{"probabilities/a.npy"}); err != nil {
				t.Fatal(err)
			}
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			if _, ok := f.Finished("classify", inputs); ok {
				t.Error("the stage counts as finished")
			}
		})
	}
}

func TestOpenSweeps(t *testing.T) {
	path := t.TempDir()
	half := []string{".metrics.json123", "contexts/.seed-1.safetensors8734337662266421296", "figures/.curve.svg1", "figures/.curve.pdf1"}
	// Another process may work on a run within a matrix.
	whole := []string{"runs/a/.lock", "runs/a/.metrics.json123", "runs/a/stages/.learn.json5", "metrics.json", ".hidden", "contexts/.seed-1.state.safetensors", ".notes2", "data.json1"}
	for _, name := range append(half, whole...) {
		file := filepath.Join(path, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	there := func(name string) bool {
		t.Helper()
		ok, err := f.Exists(name)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for _, name := range half {
		if there(name) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range whole {
		if !there(name) {
			t.Errorf("%s is gone", name)
		}
	}
}
