package shards

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
)

// FuzzIndex holds the index against archive/tar's own reading of the same bytes:
// whatever the index lists lies where it says, whole.
func FuzzIndex(f *testing.F) {
	var whole bytes.Buffer
	w := tar.NewWriter(&whole)
	for _, file := range []struct{ name, content string }{
		{"a.cls", "0"}, {"a.jpg", strings.Repeat("x", 700)}, {strings.Repeat("deep/", 40) + "ä.png", "y"}, {"b.cls", ""},
	} {
		if err := w.WriteHeader(&tar.Header{Name: file.name, Mode: 0o600, Size: int64(len(file.content)), Format: tar.FormatPAX}); err != nil {
			f.Fatal(err)
		}
		_, _ = w.Write([]byte(file.content))
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()-1024])
	f.Add(whole.Bytes()[:900])
	f.Add(append(whole.Bytes(), whole.Bytes()...))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		members, err := index(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		archive, end := tar.NewReader(bytes.NewReader(data)), int64(0)
		for _, m := range members {
			header, err := archive.Next()
			for err == nil && header.Typeflag == tar.TypeDir {
				header, err = archive.Next()
			}
			if err != nil {
				t.Fatalf("%s is listed, and not in the tar: %v", m.name, err)
			}
			if m.offset < end || m.size < 0 || m.offset+m.size > int64(len(data)) {
				t.Fatalf("%s lies at %d, %d bytes, of %d; the one before it ends at %d", m.name, m.offset, m.size, len(data), end)
			}
			end = m.offset + m.size
			want, err := io.ReadAll(archive)
			if err != nil {
				t.Fatalf("%s: %v", m.name, err)
			}
			if got := data[m.offset:end]; !bytes.Equal(got, want) {
				t.Fatalf("%s is %q, want %q", m.name, got, want)
			}
			if strings.HasSuffix(m.name, classExtension) && m.text != string(want[:min(len(want), maxClass+1)]) {
				t.Fatalf("%s holds %q, want %q", m.name, m.text, want)
			}
			if strings.HasPrefix(m.name, "/") || path.Clean("/"+m.name) != "/"+m.name {
				t.Fatalf("name %q is not clean", m.name)
			}
		}
		for {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil || header.Typeflag != tar.TypeDir {
				t.Fatalf("the tar has more than is listed: %v, %v", header, err)
			}
		}
	})
}
