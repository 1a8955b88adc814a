package plugins

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"go.yaml.in/yaml/v3"
)

// LockName is the usual name of a lock file.
const LockName = "upl.lock"

// GrantFeatures lets a plugin see the features of images and texts. It is the only
// grant there is: all other views are of probabilities, which every policy sees.
const GrantFeatures = "features"

const maxLock = 1 << 20

// Lock is an operator's list of the plugins that may run, each with its hash and
// with what it may see.
type Lock struct {
	Schema  int         `yaml:"schema"` // 1
	Plugins []LockEntry `yaml:"plugins"`
}

// LockEntry pins a plugin.
type LockEntry struct {
	Name    string `yaml:"name" json:"name"`
	Version string `yaml:"version,omitempty" json:"version,omitempty"` // none for a module without a manifest
	Runtime string `yaml:"runtime" json:"runtime"`
	Hash    string `yaml:"hash" json:"hash"` // "sha256:…" of a module, "h1:…" of a program's folder
	// Path says where a plugin is that no folder of the search has: relative to the
	// lock file where it lies below it. It helps Verify, and allows nothing.
	Path     string   `yaml:"path,omitempty" json:"path,omitempty"`
	Grants   []string `yaml:"grants,omitempty,flow" json:"grants,omitempty"`
	Policies []string `yaml:"policies,flow" json:"policies"`
}

// ReadLock reads a lock file. What is wrong with it is a *LockError.
func ReadLock(path string) (*Lock, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of plugins: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxLock+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(text) > maxLock {
		return nil, &LockError{path, fmt.Errorf("has more than %d bytes", maxLock)}
	}
	l, err := ParseLock(text)
	if err != nil {
		return nil, &LockError{path, err}
	}
	return l, nil
}

// ParseLock reads a lock, strictly; all faults of its content at once.
func ParseLock(text []byte) (*Lock, error) {
	l := new(Lock)
	if err := parseStrictly(text, l); err != nil {
		return nil, err
	}
	if err := l.validate(); err != nil {
		return nil, err
	}
	return l, nil
}

var hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (l *Lock) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(l.Schema == 1, "schema is %d, not 1", l.Schema)
	names, hashes := map[string]bool{}, map[string]string{}
	for i, e := range l.Plugins {
		check(policyName.MatchString(e.Name), "plugins[%d]: name %q is not of lower case letters, digits and hyphens", i, e.Name)
		check(!names[e.Name], "plugins[%d]: %s is listed twice", i, e.Name)
		check(semver.MatchString(e.Version) || e.Version == "" && e.Runtime == RuntimeWASM, "plugins[%d]: version %q is not of the form 1.2.3", i, e.Version)
		check(e.Runtime == RuntimeWASM || e.Runtime == RuntimeProcess, "plugins[%d]: runtime %q is neither %s nor %s", i, e.Runtime, RuntimeWASM, RuntimeProcess)
		check(e.hashFits(), "plugins[%d]: hash %q is no hash of a plugin of runtime %s", i, e.Hash, e.Runtime)
		check(hashes[e.Hash] == "", "plugins[%d]: %s has the hash of %s", i, e.Name, hashes[e.Hash])
		check(len(e.Policies) > 0, "plugins[%d]: there are no policies", i)
		for j, policy := range e.Policies {
			check(policyName.MatchString(policy), "plugins[%d]: policy %q is not of lower case letters, digits and hyphens", i, policy)
			check(!slices.Contains(e.Policies[:j], policy), "plugins[%d]: policy %s is listed twice", i, policy)
		}
		for j, grant := range e.Grants {
			check(grant == GrantFeatures, "plugins[%d]: grant %q is unknown; there is %s", i, grant, GrantFeatures)
			check(!slices.Contains(e.Grants[:j], grant), "plugins[%d]: grant %s is listed twice", i, grant)
		}
		names[e.Name], hashes[e.Hash] = true, e.Name
	}
	return errors.Join(faults...)
}

func (e *LockEntry) hashFits() bool {
	if digest, ok := strings.CutPrefix(e.Hash, "sha256:"); ok {
		return e.Runtime == RuntimeWASM && hexDigest.MatchString(digest)
	}
	digest, ok := strings.CutPrefix(e.Hash, "h1:")
	sum, err := base64.StdEncoding.Strict().DecodeString(digest)
	return ok && err == nil && len(sum) == 32 && e.Runtime == RuntimeProcess && len(digest) == 44
}

// Entry finds a plugin by its name; nil where it is not locked, or there is no lock.
func (l *Lock) Entry(name string) *LockEntry {
	return l.find(func(e LockEntry) bool { return e.Name == name })
}

func (l *Lock) byHash(hash string) *LockEntry {
	return l.find(func(e LockEntry) bool { return e.Hash == hash })
}

func (l *Lock) find(is func(LockEntry) bool) *LockEntry {
	if l == nil {
		return nil
	}
	if i := slices.IndexFunc(l.Plugins, is); i >= 0 {
		return &l.Plugins[i]
	}
	return nil
}

// owners are the plugins that a policy's name can stand for: those that are looked
// up by name, not by a path.
func (l *Lock) owners(policy string) []*LockEntry {
	var owners []*LockEntry
	if l == nil {
		return nil
	}
	for i := range l.Plugins {
		if e := &l.Plugins[i]; e.Path == "" && slices.Contains(e.Policies, policy) {
			owners = append(owners, e)
		}
	}
	return owners
}

// put pins a plugin in the place of what its name stood for: that is returned, nil
// if there was nothing.
func (l *Lock) put(e LockEntry) (before *LockEntry) {
	if old := l.Entry(e.Name); old != nil {
		was := *old
		*old = e
		return &was
	}
	l.Plugins = append(l.Plugins, e)
	return nil
}

const lockHeader = `# The plugins that may run here: their hashes, and what each may see. Commit it.
# Written by upl-host plugin lock; upl-host plugin verify compares it with what is there.
`

// Text is the lock as its file has it, sorted by name.
func (l *Lock) Text() ([]byte, error) {
	sorted := Lock{Schema: 1, Plugins: slices.Clone(l.Plugins)}
	slices.SortFunc(sorted.Plugins, func(a, b LockEntry) int { return strings.Compare(a.Name, b.Name) })
	var out bytes.Buffer
	out.WriteString(lockHeader)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(sorted), encoder.Close()); err != nil {
		return nil, fmt.Errorf("writing a lock: %w", err)
	}
	return out.Bytes(), nil
}

// Write writes the lock file, whole or not at all.
func (l *Lock) Write(path string) error {
	text, err := l.Text()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
