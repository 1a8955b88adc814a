package isolated_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/plugins/isolated"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// TestMain is the child too.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "isolated" {
		isolated.Serve(os.Args[3], os.Args[2])
	}
	os.Exit(m.Run())
}

func open(t *testing.T, code []byte) *isolated.Carrier {
	t.Helper()
	c, err := isolated.Open([]string{os.Args[0], "isolated", filepath.Join(t.TempDir(), "cache")}, code, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestIsolated runs a Go guest's ways to fail in a child: the errors are those of a
// sandbox in this process.
func TestIsolated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guest.wasm")
	command := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", file, "../wasm/testdata/guest")
	command.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, code)
	policies, err := c.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := sdktest.Matrix{Values: []float32{1, 0, 0, 0.25, 0.5, 0.25}, C: 3}
	in := session.Input{
		Ensemble: p, Models: []session.Probabilities{p}, ClassNames: []string{"a", "b", "c"},
		Takes:  []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
		Limits: session.Limits{Memory: 16 << 20, Call: 20 * time.Second, Output: 64 << 10},
	}
	ran := map[string]error{}
	for _, policy := range policies {
		_, err := session.Select(t.Context(), policy, in, session.On(c, policy, in.Limits))
		ran[policy.Name] = err
	}
	var limit *session.LimitError
	if err := ran["allocates"]; !errors.As(err, &limit) || limit.Limit != session.LimitMemory {
		t.Errorf("allocates: %T %v", err, err)
	}
	if err := ran["floods"]; !errors.As(err, &limit) || limit.Limit != session.LimitOutput {
		t.Errorf("floods: %T %v", err, err)
	}
	var guest *session.GuestError
	if err := ran["panics"]; !errors.As(err, &guest) || !strings.Contains(guest.Message, "main.(*policy).EndRound main.go:") {
		t.Errorf("panics: %T %v", err, err)
	}
	if err := ran["refuses"]; !errors.As(err, &guest) || guest.Code != sdk.CodeConfig {
		t.Errorf("refuses: %T %v", err, err)
	}
	if err := ran["looks-around"]; err != nil {
		t.Errorf("looks-around: %v", err)
	}
}

// TestNoModule hands the child what is none.
func TestNoModule(t *testing.T) {
	if _, err := open(t, []byte("#!/bin/sh")).Describe(t.Context()); !errors.As(err, new(*session.ProtocolError)) {
		t.Errorf("%T: %v", err, err)
	}
}
