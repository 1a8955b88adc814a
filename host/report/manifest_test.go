package report

import (
	"encoding/json"
	"testing"
)

// Whatever is in the manifest: what is valid JSON can be shown, what is not is
// refused.
func FuzzParseNode(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"a": [{"b": 1, "c": {"d": [1, "x"]}}], "peak_memory_bytes": 1e9}`, `[1, {"a": null}]`, `{"a": 1} {`, `{"a": [[[[]]]]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := parseNode(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatal("taken, though it is no JSON")
		}
		show(n)
	})
}

// show reads all that the page's template reads.
func show(n node) {
	_, _, _ = n.Label(), n.Value(), n.Short()
	if n.Table() {
		for _, item := range n.Items {
			item.Row(n.Columns())
		}
	}
	for _, child := range append(n.Fields, n.Items...) {
		show(child)
	}
}

func TestValue(t *testing.T) {
	for _, test := range []struct{ key, text, want string }{
		{"peak_memory_bytes", "1234567890", "1.1\u202fGiB"},
		{"peak_memory_bytes", "12", "12\u202fB"},
		{"seconds", "0.004", "4\u202fms"},
		{"seconds", "83.25", "83.2\u202fs"},
		{"seconds", "1800", "30.0\u202fmin"},
		{"seconds", "90000", "25.0\u202fh"},
		{"seed", "18446744073709551615", "18446744073709551615"},
		{"seconds", "unknown", "unknown"},
	} {
		if got := (node{Key: test.key, Text: test.text}).Value(); got != test.want {
			t.Errorf("%s: %s is shown as %q, want %q", test.key, test.text, got, test.want)
		}
	}
}
