package plugins

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/upl-host/upl-host/sdk/session"
)

// Options are where plugins are, which of them may run, and how.
type Options struct {
	// Folders are searched in this order; each plugin is a folder in one of them.
	// Folders that are not there are passed over.
	Folders []string
	// Trusted are those folders that came with the program: their modules are
	// trusted as it is, unless the lock says something else of them.
	Trusted []string
	// Lock says which plugins may run. Without one modules may, in their sandbox
	// and without grants; programs never run without an entry.
	Lock *Lock
	// LockPath is the lock's file, for messages; empty: upl.lock.
	LockPath string
	// Grants are given to every plugin beside the lock's: where the operator hands
	// over the very data, for this one purpose.
	Grants []string
	// Ceiling is the most that a plugin may ask for in its manifest.
	Ceiling Ceiling
	// Trial lets every plugin run that the lock does not contradict, and see all it
	// asks for: for its author's tests, on data that is no secret.
	Trial bool

	// CacheDir keeps compiled modules: see wasm.Options.
	CacheDir string
	// StoreDir keeps the copies of programs that run. It has to be the user's own, of
	// mode 0700, and is made so if it is missing.
	StoreDir string
	// Isolate runs modules in child processes: see isolated.Open, whose program is
	// Self.
	Isolate bool
	Self    []string
}

// Catalogue finds policies and keeps their plugins loaded until Close.
type Catalogue struct {
	options Options

	mu     sync.Mutex
	loaded map[string]*loaded // by hash
}

// loaded is a plugin with what it says of itself.
type loaded struct {
	carrier      session.Carrier
	descriptions []Description
}

// NewCatalogue makes a catalogue; nothing is read yet.
func NewCatalogue(options Options) *Catalogue {
	return &Catalogue{options: options, loaded: map[string]*loaded{}}
}

// Close unloads all plugins; their policies must not be running.
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
	Err      error // *ManifestError, *PathError, or of reading; the manifest is then empty
}

// List reads the manifests of all plugins, in the order of the search. Nothing else
// of them is read.
func (c *Catalogue) List() ([]Plugin, error) {
	var plugins []Plugin
	for _, folder := range c.options.Folders {
		entries, err := os.ReadDir(folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, syscall.ENOTDIR) {
			return nil, &PathError{folder, "plugins are looked for in folders, and this is a file", err}
		}
		if err != nil {
			return nil, fmt.Errorf("listing plugins: %w", err)
		}
		if exists(filepath.Join(folder, ManifestName)) {
			plugins = append(plugins, Plugin{Folder: folder, Err: &PathError{
				folder, "it is a plugin's own folder, and a folder of plugins is looked for: " + filepath.Dir(filepath.Clean(folder)), nil,
			}})
		}
		for _, entry := range entries {
			dir := filepath.Join(folder, entry.Name())
			if _, err := os.Stat(filepath.Join(dir, ManifestName)); err == nil {
				manifest, _, err := readManifest(dir)
				plugins = append(plugins, Plugin{dir, manifest, err})
			}
		}
	}
	return plugins, nil
}

// Find loads a policy, if its plugin may run. The name is a policy's,
// "plugin#policy", or the path of a plugin's folder or of a .wasm file, with
// "#policy" behind it where there are several; a path has a separator or ends in
// .wasm. Of policies of one name the earlier folder's is taken; two in one folder
// are an error.
//
// Errors before anything of the plugin has run: *NotFoundError, *PathError,
// *AmbiguousError, *ManifestError, *UnfitError; *TrustError where lock or grant are missing or say
// otherwise; *LimitError where it asks for more than the ceiling.
func (c *Catalogue) Find(ctx context.Context, name string) (*Policy, error) {
	found, err := c.locate(name)
	if err != nil {
		return nil, err
	}
	if found.byName {
		if err := c.settle(found.plugin, found.policy); err != nil {
			return nil, err
		}
	}
	b, err := readBundle(found.path)
	if err != nil {
		return nil, err
	}
	p, err := c.open(ctx, b, found.policy)
	if err != nil {
		return nil, err
	}
	if p.State == StateUnlocked {
		p.Shadows = found.builtIn
	}
	return p, nil
}

// location is where a name leads.
type location struct {
	path   string // of a folder or module
	policy string // may be empty for a path
	plugin Plugin // of a name, not of a path
	byName bool   // by a policy's name alone
	// builtIn is a folder that came with the program and has a policy of that name
	// too, later in the search.
	builtIn string
}

func isPath(name string) bool {
	return strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".wasm")
}

// locate finds the plugin that has a policy.
func (c *Catalogue) locate(name string) (location, error) {
	plugin, policy, qualified := strings.Cut(name, "#")
	if isPath(plugin) {
		return location{path: plugin, policy: policy}, nil
	}
	if !qualified {
		plugin, policy = "", name
	}
	all, err := c.List()
	if err != nil {
		return location{}, err
	}
	missing := &NotFoundError{Name: name, Folders: c.options.Folders}
	var found location
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
			switch {
			case found.path == "":
				found = location{path: p.Folder, policy: policy, plugin: p, byName: !qualified}
			case filepath.Dir(found.path) == filepath.Dir(p.Folder):
				return location{}, &AmbiguousError{Name: name, Choices: []string{found.path + "#" + policy, p.Folder + "#" + policy}}
			case !qualified && c.builtIn(p.Folder):
				found.builtIn = p.Folder
			}
		}
	}
	if found.path == "" {
		slices.Sort(missing.Known)
		missing.Known = slices.Compact(missing.Known)
		return location{}, missing
	}
	return found, nil
}
