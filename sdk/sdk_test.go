package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// TestLayout holds the Go records to the sizes of the binary interface.
func TestLayout(t *testing.T) {
	for name, sizes := range map[string][2]uintptr{
		"ViewSpec":  {unsafe.Sizeof(ViewSpec{}), SizeViewSpec},
		"Dataset":   {unsafe.Sizeof(Dataset{}), SizeDataset},
		"Candidate": {unsafe.Sizeof(Candidate{}), SizeCandidate},
		"Stats":     {unsafe.Sizeof(Stats{}), SizeStats},
		"Ranked":    {unsafe.Sizeof(Ranked{}), SizeRanked},
		"Label":     {unsafe.Sizeof(Label{}), SizeLabel},
		"Emitted":   {unsafe.Sizeof(Emitted{}), SizeEmitted},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s has %d bytes, not %d", name, sizes[0], sizes[1])
		}
	}
	label := []Label{{Row: 1 << 32, Class: 2, Weight: 1}}
	want := []byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0}
	if got := bytesOf(label); !bytes.Equal(got, want) {
		t.Errorf("a label is % x, not % x", got, want)
	}
}

// TestDocument holds the layouts and codes that docs/plugin-abi.md tells other
// languages to those of this package.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/plugin-abi.md")
	if err != nil {
		t.Fatal(err)
	}
	says := func(format string, args ...any) {
		t.Helper()
		if row := fmt.Sprintf(format, args...); !strings.Contains(string(text), row) {
			t.Errorf("does not say %q", row)
		}
	}
	names := map[string]string{"uint16": "u16", "uint32": "u32", "uint64": "u64", "int32": "i32", "float32": "f32", "ViewKind": "u16"}
	snake := regexp.MustCompile("([a-z])([A-Z])")
	for name, layout := range map[string]reflect.Type{"upl_dataset": reflect.TypeFor[Dataset](), "upl_view_spec": reflect.TypeFor[ViewSpec]()} {
		_, table, _ := strings.Cut(string(text), fmt.Sprintf("`%s`, %d bytes:\n\n", name, layout.Size()))
		table, _, _ = strings.Cut(table, "\n\n")
		rows := strings.Split(table, "\n")
		if len(rows) != 2+layout.NumField() {
			t.Fatalf("%s has %d lines in the document for %d fields", name, len(rows), layout.NumField())
		}
		for i, row := range rows[2:] {
			f := layout.Field(i)
			kind := names[f.Type.Name()]
			if f.Type.Kind() == reflect.Array {
				kind = fmt.Sprintf("%s[%d]", names[f.Type.Elem().Name()], f.Type.Len())
			}
			want := fmt.Sprintf("| %d | %s | %s |", f.Offset, kind, strings.ToLower(snake.ReplaceAllString(f.Name, "${1}_${2}")))
			if !strings.HasPrefix(row, want) {
				t.Errorf("%s has the row %q, not %q", name, row, want)
			}
		}
	}
	for kind := ViewRows; kind <= ViewFeatures; kind++ {
		says("| %d | `%s` |", kind, kind)
	}
	for kind, name := range map[EmitKind]string{
		EmitHard: "hard", EmitSoft: "soft", EmitCandidates: "candidates", EmitDrop: "drop", EmitCombined: "combined",
	} {
		says("| %d %s |", kind, name)
	}
	for code, name := range map[Code]string{
		CodeInvalid: "INVALID", CodeRange: "RANGE", CodeNotSupported: "NOT_SUPPORTED", CodeDenied: "DENIED",
		CodeLimit: "LIMIT", CodeState: "STATE", CodeConfig: "CONFIG", CodeData: "DATA", CodeInternal: "INTERNAL",
	} {
		says("| %d | %s |", code, name)
	}
}

