package config_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/host/config"
)

func TestParseSize(t *testing.T) {
	for _, test := range []struct {
		text   string
		want   config.Size
		string string
	}{
		{"0", 0, "0"},
		{"1000", 1000, "1000"},
		{"1024", 1024, "1KiB"},
		{"256MiB", 256 << 20, "256MiB"},
		{"1.5 GiB", 3 << 29, "1536MiB"},
		{"2GB", 2e9, "1953125KiB"},
		{"12B", 12, "12"},
	} {
		got, err := config.ParseSize(test.text)
		if err != nil || got != test.want || got.String() != test.string {
			t.Errorf("ParseSize(%q) = %d (%v), %v; want %d (%s)", test.text, got, got, err, test.want, test.string)
		}
	}
	for _, text := range []string{"", "B", "MiB", "-1", "1e3", "0.5B", "1.0001KiB", "9EB", "1 2MB", "1.2.3GB", "9223372036854775808", "10000000TiB"} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestSizeReadsAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := config.Size(rapid.Int64Min(0).Draw(t, "bytes"))
		if got, err := config.ParseSize(want.String()); got != want || err != nil {
			t.Fatalf("%v read again is %d, %v", want, got, err)
		}
	})
}
