package parquet_test

import (
	"os"
	"path/filepath"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"github.com/upl-host/upl-host/host/dataset/parquet"
)

// FuzzFile reads footers and pages of anyone's making: whatever they say, a file is
// refused, or its pictures are read or refused; a panic ends neither the program nor
// the reading of others.
func FuzzFile(f *testing.F) {
	rows := []row{{picture("one"), number(0)}, {nil, nil}, {picture("three"), number(1)}}
	f.Add([]byte(write(f, rows, metadata("cat", "dog"))))
	f.Add([]byte(write(f, rows, metadata("cat", "dog"), library.Compression(&library.Zstd), library.MaxRowsPerRowGroup(1))))
	f.Add([]byte("PAR1\xff\xff\xff\x7fPAR1"))
	path := filepath.Join(f.TempDir(), "a.parquet")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := parquet.Open(path, parquet.Options{})
		if err != nil {
			return
		}
		for _, p := range set.Pictures {
			picture, err := p.Content.Read()
			if (picture == nil) == (err == nil) {
				t.Fatalf("%s: %q, %v", p.ID, picture, err)
			}
			if p.Class >= len(set.Classes) {
				t.Fatalf("%s is of class %d, of %d", p.ID, p.Class, len(set.Classes))
			}
		}
	})
}
