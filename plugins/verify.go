package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Verified is an entry of the lock, held against what is there.
type Verified struct {
	Entry LockEntry
	Path  string // where the plugin was found
	State State
	Err   error // nil where it is as pinned
}

// Verify holds every entry of the lock against the plugin that a run would find.
// Nothing of it runs.
func (c *Catalogue) Verify() ([]Verified, error) {
	all, err := c.List()
	if err != nil {
		return nil, err
	}
	var verified []Verified
	for _, e := range c.options.Lock.Plugins {
		v := Verified{Entry: e}
		v.Path, v.State, v.Err = c.verify(e, all)
		verified = append(verified, v)
	}
	return verified, nil
}

func (c *Catalogue) verify(e LockEntry, all []Plugin) (path string, _ State, _ error) {
	path = c.resolve(e, all)
	if path == "" {
		return "", StateMissing, c.missing(e, "it is not in "+where(e, c.options.Folders)+unusable(all))
	}
	b, err := readBundle(path)
	if err != nil {
		return path, StateBroken, err
	}
	switch {
	case b.name() == e.Name:
	case b.hash == e.Hash:
		return path, StateRenamed, c.renamed(b, e.Name)
	default:
		return path, StateMissing, c.missing(e, path+" is another plugin, "+b.name())
	}
	state, _, err := c.judge(b)
	if err != nil {
		return path, state, err
	}
	if err := c.verifyCopy(b); err != nil {
		return path, StateCopyChanged, err
	}
	if e.Path != "" {
		return path, state, nil
	}
	for _, policy := range e.Policies {
		found, err := c.locate(policy)
		if err == nil {
			err = c.settle(found.plugin, policy)
		}
		var several *AmbiguousError // their full names still tell them apart
		if err != nil && !errors.As(err, &several) {
			return path, StateMoved, err
		}
	}
	return path, state, nil
}

func (c *Catalogue) missing(e LockEntry, reason string) error {
	return &TrustError{
		Plugin: e.Name, Path: c.LockPath(), State: StateMissing,
		Reason: reason, Command: c.lockCommand("--remove " + e.Name),
	}
}

func where(e LockEntry, folders []string) string {
	if e.Path != "" {
		return e.Path
	}
	return strings.Join(folders, ", ")
}

// unusable names the plugins of which nobody knows what they are.
func unusable(all []Plugin) string {
	text := ""
	for _, p := range all {
		if p.Err != nil {
			text += "; unusable: " + p.Err.Error()
		}
	}
	return text
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// resolve finds the plugin of an entry; empty where there is none.
func (c *Catalogue) resolve(e LockEntry, all []Plugin) string {
	if e.Path == "" {
		if i := slices.IndexFunc(all, func(p Plugin) bool { return p.Manifest.Name == e.Name }); i >= 0 {
			return all[i].Folder
		}
		return ""
	}
	path := filepath.FromSlash(e.Path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(c.LockPath()), path)
	}
	if !exists(path) {
		return ""
	}
	return path
}

// verifyCopy looks at the private copy of a program, where there is one.
func (c *Catalogue) verifyCopy(b *bundle) error {
	s := store{c.options.StoreDir}
	if b.runtime() != RuntimeProcess || !exists(s.entry(b.hash)) {
		return nil
	}
	return s.check(b)
}
