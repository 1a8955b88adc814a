//go:build tensorflow

package export_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/check"
	"github.com/upl-host/upl-host/graphs/export"
)

// python returns a command that runs on Python's own TensorFlow. Where
// the Makefile has not said where that is, the test is over.
func python(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path := os.Getenv("UPL_PYTHONPATH")
	if path == "" {
		return nil
	}
	interpreter := os.Getenv("UPL_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	cmd := exec.CommandContext(t.Context(), interpreter, args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+path, "PYTHONDONTWRITEBYTECODE=1", "TF_CPP_MIN_LOG_LEVEL=3")
	return cmd
}

func runPython(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// TestPythonRunsOurModels loads two exports of one architecture and one of
// another into one Python process and runs all their signatures there and here.
func TestPythonRunsOurModels(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	inputs, outputs := filepath.Join(folder, "inputs.npz"), filepath.Join(folder, "outputs.npz")
	names := []string{"vit", "resnet", "vit-transformers"}
	args := append(make([]string, 0, 2+len(names)), inputs, outputs)
	for _, name := range names {
		args = append(args, name+"="+filepath.Join(folder, name))
	}
	cmd := python(t, append([]string{filepath.Join("testdata", "run_models.py")}, args...)...)
	if cmd == nil {
		return
	}
	in := goldenInputs(t)
	if err := array.WriteArchive(inputs, in.arrays()); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := export.Checkpoint(t.Context(), golden(name), filepath.Join(folder, name), false); err != nil {
			t.Fatal(err)
		}
	}
	runPython(t, cmd)
	got, err := array.ReadArchive(outputs)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range names {
		for key, want := range in.run(t, filepath.Join(folder, name)) {
			values, err := got[name+"/"+key].Float32()
			if err != nil {
				t.Fatalf("%s: %s: %v", name, key, err)
			}
			if d := largestDifference(values, want); !(d <= 1e-5) {
				t.Errorf("%s: %s: Python's largest difference from ours is %g", name, key, d)
			}
			compared++
		}
	}
	if compared != 6*len(names) || len(got) != compared {
		t.Errorf("compared %d outputs of %d", compared, len(got))
	}
}

// TestPythonsCommandReadsOurModels: saved_model_cli lists an export's signatures.
func TestPythonsCommandReadsOurModels(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "model")
	cmd := python(t, "-m", "tensorflow.python.tools.saved_model_cli", "show", "--dir", dir, "--all")
	if cmd == nil {
		return
	}
	if err := export.Checkpoint(t.Context(), golden("vit"), dir, false); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"serve", "prompt_gradient", "inputs['pixels']", "(-1, 64, 64, 3)", "prompt_gradient/gradient:0"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("saved_model_cli does not show %q:\n%s", want, out)
		}
	}
}

// TestOursRunsPythonsModels: the example exporters' models, written by
// tf.saved_model.save with gradients by tf.GradientTape, keep the contract: text
// encoders that are causal and such that look both ways, token-wise similarity.
func TestOursRunsPythonsModels(t *testing.T) {
	t.Parallel()
	for kind, findings := range map[string]int{"align": 11, "florence": 11, "filip": 12, "causal": 12} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "model")
			examples := filepath.Join("..", "..", "examples")
			cmd := python(t, filepath.Join(examples, "models", "export.py"), "--kind", kind,
				"--classes", filepath.Join(examples, "demo", "classes.txt"), "--output", dir)
			if cmd == nil {
				return
			}
			runPython(t, cmd)
			report, err := check.Check(t.Context(), dir, check.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range report.Items {
				t.Logf("%s: %s: %.3g (tolerance %g) %s", item.Name, item.What, item.Measured, item.Tolerance, item.Detail)
				if !item.OK {
					t.Errorf("%s: %s", item.Name, item.What)
				}
			}
			if len(report.Items) != findings {
				t.Errorf("%d findings, not %d: %+v", len(report.Items), findings, report.Items)
			}
		})
	}
}

// inputs are one set of inputs of every signature.
type inputs struct {
	pixels                     []float32
	context, features, targets array.Matrix
	tokens, prompts            graphs.Tokens
}

func golden(name string) string { return filepath.Join("..", "testdata", "golden-small", name) }

func goldenInputs(t *testing.T) inputs {
	t.Helper()
	expected, err := array.ReadArchive(filepath.Join(golden("vit"), "expected.npz"))
	if err != nil {
		t.Fatal(err)
	}
	matrix := func(key string) array.Matrix {
		m, err := expected[key].Matrix()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	in := inputs{context: matrix("context"), features: matrix("pool").Slice(0, 32), targets: matrix("soft_targets")}
	if in.pixels, err = expected["pixels"].Float32(); err != nil {
		t.Fatal(err)
	}
	in.pixels = in.pixels[:4*64*64*3] // any values will do: their layout does not matter here
	tokens := func(key string) graphs.Tokens {
		return graphs.Tokens{Rows: expected[key].Shape[0], Length: expected[key].Shape[1], IDs: expected[key].Data.([]int32)}
	}
	in.tokens = tokens("tokens")
	in.prompts = tokens("prompt_tokens")
	for i := range in.prompts.Rows {
		for k := range in.context.Rows {
			in.prompts.Row(i)[1+k] = int32(-1 - k)
		}
	}
	return in
}

const inputScale = 50

func (in inputs) arrays() map[string]array.Array {
	return map[string]array.Array{
		"pixels": {Shape: []int{4, 64, 64, 3}, Data: in.pixels}, "context": in.context.Array(),
		"features": in.features.Array(), "targets": in.targets.Array(),
		"scale":              {Shape: []int{}, Data: []float32{inputScale}},
		"tokens":             {Shape: []int{in.prompts.Rows, in.prompts.Length}, Data: in.prompts.IDs},
		"encode_text/tokens": {Shape: []int{in.tokens.Rows, in.tokens.Length}, Data: in.tokens.IDs},
	}
}

// run gives every signature's outputs, by signature/output.
func (in inputs) run(t *testing.T, dir string) map[string][]float32 {
	t.Helper()
	m := open(t, dir, graphs.Options{})
	outputs := make(map[string][]float32)
	keep := func(key string, values []float32, err error) {
		if err != nil {
			t.Fatal(err)
		}
		outputs[key] = values
	}
	images, err := m.EncodeImage(t.Context(), in.pixels, 4)
	keep("encode_image/features", images.Data, err)
	texts, err := m.EncodeText(t.Context(), in.tokens)
	keep("encode_text/features", texts.Data, err)
	prompts, err := m.EncodePrompt(t.Context(), in.context, in.prompts)
	keep("encode_prompt/features", prompts.Data, err)
	g, err := m.PromptGradient(t.Context(), in.context, in.prompts, in.features, in.targets, inputScale)
	keep("prompt_gradient/loss", []float32{float32(g.Loss)}, err)
	keep("prompt_gradient/gradient", g.Gradient.Data, err)
	keep("prompt_gradient/logits", g.Logits.Data, err)
	return outputs
}

func open(t *testing.T, dir string, o graphs.Options) *graphs.Model {
	t.Helper()
	m, err := graphs.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func largestDifference(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a {
		worst = math.Max(worst, math.Abs(float64(a[i])-float64(b[i]))) // math.Max keeps NaN
	}
	return worst
}