func TestDescribe(t *testing.T) {
	described := Describe(
		Policy{Name: "a", Version: "1.0.0", Summary: "quoted \"and\"\n\u2028", Needs: []ViewKind{ViewStats, ViewClassTopK}, Rounds: true},
		Policy{Name: "b", Parameters: `{"type": "object"}`, Ensemble: func() Combiner { return nil }},
	)
	type policy struct {
		Name, Version, Summary string
		Kind                   Kind
		Needs                  struct {
			Views  []string
			Rounds bool
		}
		Parameters map[string]any
	}
	var got struct{ Policies []policy }
	if err := json.Unmarshal(described, &got); err != nil {
		t.Fatalf("%v: %s", err, described)
	}
	a, b := got.Policies[0], got.Policies[1]
	if a.Summary != "quoted \"and\"\n\u2028" || a.Kind != KindSelection || strings.Join(a.Needs.Views, " ") != "stats class_top_k" || !a.Needs.Rounds {
		t.Errorf("%+v", a)
	}
	if a.Parameters["additionalProperties"] != false || b.Kind != KindEnsemble || b.Needs.Rounds {
		t.Errorf("%+v, %+v", a, b)
	}
}

func TestParameters(t *testing.T) {
	config, err := parseJSON([]byte(`{"n": 3, "x": -2.5e-1, "s": "text", "b": true, "l": [1, 2], "none": null, "big": 1e300, "mixed": [1, "2"]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := &Setup{params: config.(object)}
	n, err1 := s.Int("n")
	x, err2 := s.Float("x")
	text, err3 := s.Text("s")
	b, err4 := s.Bool("b")
	l, err5 := s.Floats("l")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil || n != 3 || x != -0.25 || text != "text" || !b || len(l) != 2 || l[1] != 2 {
		t.Errorf("%v %v %v %v %v: %v", n, x, text, b, l, err)
	}
	if s.Has("none") || s.Has("absent") || !s.Has("n") {
		t.Error("Has is wrong")
	}
	for name, read := range map[string]func(string) error{
		"absent": func(p string) error { _, err := s.Int(p); return err },
		"none":   func(p string) error { _, err := s.Text(p); return err },
		"x":      func(p string) error { _, err := s.Int(p); return err },
		"big":    func(p string) error { _, err := s.Int(p); return err },
		"s":      func(p string) error { _, err := s.Float(p); return err },
		"n":      func(p string) error { _, err := s.Bool(p); return err },
		"mixed":  func(p string) error { _, err := s.Floats(p); return err },
	} {
		if err := read(name); !errors.Is(err, &Error{Code: CodeConfig}) || !strings.Contains(err.Error(), "parameter "+name+": is ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzJSON holds the reader to encoding/json.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a": [1, -2.5e+3, true, false, null, "\u00e9\ud83d\ude00\n\ud800x"], "a": {}}`, `[]`, `01`, `1.`, `-`, `"\x"`,
		"\"\x01\"", "\"\xff\"", `{"a":1,}`, `[1 2]`, ` 1 `, `nul`, `{"a"}`, `"\ud800\u0041"`, `1e`, `--1`, `[[[[]]]]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want any
		err := d.Decode(&want)
		valid := err == nil && json.Valid(text)
		got, err := parseJSON(text)
		if valid && err != nil && strings.Count(string(text), "[")+strings.Count(string(text), "{") > maxDepth {
			return // deeper than a guest reads
		}
		if (err == nil) != valid {
			t.Fatalf("%q: %v, and encoding/json says %t", text, err, valid)
		}
		if err != nil {
			return
		}
		a, err1 := json.Marshal(plain(got))
		b, err2 := json.Marshal(want)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Fatalf("%q: %s, not %s", text, a, b)
		}
	})
}

// plain is a value as encoding/json decodes it.
func plain(v value) any {
	switch v := v.(type) {
	case number:
		return json.Number(v)
	case []value:
		out := []any{}
		for _, item := range v {
			out = append(out, plain(item))
		}
		return out
	case object:
		out := map[string]any{}
		for _, m := range v {
			out[m.name] = plain(m.value) // of equal names the last
		}
		return out
	}
	return v
}

func TestErrors(t *testing.T) {
	err := wrap("reading", &Error{Code: CodeRange})
	if err.Error() != "reading: out of range" || !errors.Is(err, &Error{Code: CodeRange}) || errors.Is(err, &Error{Code: CodeState}) {
		t.Error(err)
	}
	if code, message := CodeOf(errors.New("mine")); code != CodeInternal || message != "mine" {
		t.Error(code, message)
	}
	for code := CodeInternal; code <= CodeInvalid; code++ {
		if name := code.String(); name == "" || strings.Contains(name, strconv.Itoa(int(code))) {
			t.Errorf("code %d has no name: %q", code, name)
		}
	}
}
