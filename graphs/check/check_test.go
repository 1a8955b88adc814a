//go:build tensorflow

package check_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/check"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// exported returns the folder of a golden checkpoint, exported, and its expected
// values. UPL_GOLDEN may name a folder of golden files with CLIP's whole vocabulary.
func exported(t *testing.T, file string) (dir string, expected map[string]array.Array) {
	t.Helper()
	path := filepath.Join(cmp.Or(os.Getenv("UPL_GOLDEN"), filepath.Join("..", "testdata", "golden-small")), file)
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
			found := make(map[string]bool)
			for _, item := range report.Items {
				found[item.Name] = true
				t.Logf("%-24s %-70s %.3g (tolerance %.3g) %s", item.Name, item.What, item.Measured, item.Tolerance, item.Detail)
				if !item.OK {
					t.Errorf("%s: %s: %g, tolerance %g %s", item.Name, item.What, item.Measured, item.Tolerance, item.Detail)
				}
			}
			for key := range expected {
				computed := strings.HasPrefix(key, "loss") || strings.HasPrefix(key, "gradient") || strings.HasSuffix(key, "_features") || key == "probabilities"
				if computed && key != "template_features" && !found[key] {
					t.Errorf("%s was not compared", key)
				}
			}
			if !report.OK() || report.Device == "" || report.Hash == "" {
				t.Errorf("report: %+v", report)
			}
		})
	}
}

// TestReferenceThatDiffers: each wrong value is found, and nothing else.
func TestReferenceThatDiffers(t *testing.T) {
	dir, expected := exported(t, "vit")
	spoilt := []string{"image_features", "text_features", "prompt_features", "gradient_front", "gradient_soft"}
	for _, key := range spoilt {
		values, err := expected[key].Float32()
		if err != nil {
			t.Fatal(err)
		}
		for i := range values {
			values[i] *= 1.0005
		}
	}
	loss, err := expected["loss_middle"].Float32()
	if err != nil {
		t.Fatal(err)
	}
	expected["loss_middle"] = array.Array{Shape: []int{}, Data: []float32{loss[0] * 1.001}}
	var wrong []string
	report := examine(t, dir, check.Options{Reference: expected})
	for _, item := range report.Items {
		if !item.OK {
			wrong = append(wrong, item.Name)
		}
	}
	want := []string{"image_features", "text_features", "prompt_features", "loss_middle", "gradient_front", "gradient_soft"}
	// Gradients are compared twice: the model's own, and packed.
	wrong = slices.Compact(wrong)
	if d := gocmp.Diff(want, wrong); d != "" || report.OK() {
		t.Errorf("report.OK() is %v; %s", report.OK(), d)
	}
}

// TestOwnPixels: pictures that are given are held against the reference's, and so
// are their features, beside those of the reference's own pixels.
func TestOwnPixels(t *testing.T) {
	dir, expected := exported(t, "vit")
	for _, c := range []struct {
		name string
		n    int
		by   float32 // what is added to every value
		want map[string]bool
	}{
		{"the same", 13, 0, map[string]bool{"largest difference from the reference, decoded here": true, "mean difference from the reference": true}},
		{"brighter", 13, 0.1, map[string]bool{"largest difference from the reference, decoded here": false, "mean difference from the reference": false}},
		{"one missing", 12, 0, map[string]bool{"ran": false}},
	} {
		report := examine(t, dir, check.Options{Reference: expected, Pixels: func(context.Context, graphs.Config) ([]float32, int, error) {
			values, err := expected["pixels"].Float32()
			return channelsLast(values, c.n, c.by), c.n, err
		}})
		got := make(map[string]bool)
		for _, item := range report.Items {
			if _, asked := c.want[item.What]; asked {
				got[item.What] = item.OK
			}
		}
		if d := gocmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// channelsLast turns [n, 3, 64, 64] into [n, 64, 64, 3].
func channelsLast(values []float32, n int, by float32) []float32 {
	pixels := make([]float32, 0, n*3*64*64)
	for i := range n {
		for p := range 64 * 64 {
			for c := range 3 {
				pixels = append(pixels, values[(i*3+c)*64*64+p]+by)
			}
		}
	}
	return pixels
}

// TestBrokenModel: a model that breaks the contract is a finding; one that is none is an error.
func TestBrokenModel(t *testing.T) {
	dir, _ := exported(t, "resnet")
	config, err := graphs.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	config.TextWidth, config.TextTower = 48, nil
	if err := graphs.WriteConfig(dir, config); err != nil {
		t.Fatal(err)
	}
	report := examine(t, dir, check.Options{})
	if report.OK() || len(report.Items) != 1 || !strings.Contains(report.Items[0].Detail, "[?, 64]") {
		t.Errorf("%+v", report)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "saved_model.pb")); err != nil {
		t.Fatal(err)
	}
	if _, err := check.Check(t.Context(), dir, check.Options{}); !errors.Is(err, savedmodel.ErrFormat) {
		t.Errorf("want ErrFormat, got %v", err)
	}
}

// TestCancelled: an examination ends with its context.
func TestCancelled(t *testing.T) {
	dir, expected := exported(t, "vit")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := check.Check(ctx, dir, check.Options{Reference: expected}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
