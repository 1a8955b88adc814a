package plugins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk/session"
)

// Options are where plugins are, and how they are loaded.
type Options struct {
	// Folders are searched in this order; each plugin is a folder in one of them.
	// Folders that are not there are passed over.
	Folders []string
	// CacheDir keeps compiled modules: see wasm.Options.
	CacheDir string
}

// Catalogue finds policies and keeps their modules loaded until Close.
type Catalogue struct {
	options Options

	mu     sync.Mutex
	loaded map[string]*loaded // by hash
}

// loaded is a module with what it says of itself.
type loaded struct {
	carrier      session.Carrier
	descriptions []Description
}

// NewCatalogue makes a catalogue; nothing is read yet.
func NewCatalogue(options Options) *Catalogue {
	return &Catalogue{options: options, loaded: map[string]*loaded{}}
}

// Close unloads all modules; their policies must not be running.
func (c *Catalogue) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	faults := make([]error, 0, len(c.loaded))
	for _, l := range c.loaded {
		faults = append(faults, l.carrier.Close())
	}
	c.loaded = map[string]*loaded{}
	return errors.Join(faults...)
}

// Plugin is a plugin that was found.
type Plugin struct {
	Folder   string
	Manifest Manifest
	Err      error // *ManifestError, or of reading; the manifest is then empty
}

// List reads the manifests of all plugins, in the order of the search. No module
// is loaded.
func (c *Catalogue) List() ([]Plugin, error) {
	var plugins []Plugin
	for _, folder := range c.options.Folders {
		entries, err := os.ReadDir(folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing plugins: %w", err)
		}
		for _, entry := range entries {
			dir := filepath.Join(folder, entry.Name())
			if _, err := os.Stat(filepath.Join(dir, ManifestName)); err == nil {
				manifest, err := readManifest(dir)
				plugins = append(plugins, Plugin{dir, manifest, err})
			}
		}
	}
	return plugins, nil
}

func readManifest(dir string) (Manifest, error) {
	text, err := readIn(dir, ManifestName, maxManifest)
	if err != nil {
		return Manifest{}, err
	}
	m, err := ParseManifest(text)
	if err != nil {
		return Manifest{}, &ManifestError{filepath.Join(dir, ManifestName), err.Error()}
	}
	return m, nil
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

// Find loads a policy. The name is a policy's, "plugin#policy", or the path of a
// plugin's folder or of a .wasm file, with "#policy" behind it where there are
// several; a path has a separator or ends in .wasm. Of policies of one name the
// earlier folder's is taken; two in one folder are an error. Where hash is not
// empty ("sha256:…"), a module of another is an *IntegrityError.
func (c *Catalogue) Find(ctx context.Context, name, hash string) (*Policy, error) {
	path, policy, _ := strings.Cut(name, "#")
	if strings.ContainsRune(path, filepath.Separator) || strings.HasSuffix(path, ".wasm") {
		return c.open(ctx, path, policy, hash)
	}
	dir, policy, err := c.search(name)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, dir, policy, hash)
}

// search finds the plugin that has a policy.
func (c *Catalogue) search(name string) (dir, policy string, err error) {
	all, err := c.List()
	if err != nil {
		return "", "", err
	}
	plugin, policy, qualified := strings.Cut(name, "#")
	if !qualified {
		plugin, policy = "", name
	}
	missing := &NotFoundError{Name: name, Folders: c.options.Folders}
	for _, p := range all {
		if p.Err != nil {
			missing.Broken = append(missing.Broken, p.Err)
			continue
		}
		for _, q := range p.Manifest.Policies {
			missing.Known = append(missing.Known, q.Name)
			if q.Name != policy || (qualified && p.Manifest.Name != plugin) {
				continue
			}
			if dir == "" {
				dir = p.Folder
			} else if filepath.Dir(dir) == filepath.Dir(p.Folder) {
				return "", "", &AmbiguousError{Name: name, Choices: []string{dir + "#" + policy, p.Folder + "#" + policy}}
			}
		}
	}
	if dir == "" {
		slices.Sort(missing.Known)
		missing.Known = slices.Compact(missing.Known)
		return "", "", missing
	}
	return dir, policy, nil
}

// open loads the plugin at path, a folder or a module without a manifest.
func (c *Catalogue) open(ctx context.Context, path, policy, hash string) (*Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening a plugin: %w", err)
	}
	dir, entry := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	var manifest *Manifest
	if info.IsDir() {
		m, err := readManifest(path)
		if err != nil {
			return nil, err
		}
		manifest, dir, entry = &m, path, m.Entry
	}
	code, err := readIn(dir, entry, wasm.MaxModule)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, entry)
	sum := sha256.Sum256(code) // of the very bytes that run
	got := "sha256:" + hex.EncodeToString(sum[:])
	if hash != "" && hash != got {
		return nil, &IntegrityError{file, hash, got}
	}
	l, err := c.load(ctx, code, got)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", file, err)
	}
	if manifest != nil {
		if err := manifest.agree(l.descriptions); err != nil {
			return nil, &ManifestError{filepath.Join(dir, ManifestName), err.Error()}
		}
	}
	description, err := pick(l.descriptions, policy, path)
	if err != nil {
		return nil, err
	}
	parameters, err := newParameters(description.Name, description.Parameters)
	if err != nil {
		return nil, fmt.Errorf("loading %s: policy %s: %w", file, description.Name, err)
	}
	return &Policy{Description: description, Path: file, Hash: got, Manifest: manifest, carrier: l.carrier, parameters: parameters}, nil
}

// load compiles a module, once, and asks it what it has.
func (c *Catalogue) load(ctx context.Context, code []byte, hash string) (*loaded, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.loaded[hash]; ok {
		return l, nil
	}
	module, err := wasm.Load(ctx, code, wasm.Options{CacheDir: c.options.CacheDir})
	if err != nil {
		return nil, err
	}
	descriptions, err := module.Describe(ctx)
	if err != nil {
		return nil, errors.Join(err, module.Close())
	}
	l := &loaded{module, descriptions}
	c.loaded[hash] = l
	return l, nil
}

func pick(descriptions []Description, name, path string) (Description, error) {
	if name == "" && len(descriptions) == 1 {
		return descriptions[0], nil
	}
	var names []string
	for _, d := range descriptions {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	if name == "" {
		for i := range names {
			names[i] = path + "#" + names[i]
		}
		return Description{}, &AmbiguousError{Name: path, Choices: names}
	}
	return Description{}, &NotFoundError{Name: name, Known: names, Folders: []string{path}}
}
