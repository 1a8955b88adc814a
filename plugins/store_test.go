package plugins_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/upl-host/upl-host/plugins"
)

// TestSwapped replaces a program between its check and its start: the copy runs.
func TestSwapped(t *testing.T) {
	p := newPlace(t)
	dir := p.plugin("witness", plugins.RuntimeProcess)
	p.pin("witness")
	policy := p.allowed("scans")
	p.write("witness/witness.sh", []byte("#!/bin/sh\nexit 1\n"))
	p.write("witness/bin/witness", []byte("#!/bin/sh\nexit 1\n"))
	for range 2 { // the second starts a process of its own
		if _, err := runOnce(t, policy); err != nil {
			t.Error(err)
		}
	}
	if n := p.traces(); n != 2 {
		t.Errorf("it ran %d times", n)
	}
	p.refused("scans", plugins.StateChanged, p.command(dir))
}

// TestCopyEdited edits the copy that would run, in each way that there is.
func TestCopyEdited(t *testing.T) {
	for name, edit := range map[string]func(entry string) error{
		"bin/witness": func(entry string) error {
			file := filepath.Join(entry, "bin", "witness")
			return errors.Join(os.Remove(file), os.WriteFile(file, []byte("#!/bin/sh\n"), 0o700))
		},
		"extra":               func(entry string) error { return os.WriteFile(filepath.Join(entry, "extra"), nil, 0o600) },
		"witness.sh":          func(entry string) error { return os.Remove(filepath.Join(entry, "witness.sh")) },
		"link: it is neither": func(entry string) error { return os.Symlink("/bin/true", filepath.Join(entry, "link")) },
		"__pycache__":         func(entry string) error { return os.Mkdir(filepath.Join(entry, "__pycache__"), 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.plugin("witness", plugins.RuntimeProcess)
			p.pin("witness")
			p.allowed("scans")
			entries, err := os.ReadDir(p.store)
			if err != nil || len(entries) != 1 {
				t.Fatalf("%v: %v", entries, err)
			}
			entry := filepath.Join(p.store, entries[0].Name())
			if info, err := os.Stat(entry); err != nil || info.Mode().Perm() != 0o500 {
				t.Errorf("%v: %v", info, err)
			}
			if err := errors.Join(os.Chmod(entry, 0o700), os.Chmod(filepath.Join(entry, "bin"), 0o700), edit(entry)); err != nil {
				t.Fatal(err)
			}
			trust := p.refused("scans", plugins.StateCopyChanged, "chmod -R u+w "+entry+" && rm -r "+entry)
			if !strings.Contains(trust.Reason, name) {
				t.Errorf("%v does not name %s", trust, name)
			}
			if verified, err := p.catalogue().Verify(); err != nil || verified[0].State != plugins.StateCopyChanged {
				t.Errorf("%+v: %v", verified, err)
			}
			if out, err := exec.Command("sh", "-c", trust.Command).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			p.allowed("scans")
		})
	}
}

// TestStoreIsPrivate refuses a store that others can write to.
func TestStoreIsPrivate(t *testing.T) {
	p := newPlace(t)
	p.plugin("witness", plugins.RuntimeProcess)
	p.pin("witness")
	if err := errors.Join(os.Mkdir(p.store, 0o700), os.Chmod(p.store, 0o770)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.find("scans"); !errors.Is(err, os.ErrPermission) || p.traces() != 0 {
		t.Error(err)
	}
}

// TestUnfit has in a program's folder what cannot be pinned.
func TestUnfit(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"link":         func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "link")) },
		"inner":        func(dir string) error { return os.Symlink("witness.sh", filepath.Join(dir, "inner")) },
		"bin/up":       func(dir string) error { return os.Symlink("..", filepath.Join(dir, "bin", "up")) },
		"pipe":         func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600) },
		"bin/witness":  func(dir string) error { return os.Chmod(filepath.Join(dir, "bin", "witness"), 0o755|os.ModeSetuid) },
		".git":         func(dir string) error { return os.WriteFile(filepath.Join(dir, ".git"), nil, 0o600) },
		"bin/.venv":    func(dir string) error { return os.Mkdir(filepath.Join(dir, "bin", ".venv"), 0o700) },
		"__pycache__":  func(dir string) error { return os.Mkdir(filepath.Join(dir, "__pycache__"), 0o700) },
		"node_modules": func(dir string) error { return os.Mkdir(filepath.Join(dir, "node_modules"), 0o700) },
		"two\nlines":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "two\nlines"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			dir := p.plugin("witness", plugins.RuntimeProcess)
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			var unfit *plugins.UnfitError
			if _, err := p.catalogue().Pin(t.Context(), "witness", nil); !errors.As(err, &unfit) || unfit.Name != name || unfit.Folder != dir {
				t.Error(err)
			}
			if _, err := p.find("scans"); !errors.As(err, &unfit) {
				t.Error(err)
			}
		})
	}
}

// TestHash has the hash of a program be dirhash's, wherever the folder lies and
// whatever its modes and empty folders.
func TestHash(t *testing.T) {
	one, two := newPlace(t), newPlace(t)
	two.trace = one.trace
	dir := one.plugin("witness", plugins.RuntimeProcess)
	one.write("witness/a.b", []byte("sorts"))
	one.write("witness/a/b", []byte("between"))
	want, err := dirhash.HashDir(dir, "", dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	if got := one.pin("witness").Entry.Hash; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if err := os.CopyFS(filepath.Join(two.folder, "elsewhere"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(filepath.Join(two.folder, "elsewhere", "a.b"), 0o755), os.Mkdir(filepath.Join(two.folder, "elsewhere", "empty"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if got := two.pin("witness").Entry.Hash; got != want {
		t.Errorf("%s elsewhere, not %s", got, want)
	}
	two.allowed("scans")
	if n := two.traces(); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}
