package dataset_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
)

// kept is the content of a picture in a container.
type kept struct{ data, stamp string }

func (k kept) Read() ([]byte, error) { return []byte(k.data), nil }
func (k kept) Stamp() string         { return k.stamp }

func TestPicture(t *testing.T) {
	file := filepath.Join(datatest.Tree(t, map[string]string{"a.png": "one"}), "a.png")
	alone := dataset.Picture{ID: "a.png", File: file}
	inside := dataset.Picture{ID: "0.tar/a.png", File: file, Content: kept{"two", "3 4"}}
	for want, p := range map[string]dataset.Picture{"one": alone, "two": inside} {
		if got, err := p.Read(); err != nil || !bytes.Equal(got, []byte(want)) {
			t.Errorf("%s holds %q (%v), want %q", p.ID, got, err, want)
		}
	}
	if alone.Name() != file || inside.Name() != "0.tar/a.png" || inside.Stamp() != "3 4" {
		t.Errorf("names %s, %s, stamp %s", alone.Name(), inside.Name(), inside.Stamp())
	}
	before := alone.Stamp()
	if err := os.Chtimes(file, time.Time{}, time.Unix(1, 2)); err != nil {
		t.Fatal(err)
	}
	if before == alone.Stamp() {
		t.Error("the stamp of a file that was touched is what it was")
	}
	gone := dataset.Picture{File: file + "x"}
	if _, err := gone.Read(); !errors.Is(err, fs.ErrNotExist) || gone.Stamp() != "absent" {
		t.Errorf("a file that is not there: %v, stamp %s", err, gone.Stamp())
	}
}
