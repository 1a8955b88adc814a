package encode_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/encode"
)

func openTexts(t *testing.T, folder string, log *bytes.Buffer) *encode.Texts {
	t.Helper()
	texts, err := encode.OpenTexts(folder, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func someFeatures(seed float32) array.Matrix {
	m := array.NewMatrix(3, 4)
	for i := range m.Data {
		m.Data[i] = seed + float32(i)
	}
	return m
}

// What is kept comes back as it was, to another process too; a key of which
// another one is the beginning is another key.
func TestTextsAreKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "with [brackets]", "texts")
	texts := openTexts(t, folder, new(bytes.Buffer))
	if _, there := texts.Get("a", 3, 4); there {
		t.Error("an empty cache has something")
	}
	want := map[string]array.Matrix{"a": someFeatures(1), "ab": someFeatures(2)}
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for key, features := range want {
				if err := texts.Put(key, features); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	again := openTexts(t, folder, new(bytes.Buffer))
	for key, features := range want {
		got, there := again.Get(key, 3, 4)
		if diff := cmp.Diff(features, got); !there || diff != "" {
			t.Errorf("%s: there %v %s", key, there, diff)
		}
		if got, there = again.Get(key, 3, 0); !there || !cmp.Equal(features, got) {
			t.Errorf("%s, whatever its width: there %v", key, there)
		}
	}
}

// Damaged features are not used, and make room for what replaces them.
func TestDamagedTextsAreEncodedAnew(t *testing.T) {
	for name, change := range map[string]func(data []byte) []byte{
		"a flipped byte": func(data []byte) []byte { data[len(data)-5] ^= 1; return data },
		"truncated":      func(data []byte) []byte { return data[:len(data)/2] },
		"empty":          func([]byte) []byte { return nil },
		"other width":    func(data []byte) []byte { return bytes.Replace(data, []byte("(3, 4)"), []byte("(4, 3)"), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			folder, log := t.TempDir(), new(bytes.Buffer)
			texts := openTexts(t, folder, log)
			if err := texts.Put("key", someFeatures(1)); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(folder + "/*")
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			data, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], change(data), 0o644); err != nil {
				t.Fatal(err)
			}
			if got, there := texts.Get("key", 3, 4); there {
				t.Errorf("the cache gives %v", got)
			}
			if !strings.Contains(log.String(), "unreadable") {
				t.Errorf("no warning in %q", log)
			}
			if err := texts.Put("key", someFeatures(1)); err != nil {
				t.Fatal(err)
			}
			if got, there := texts.Get("key", 3, 4); !there || cmp.Diff(someFeatures(1), got) != "" {
				t.Errorf("after it was put again: there %v, %v", there, got)
			}
		})
	}
}
