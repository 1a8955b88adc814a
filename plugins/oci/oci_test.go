package oci_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/oci"
)

const manifest = `schema: 1
name: decided
version: 1.2.3
summary: what leads by a margin
licence: Apache-2.0
runtime: RUNTIME
abi: 1
entry: ENTRY
policies:
  - name: decided
    version: 1.0.0
    kind: selection
    summary: every image whose first class leads by a margin
    needs: {views: [stats], rounds: false}
    parameters: {type: object, properties: {lead: {type: number, default: 0.5}}}
`

func manifestFor(runtime, entry string) string {
	return strings.NewReplacer("RUNTIME", runtime, "ENTRY", entry).Replace(manifest)
}

// write makes a folder of files; those whose name ends in .py can be executed.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		mode := os.FileMode(0o600)
		if strings.HasSuffix(name, ".py") {
			mode = 0o700
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func module(t *testing.T) string {
	return write(t, map[string]string{plugins.ManifestName: manifestFor("wasm", "decided.wasm"), "decided.wasm": "\x00asm\x01\x00\x00\x00"})
}

func process(t *testing.T) string {
	return write(t, map[string]string{
		plugins.ManifestName: manifestFor("process", "plugin.py"),
		"plugin.py":          "#!/usr/bin/env python3\n", "lib/one.txt": "1", "lib/deeper/two.txt": "2", ".hidden": "", "z.txt": "z",
	})
}

// read is a folder's files with their modes.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		name, _ := filepath.Rel(dir, path)
		files[name] = info.Mode().String() + " " + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// nothing holds a folder to having no entries, hidden ones included.
func nothing(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(entries) > 0 {
		t.Errorf("%s holds %v, %v", dir, entries, err)
	}
}

func push(t *testing.T, folder, to string, o oci.Options) oci.Artefact {
	t.Helper()
	a, err := oci.Push(t.Context(), folder, to, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func pull(t *testing.T, from, parent string, o oci.PullOptions) oci.Pulled {
	t.Helper()
	p, err := oci.Pull(t.Context(), from, parent, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// roundTrip pushes both kinds of plugins and pulls them by tag and by digest.
func roundTrip(t *testing.T, place string, o oci.Options) {
	t.Helper()
	for _, test := range []struct {
		kind, folder, hash string
		want               map[string]string
	}{
		{"module", module(t), "sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476", map[string]string{
			plugins.ManifestName: "-rw-r--r-- " + manifestFor("wasm", "decided.wasm"),
			"decided.wasm":       "-rw-r--r-- \x00asm\x01\x00\x00\x00",
		}},
		{"process", process(t), "h1:", map[string]string{
			plugins.ManifestName: "-rw-r--r-- " + manifestFor("process", "plugin.py"),
			"plugin.py":          "-rwxr-xr-x #!/usr/bin/env python3\n",
			"lib/one.txt":        "-rw-r--r-- 1", "lib/deeper/two.txt": "-rw-r--r-- 2", ".hidden": "-rw-r--r-- ", "z.txt": "-rw-r--r-- z",
		}},
	} {
		pushed := push(t, test.folder, place+"/"+test.kind+":1.2.3", o)
		if !strings.HasPrefix(pushed.Hash, test.hash) {
			t.Errorf("%s: hash %s, not %s", test.kind, pushed.Hash, test.hash)
		}
		for _, ref := range []string{":1.2.3", "@" + pushed.Digest} {
			parent := t.TempDir()
			pulled := pull(t, place+"/"+test.kind+ref, parent, oci.PullOptions{Options: o})
			if pulled.Folder != filepath.Join(parent, "decided") || pulled.Same {
				t.Errorf("%s%s: pulled into %s, same %v", test.kind, ref, pulled.Folder, pulled.Same)
			}
			if want := place + "/" + test.kind + "@" + pushed.Digest; pulled.Pinned != want || pushed.Pinned != want {
				t.Errorf("pinned: pushed %s, pulled %s, want %s", pushed.Pinned, pulled.Pinned, want)
			}
			if pulled.Digest != pushed.Digest || pulled.Hash != pushed.Hash || pulled.Size != pushed.Size || pulled.Manifest.Version != "1.2.3" {
				t.Errorf("%s%s: pushed %+v, pulled %+v", test.kind, ref, pushed, pulled.Artefact)
			}
			same(t, read(t, pulled.Folder), test.want)
			if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
				t.Errorf("beside the plugin: %v, %v", entries, err)
			}
		}
		// What is there is not uploaded, nor named, again.
		if again := push(t, test.folder, place+"/"+test.kind+":1.2.3", o); again.Digest != pushed.Digest {
			t.Errorf("%s: pushed again, %s is not %s", test.kind, again.Digest, pushed.Digest)
		}
	}
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: %q, not %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("files %v, not %v", got, want)
	}
}

func TestLayout(t *testing.T) {
	t.Parallel()
	roundTrip(t, "oci:"+t.TempDir(), oci.Options{})
}

// TestDigest holds the digest to the contents: not to times, modes of reading or
// where the folder lies. It must not change between versions of this program,
// either: the same folder is then another artefact to everybody.
func TestDigest(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T) string{"module": module, "process": process} {
		first := make(t)
		second := make(t)
		for path := range read(t, second) {
			err := errors.Join(
				os.Chtimes(filepath.Join(second, path), time.Unix(1, 0), time.Unix(2, 0)),
				os.Chmod(filepath.Join(second, path), map[bool]os.FileMode{true: 0o755, false: 0o640}[strings.HasSuffix(path, ".py")]),
			)
			if err != nil {
				t.Fatal(err)
			}
		}
		place := "oci:" + t.TempDir()
		a, b := push(t, first, place+":a", oci.Options{}), push(t, second, place+":b", oci.Options{})
		if a.Digest != b.Digest {
			t.Errorf("%s: %s is not %s", name, a.Digest, b.Digest)
		}
		if err := os.WriteFile(filepath.Join(second, plugins.ManifestName), []byte(strings.ReplaceAll(manifestFor("wasm", "decided.wasm"), "1.2.3", "1.2.4")), 0o600); name == "module" && err == nil {
			if c := push(t, second, place+":b", oci.Options{}); c.Digest == a.Digest {
				t.Errorf("%s: another version has the same digest", name)
			}
		}
	}
}

func TestPushRefuses(t *testing.T) {
	t.Parallel()
	link := process(t)
	if err := os.Symlink("/etc/hostname", filepath.Join(link, "lib", "link")); err != nil {
		t.Fatal(err)
	}
	outside := write(t, map[string]string{plugins.ManifestName: manifestFor("wasm", "decided.wasm")})
	if err := os.Symlink("/etc/hostname", filepath.Join(outside, "decided.wasm")); err != nil {
		t.Fatal(err)
	}
	huge := module(t)
	if err := os.Truncate(filepath.Join(huge, "decided.wasm"), 17<<20); err != nil {
		t.Fatal(err)
	}
	many := process(t)
	if err := os.Truncate(filepath.Join(many, "z.txt"), 2<<30); err != nil { // sparse
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		folder, to string
		want       func(error) bool
		text       string
	}{
		"no folder":      {filepath.Join(link, "nowhere"), "a:1", is(fs.ErrNotExist), ""},
		"no manifest":    {t.TempDir(), "a:1", is(fs.ErrNotExist), plugins.ManifestName},
		"a bad manifest": {write(t, map[string]string{plugins.ManifestName: "schema: 2"}), "a:1", as[*plugins.ManifestError], ""},
		"no module":      {write(t, map[string]string{plugins.ManifestName: manifestFor("wasm", "decided.wasm")}), "a:1", is(fs.ErrNotExist), "decided.wasm"},
		"a link":         {link, "a:1", anything, "lib/link is a link"},
		"a way out":      {outside, "a:1", anything, "escapes"},
		"a huge module":  {huge, "a:1", as[*plugins.LimitError], ""},
		"a huge folder":  {many, "a:1", as[*plugins.LimitError], ""},
		"a digest":       {module(t), "a@sha256:" + strings.Repeat("0", 64), as[*oci.ReferenceError], "needs a tag"},
		"no tag":         {module(t), "a", as[*oci.ReferenceError], ""},
		"a bad tag":      {module(t), "a:!", as[*oci.ReferenceError], ""},
	} {
		layout := filepath.Join(t.TempDir(), "layout")
		_, err := oci.Push(t.Context(), test.folder, "oci:"+filepath.Join(layout, test.to), oci.Options{})
		fails(t, name, err, test.want, test.text)
		if _, err := os.Stat(layout); err == nil {
			t.Errorf("%s: the layout was begun", name)
		}
	}
}

// fails wants an error of that kind, which says text.
func fails(t *testing.T, name string, err error, kind func(error) bool, text string) {
	t.Helper()
	if err == nil || !kind(err) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: want another error, with %q, than %T: %v", name, text, err, err)
	}
}

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func anything(error) bool { return true }

func TestOverwrite(t *testing.T) {
	t.Parallel()
	place, parent := "oci:"+t.TempDir(), t.TempDir()
	push(t, module(t), place+":module", oci.Options{})
	push(t, process(t), place+":process", oci.Options{})
	pull(t, place+":module", parent, oci.PullOptions{})
	if again := pull(t, place+":module", parent, oci.PullOptions{}); !again.Same || again.Hash == "" {
		t.Errorf("the same again: %+v", again)
	}
	before := read(t, parent)
	_, err := oci.Pull(t.Context(), place+":process", parent, oci.PullOptions{})
	fails(t, "another", err, as[*oci.ExistsError], "--overwrite")
	same(t, read(t, parent), before)
	if p := pull(t, place+":process", parent, oci.PullOptions{Overwrite: true}); p.Same || p.Manifest.Runtime != "process" {
		t.Errorf("overwritten: %+v", p)
	}
	if after := read(t, parent); len(after) != 6 {
		t.Errorf("after overwriting: %v", after)
	}
	// What is no plugin is somebody's.
	parent = write(t, map[string]string{"decided/thesis.txt": "years"})
	_, err = oci.Pull(t.Context(), place+":module", parent, oci.PullOptions{Overwrite: true})
	fails(t, "no plugin", err, as[*oci.ExistsError], "is no plugin")
	same(t, read(t, parent), map[string]string{"decided/thesis.txt": "-rw------- years"})
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	place, parent := "oci:"+t.TempDir(), t.TempDir()
	push(t, process(t), place+":1", oci.Options{})
	cancel()
	_, err := oci.Pull(ctx, place+":1", parent, oci.PullOptions{})
	fails(t, "pull", err, is(context.Canceled), "")
	nothing(t, parent)
	_, err = oci.Push(ctx, process(t), place+":2", oci.Options{})
	fails(t, "push", err, is(context.Canceled), "")
}
