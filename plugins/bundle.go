package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/plugins/wasm"
)

// bundle is a plugin's files, read and hashed. Nothing of it has run.
type bundle struct {
	path     string    // of its folder, or of a module alone
	dir      string    // of its entry
	file     string    // its entry
	manifest *Manifest // nil for a module alone
	hash     string    // of the module, or of the program's folder
	code     []byte    // of a module
	tree     tree      // of a program's folder
}

func (b *bundle) runtime() string {
	if b.manifest == nil {
		return RuntimeWASM
	}
	return b.manifest.Runtime
}

// name is the manifest's; a module alone is known by its file's.
func (b *bundle) name() string {
	if b.manifest == nil {
		return strings.TrimSuffix(filepath.Base(b.file), ".wasm")
	}
	return b.manifest.Name
}

// version is empty for a module alone.
func (b *bundle) version() string {
	if b.manifest == nil {
		return ""
	}
	return b.manifest.Version
}

// readBundle reads the plugin at path: a folder, or a module without a manifest.
func readBundle(path string) (*bundle, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &PathError{path, "there is no such folder or module", err}
	}
	if err != nil {
		return nil, fmt.Errorf("opening a plugin: %w", err)
	}
	if !info.IsDir() {
		dir, entry := filepath.Split(path)
		if dir == "" {
			dir = "."
		}
		b := &bundle{path: path, dir: dir, file: path}
		return b, b.readModule(entry)
	}
	manifest, text, err := readManifest(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &PathError{path, "no plugin's folder: it has no " + ManifestName + whereBuilt(path), err}
	}
	if err != nil {
		return nil, err
	}
	b := &bundle{path: path, dir: path, file: filepath.Join(path, manifest.Entry), manifest: &manifest}
	if manifest.Runtime == RuntimeWASM {
		err := b.readModule(manifest.Entry)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &ManifestError{filepath.Join(path, ManifestName), "entry " + manifest.Entry + " is not there" + whereBuilt(path)}
		}
		return b, err
	}
	if b.tree, err = readTree(path, nil); err != nil {
		return nil, err
	}
	if _, ok := b.tree[manifest.Entry]; !ok {
		return nil, &ManifestError{filepath.Join(path, ManifestName), "entry " + manifest.Entry + " is not there" + whereBuilt(path)}
	}
	// The manifest was read before the hash was taken.
	if sum := sha256.Sum256(text); sum != b.tree[ManifestName] {
		return nil, &IntegrityError{filepath.Join(path, ManifestName), hexHash(sum), hexHash(b.tree[ManifestName])}
	}
	b.hash = b.tree.hash()
	return b, nil
}

// whereBuilt tells whoever gave a plugin's source folder which one is the plugin's.
func whereBuilt(source string) string {
	built := filepath.Join(source, "build")
	folders, err := os.ReadDir(built)
	if err != nil {
		if exists(filepath.Join(source, "Makefile")) {
			return "; its Makefile may build one, into build/NAME"
		}
		return ""
	}
	for _, folder := range folders {
		if dir := filepath.Join(built, folder.Name()); exists(filepath.Join(dir, ManifestName)) {
			return "; its Makefile has built " + dir
		}
	}
	return ""
}

func (b *bundle) readModule(entry string) (err error) {
	if b.code, err = readIn(b.dir, entry, wasm.MaxModule); err != nil {
		return err
	}
	b.hash = hexHash(sha256.Sum256(b.code)) // of the very bytes that run
	return nil
}

func hexHash(sum [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(sum[:]) }

func readManifest(dir string) (m Manifest, text []byte, err error) {
	if text, err = readIn(dir, ManifestName, maxManifest); err != nil {
		return Manifest{}, nil, err
	}
	if m, err = ParseManifest(text); err != nil {
		return Manifest{}, nil, &ManifestError{filepath.Join(dir, ManifestName), err.Error()}
	}
	return m, text, nil
}

// readIn reads a file of a folder, and not what lies outside it behind a link.
func readIn(dir, name string, most int64) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening a plugin: %w", err)
	}
	defer func() { _ = root.Close() }() // read only
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening %s of plugin %s: %w", name, dir, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s of plugin %s: %w", name, dir, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s of plugin %s: %w", name, dir, err)
	}
	if int64(len(text)) > most {
		return nil, &LimitError{Limit: "size", Detail: fmt.Sprintf("%s has more than %d bytes", filepath.Join(dir, name), most)}
	}
	return text, nil
}
