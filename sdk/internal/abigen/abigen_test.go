package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sdk = "../.."

// TestGenerated holds the other languages' files to abi.go.
func TestGenerated(t *testing.T) {
	c, err := load(filepath.Join(sdk, "abi.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range targets {
		path := filepath.Join(sdk, file.path)
		want, err := file.generate(c, path)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("sdk/%s is not what abi.go says: run `go generate` in sdk (%v)", file.path, err)
		}
	}
}

func read(t *testing.T, source string) (*contract, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "abi.go")
	if err := os.WriteFile(path, []byte("package sdk\n"+source), 0o644); err != nil {
		t.Fatal(err)
	}
	return load(path)
}

func TestRefuses(t *testing.T) {
	for source, want := range map[string]string{
		"type A struct { X uint32; Y uint64 }\nconst SizeA = 16":                       "A.Y is padded from 4 to 8",
		"type A struct { X uint64; Y uint32 }\nconst SizeA = 16":                       "A is padded from 12 to 16",
		"type A struct { X uint32 }\nconst SizeA = 8":                                  "SizeA is 8, and the record has 4 bytes",
		"type A struct { X uint32 }":                                                   "there is no constant SizeA",
		"type A map[int]int":                                                           "A: there is no layout for map[int]int",
		"func F() {}":                                                                  "types, constants and names alone",
		"type AKind int32\nconst AOne AKind = 1\nvar aNames = [...]string{\"\"}":       "aNames has 0 names for 1 constants",
		"type AKind int32\nconst AOne AKind = 1\nvar bNames = [...]string{\"\", \"\"}": "bNames names no constants",
	} {
		if _, err := read(t, source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", source, err, want)
		}
	}
}

func TestComments(t *testing.T) {
	c, err := read(t, `
type AKind uint16

const (
	AOne AKind = 1
)

type Pair struct { X AKind; Y uint16 }

const SizePair = 4

const NoRow = ^uint64(0)
`)
	if err != nil {
		t.Fatal(err)
	}
	doc := "AOne of [Pair] has Pair.X, float32[C] and Pair[m], {u64 row} + f32[n]; NoRow in float64. Else none."
	for want, l := range map[string]language{
		"UPL_A_ONE of upl_pair has upl_pair.x, float[C] and upl_pair[m], {u64 row} + f32[n]; UPL_NO_ROW in double. Else none.": cLanguage,
		"`A_ONE` of `Pair` has `Pair.x`, `f32[C]` and `Pair[m]`, `{u64 row} + f32[n]`; `NO_ROW` in `f64`. Else none.":          rustLanguage,
		"AKind.ONE of Pair has Pair.x, float32[C] and Pair[m], {u64 row} + f32[n]; NO_ROW in float64. Else none.":              pythonLanguage,
	} {
		if got := c.comment(l, doc); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"ABIVersion": "ABI_VERSION", "ViewTopM": "VIEW_TOP_M", "ViewClassTopK": "VIEW_CLASS_TOP_K", "P": "P", "NoRow": "NO_ROW",
	} {
		if got := upper(name); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
	if got := camel("FeatureDim") + " " + camel("M"); got != "featureDim m" {
		t.Error(got)
	}
}

func TestWrap(t *testing.T) {
	words := strings.Repeat("word ", 20)
	want := "// " + strings.TrimSpace(strings.Repeat("word ", 17)) + "\n// word word word\n//\n// word\n"
	if got := wrap("// ", words+"\n\nword"); got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
