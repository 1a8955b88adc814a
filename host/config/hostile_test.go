package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/host/config"
)

// Texts made to exhaust a reader are refused soon, in bounded words.
func TestHostileTexts(t *testing.T) {
	for name, text := range map[string]string{
		"list.toml":        "a = " + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000),
		"tables.toml":      "a = " + strings.Repeat("{a = ", 5_000),
		"dotted.toml":      strings.Repeat("a.", 60_000) + "a = 1",
		"models.toml":      strings.Repeat("[[models]]\npath = 'x'\n", 3_000),
		"list.json":        strings.Repeat("[", 60_000),
		"objects.json":     strings.Repeat(`{"a":`, 40_000),
		"flow.yaml":        strings.Repeat("[", 60_000),
		"block.yaml":       strings.Repeat("- ", 60_000),
		"explicit.yaml":    strings.Repeat("? ", 60_000),
		"unknown.yaml":     strings.Repeat("k", 50_000) + ": 1\n" + strings.Repeat("l", 60_000) + ": [",
		"every-key.yaml":   strings.ReplaceAll(strings.Repeat("k: 1\n", 5_000), "k", "learn"),
		"seeds.yaml":       "learn: {seeds: 99999999999}",
		"number.yaml":      "seed: " + strings.Repeat("9", 200_000),
		"size.yaml":        "label: {limits: {memory: " + strings.Repeat("9", 60_000) + "GiB}}",
		"large.yaml":       strings.Repeat("#", 300_000),
		"null-bytes.yaml":  strings.Repeat("\x00", 1000),
		"anchor-only.yaml": "&a",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := config.Load(config.Source{File: name, Text: []byte(text)})
			var faults *config.Error
			if !errors.As(err, &faults) {
				t.Fatalf("%T: %v", err, err)
			}
			if n := len(err.Error()); n > 20_000 {
				t.Errorf("a message of %d bytes", n)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
