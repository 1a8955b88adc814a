package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.yaml.in/yaml/v3"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	layout "oras.land/oras-go/v2/content/oci"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/oci"
)

// part is a blob of a stranger's artefact.
type part struct {
	mediaType string
	text      []byte
}

// craft pushes what no upl-host would, and returns its reference.
func craft(t *testing.T, artifactType string, config part, layers ...part) string {
	t.Helper()
	dir := t.TempDir()
	store, err := layout.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	put := func(p part) v1.Descriptor {
		d := content.NewDescriptorFromBytes(p.mediaType, p.text)
		if there, _ := store.Exists(t.Context(), d); there {
			return d
		}
		if err := store.Push(t.Context(), d, bytes.NewReader(p.text)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: artifactType, Config: put(config)}
	for _, layer := range layers {
		m.Layers = append(m.Layers, put(layer))
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oras.TagBytes(t.Context(), store, m.MediaType, text, "1"); err != nil {
		t.Fatal(err)
	}
	return "oci:" + dir + ":1"
}

func configOf(t *testing.T, manifest string) part {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(manifest), &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return part{oci.MediaTypeConfig, text}
}

// entry is a header with its text behind it.
type entry struct {
	tar.Header
	text string
}

func file(name, text string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}, text}
}

func archive(t *testing.T, entries ...entry) part {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	a := tar.NewWriter(zipped)
	for _, e := range entries {
		if err := a.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return part{oci.MediaTypeFolder, out.Bytes()}
}

// zeros is an archive of one file, of many zeros.
func zeros(t *testing.T, manifest entry, size int64) part {
	t.Helper()
	var out bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	a := tar.NewWriter(zipped)
	if err := a.WriteHeader(&manifest.Header); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte(manifest.text)); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bomb", Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	// The size alone is refused: no zero has to be there.
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return part{oci.MediaTypeFolder, out.Bytes()}
}

// headers is an archive of extended headers for a file that never comes.
func headers(t *testing.T) part {
	t.Helper()
	record := func(key, value string) string {
		n := len(key) + len(value) + 3
		for n < len(fmt.Sprint(n))+len(key)+len(value)+3 {
			n++
		}
		return fmt.Sprintf("%d %s=%s\n", n, key, value)
	}
	text := record("UPL.padding", strings.Repeat("x", 1<<19))
	var one bytes.Buffer
	a := tar.NewWriter(&one)
	if err := a.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "x", Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	block := one.Bytes()
	block[156] = tar.TypeXHeader
	sum := 0
	copy(block[148:156], "        ")
	for _, b := range block[:512] {
		sum += int(b)
	}
	copy(block[148:156], fmt.Sprintf("%06o\x00 ", sum))
	var out bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for range 560 { // more than 256 MiB, unpacked
		if _, err := zipped.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return part{oci.MediaTypeFolder, out.Bytes()}
}

func TestHostile(t *testing.T) {
	t.Parallel()
	wasm, proc := manifestFor("wasm", "decided.wasm"), manifestFor("process", "plugin.py")
	yaml := func(text string) part { return part{oci.MediaTypeManifest, []byte(text)} }
	code := part{oci.MediaTypeModule, []byte("\x00asm")}
	said, script := file(plugins.ManifestName, proc), file("plugin.py", "#!/bin/sh\n")
	special := func(kind byte, name, target string) entry {
		return entry{Header: tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o755}}
	}
	many := []entry{said, script}
	for i := range 20_001 {
		many = append(many, file(fmt.Sprint("f", i), ""))
	}
	process := func(entries ...entry) string {
		return craft(t, oci.ArtifactType, configOf(t, proc), archive(t, entries...))
	}
	refused, limit := as[*oci.ArtefactError], as[*plugins.LimitError]
	for name, test := range map[string]struct {
		ref  string
		want func(error) bool
		text string
	}{
		"an image":             {craft(t, "", part{v1.MediaTypeImageConfig, []byte("{}")}, part{v1.MediaTypeImageLayerGzip, []byte("x")}), refused, "artifact type"},
		"another config":       {craft(t, oci.ArtifactType, part{"application/json", []byte(`{}`)}, code, yaml(wasm)), refused, "config"},
		"no manifest":          {craft(t, oci.ArtifactType, part{oci.MediaTypeConfig, []byte("[]")}, code, yaml(wasm)), refused, "its manifest"},
		"a name with a path":   {craft(t, oci.ArtifactType, configOf(t, strings.Replace(wasm, "name: decided", "name: ../decided", 1)), code, yaml(wasm)), refused, "name"},
		"an entry with a path": {craft(t, oci.ArtifactType, configOf(t, manifestFor("wasm", "../x.wasm")), code, yaml(wasm)), refused, "entry"},
		"the manifest's entry": {craft(t, oci.ArtifactType, configOf(t, manifestFor("wasm", plugins.ManifestName)), code, yaml(manifestFor("wasm", plugins.ManifestName))), refused, "entry"},
		"another manifest":     {craft(t, oci.ArtifactType, configOf(t, wasm), code, yaml(strings.Replace(wasm, "1.2.3", "1.2.4", 1))), refused, "says otherwise"},
		"a broken manifest":    {craft(t, oci.ArtifactType, configOf(t, wasm), code, yaml("schema: 1\n")), refused, "name"},
		"a module twice":       {craft(t, oci.ArtifactType, configOf(t, wasm), code, code, yaml(wasm)), refused, "layers"},
		"an archive for wasm":  {craft(t, oci.ArtifactType, configOf(t, wasm), archive(t, said, script)), refused, "layers"},
		"a module for process": {craft(t, oci.ArtifactType, configOf(t, proc), code, yaml(proc)), refused, "layers"},
		"a huge module":        {craft(t, oci.ArtifactType, configOf(t, wasm), part{oci.MediaTypeModule, make([]byte, 17<<20)}, yaml(wasm)), limit, "application/wasm"},
		"a huge config":        {craft(t, oci.ArtifactType, part{oci.MediaTypeConfig, bytes.Repeat([]byte{' '}, 2<<20)}, code, yaml(wasm)), limit, "manifest"},

		"no gzip":              {craft(t, oci.ArtifactType, configOf(t, proc), part{oci.MediaTypeFolder, []byte("PK")}), refused, "archive"},
		"half an archive":      {craft(t, oci.ArtifactType, configOf(t, proc), part{oci.MediaTypeFolder, archive(t, said, script).text[:100]}), refused, "archive"},
		"no entry":             {process(said), refused, "plugin.py"},
		"no upl-plugin.yaml":   {process(script), refused, plugins.ManifestName},
		"a way up":             {process(said, script, file("../evil", "x")), refused, `"../evil" is not a path`},
		"a way up, in between": {process(said, script, file("lib/../../evil", "x")), refused, "is not a path"},
		"a name not clean":     {process(said, script, file("lib//x", "x")), refused, "is not a path"},
		"the root":             {process(said, script, file("/tmp/evil", "x")), refused, "is not a path"},
		"a link":               {process(said, script, special(tar.TypeSymlink, "lib", "/tmp"), file("lib/evil", "x")), refused, "link"},
		"an entry by a link":   {process(said, special(tar.TypeSymlink, "plugin.py", "/bin/sh")), refused, "link"},
		"a hard link":          {process(said, script, special(tar.TypeLink, "evil", "/etc/passwd")), refused, "link"},
		"a device":             {process(said, script, special(tar.TypeChar, "null", "")), refused, "special"},
		"a pipe":               {process(said, script, special(tar.TypeFifo, "pipe", "")), refused, "special"},
		"a file twice":         {process(said, script, script), refused, "exists"},
		"a file as a folder":   {process(said, script, file("plugin.py/x", "")), refused, "plugin.py/x"},
		"a name too long":      {process(said, script, file(strings.Repeat("n", 300), "")), refused, "cannot be unpacked"},
		"too many files":       {process(many...), limit, "20000 files"},
		"a bomb":               {craft(t, oci.ArtifactType, configOf(t, proc), zeros(t, said, 2<<30)), limit, "unpacks to more"},
		"headers without end":  {craft(t, oci.ArtifactType, configOf(t, proc), headers(t)), limit, "unpacks to more"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := filepath.Join(t.TempDir(), "plugins")
			_, err := oci.Pull(t.Context(), test.ref, parent, oci.PullOptions{})
			fails(t, name, err, test.want, test.text)
			nothing(t, parent)
			nothing(t, filepath.Join(parent, "..", "evil"))
		})
	}
}

