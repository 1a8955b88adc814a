//go:build tensorflow

package check_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/check"
	"github.com/upl-host/upl-host/graphs/export"
)

// exported returns the folder of a golden checkpoint, exported, and its expected values.
func exported(t *testing.T, file string) (dir string, expected map[string]array.Array) {
	t.Helper()
	path := filepath.Join("..", "testdata", "golden-small", file)
	dir = filepath.Join(t.TempDir(), "model")
	if err := export.Checkpoint(t.Context(), path, dir, false); err != nil {
		t.Fatal(err)
	}
	folder := path
	if filepath.Ext(file) != "" {
		folder = filepath.Dir(path)
	}
	expected, err := array.ReadArchive(filepath.Join(folder, "expected.npz"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, expected
}

func examine(t *testing.T, dir string, o check.Options) check.Report {
	t.Helper()
	report, err := check.Check(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestReference holds our towers against PyTorch's values, in every checkpoint format.
func TestReference(t *testing.T) {
	for _, file := range []string{"vit", "resnet", "vit-transformers", "vit/openai.pt", "vit/state_dict.pt"} {
		t.Run(file, func(t *testing.T) {
			dir, expected := exported(t, file)
			report := examine(t, dir, check.Options{Reference: expected})
			for _, item := range report.Items {
				t.Logf("%-24s %-70s %.3g (tolerance %.3g) %s", item.Name, item.What, item.Measured, item.Tolerance, item.Detail)
				if !item.OK {
					t.Errorf("%s: %s: %g, tolerance %g %s", item.Name, item.What, item.Measured, item.Tolerance, item.Detail)
				}
			}
			t.Log("unchecked:", report.Unchecked)
		})
	}
}
