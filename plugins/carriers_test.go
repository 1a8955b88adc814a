package plugins_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/internal/witness"
	"github.com/upl-host/upl-host/plugins/process"
	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// carriers are one Go source on all of them: as a WASM module, as a program, and in
// this process (nil).
func carriers(t testing.TB, source string) map[string]session.Carrier {
	t.Helper()
	folder := t.TempDir()
	build := func(name string, variables, flags []string) string {
		file := filepath.Join(folder, name)
		command := exec.Command("go", append(append([]string{"build", "-trimpath", "-o", file}, flags...), source)...)
		command.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="), variables...)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return file
	}
	code, err := os.ReadFile(build("plugin.wasm", []string{"GOOS=wasip1", "GOARCH=wasm"}, []string{"-buildmode=c-shared"}))
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasm.Load(t.Context(), code, wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]session.Carrier{
		"wasm":       module,
		"process":    process.Open([]string{build("plugin", nil, nil)}, process.Options{}),
		"in-process": nil,
	}
	t.Cleanup(func() {
		for name, c := range all {
			if c == nil {
				continue
			}
			if err := c.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	return all
}

// outcome is all that a run of a policy leaves behind.
type outcome struct {
	Selection plugins.Selection
	Combined  []float32
	Record    plugins.Record
	Error     string
}

func runOn(t testing.TB, carrier session.Carrier, policy sdk.Policy, in plugins.Input) outcome {
	t.Helper()
	description, err := sdktest.Describe(policy)
	if err != nil {
		t.Fatal(err)
	}
	start := session.InProcess(policy)
	if carrier != nil {
		start = session.On(carrier, description, in.Limits)
	}
	var o outcome
	if policy.Kind() == sdk.KindEnsemble {
		in.Ensemble = nil
		o.Record, err = session.Combine(t.Context(), description, in, func(_ int, rows []float32) error {
			o.Combined = append(o.Combined, rows...)
			return nil
		}, start)
	} else {
		o.Selection, err = session.Select(t.Context(), description, in, start)
	}
	if err != nil {
		o.Error, _, _ = strings.Cut(err.Error(), "\n") // the stack behind it is the carrier's
	}
	return o
}

func matrix(rng *rand.Rand, rows, classes int) sdktest.Matrix {
	values := make([]float32, rows*classes)
	for i := range rows {
		row := values[i*classes : (i+1)*classes]
		var sum float32
		for c := range row {
			row[c] = float32(rng.IntN(8) + 1) // few values: ties
			sum += row[c]
		}
		for c := range row {
			row[c] /= sum
		}
	}
	return sdktest.Matrix{Values: values, C: classes}
}

// TestCarriers runs one source as a module, as a program and in this process, with
// one thread and with eight: what it sees, what becomes of it, and how it fails is
// the same.
func TestCarriers(t *testing.T) {
	all := carriers(t, "./internal/witness/plugin")
	for _, size := range [][3]int{{0, 3, 1}, {1, 1, 1}, {7, 3, 2}, {300, 5, 3}, {40, 400, 2}} {
		for _, batch := range []int{0, 1, 7} {
			rng := rand.New(rand.NewPCG(1, uint64(size[0])))
			in := plugins.Input{
				Ensemble: matrix(rng, size[0], size[1]), Seed: 3, BatchRows: batch, GrantFeatures: true,
				Takes:     []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
				NextRound: nil,
			}
			for range size[2] {
				in.Models = append(in.Models, matrix(rng, size[0], size[1]))
				in.Features = append(in.Features, matrix(rng, size[0], 6))
				in.TextFeatures = append(in.TextFeatures, matrix(rng, size[1], 6))
			}
			for c := range size[1] {
				in.ClassNames = append(in.ClassNames, fmt.Sprintf("class %d \"é\"\n", c))
			}
			compareCarriers(t, all, in, fmt.Sprint(size, " batches of ", batch))
		}
	}
}

func compareCarriers(t *testing.T, all map[string]session.Carrier, in plugins.Input, what string) {
	t.Helper()
	for _, policy := range witness.Policies {
		for _, fault := range []string{"", "configure", "forge", "panic"} {
			if fault != "" && in.BatchRows != 7 {
				continue
			}
			params, err := json.Marshal(map[string]string{"fault": fault})
			if err != nil {
				t.Fatal(err)
			}
			in.Params = params
			in.Threads = 1
			native := runOn(t, nil, policy, in)
			in.Threads = 8
			if fault == "" && native.Error != "" {
				t.Fatalf("%s of %s: %s", policy.Name, what, native.Error)
			}
			for name, carrier := range all {
				if diff := cmp.Diff(native, runOn(t, carrier, policy, in)); diff != "" {
					t.Errorf("%s of %s, fault %q: %s differs from in-process (-, +):\n%s", policy.Name, what, fault, name, diff)
				}
			}
		}
	}
}