// TestDamaged flips one byte of each part in turn.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for kind, make := range map[string]func(*testing.T) string{"module": module, "process": process} {
		dir := t.TempDir()
		push(t, make(t), "oci:"+dir+":1", oci.Options{})
		blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
		if err != nil || len(blobs) != map[string]int{"module": 4, "process": 3}[kind] {
			t.Fatalf("%s: %d blobs, %v", kind, len(blobs), err)
		}
		for _, blob := range blobs {
			text, err := os.ReadFile(blob)
			if err != nil {
				t.Fatal(err)
			}
			flipped := bytes.Clone(text)
			flipped[len(text)/2] ^= 1
			for what, damaged := range map[string][]byte{"a byte flipped": flipped, "the end missing": text[:len(text)-1], "more at the end": append(bytes.Clone(text), 0)} {
				if err := os.Chmod(blob, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(blob, damaged, 0o600); err != nil {
					t.Fatal(err)
				}
				parent := t.TempDir()
				_, err := oci.Pull(t.Context(), "oci:"+dir+":1", parent, oci.PullOptions{})
				fails(t, kind+", "+what, err, as[*oci.DigestError], "")
				nothing(t, parent)
			}
			if err := os.WriteFile(blob, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		pull(t, "oci:"+dir+":1", t.TempDir(), oci.PullOptions{})
	}
}

func TestNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	push(t, module(t), "oci:"+dir+":1", oci.Options{})
	absent := "sha256:" + strings.Repeat("0", 64)
	for name, test := range map[string]struct {
		ref  string
		want func(error) bool
	}{
		"no folder":     {"oci:" + dir + "/nowhere:1", as[*oci.NotFoundError]},
		"no tag":        {"oci:" + dir + ":2", as[*oci.NotFoundError]},
		"no digest":     {"oci:" + dir + "@" + absent, as[*oci.NotFoundError]},
		"nothing":       {"", as[*oci.ReferenceError]},
		"a name":        {"decided", as[*oci.ReferenceError]},
		"without a tag": {"registry.example/org/decided", as[*oci.ReferenceError]},
		"upper case":    {"registry.example/Org/decided:1", as[*oci.ReferenceError]},
		"half a digest": {"registry.example/org/decided@sha256:00", as[*oci.ReferenceError]},
	} {
		parent := t.TempDir()
		_, err := oci.Pull(t.Context(), test.ref, parent, oci.PullOptions{})
		fails(t, name, err, test.want, "")
		nothing(t, parent)
	}
	if _, err := os.Stat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("pulling made the layout's folder")
	}
}
