package plugins

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/upl-host/upl-host/sdk"
)

// Pinned is what Pin did.
type Pinned struct {
	Entry    LockEntry
	Before   *LockEntry // what was pinned by the plugin's name; nil if nothing was
	Withheld []string   // grants that it needs and does not have
}

// Pin puts a plugin as it is now into the catalogue's lock, with what it is granted
// from now on; the lock is made if there is none. It is the caller's to write. The
// name is as for Inspect. The same bytes by another name are a *TrustError.
//
// No program runs for it: what one says of itself is compared with its manifest when
// it is first used.
func (c *Catalogue) Pin(ctx context.Context, name string, grants []string) (Pinned, error) {
	found, err := c.locatePlugin(name)
	if err != nil {
		return Pinned{}, err
	}
	b, err := readBundle(found.path)
	if err != nil {
		return Pinned{}, err
	}
	if !policyName.MatchString(b.name()) {
		return Pinned{}, &UnfitError{b.dir, filepath.Base(b.file), "a module without a manifest is locked by its file's name: it has to be of lower case letters, digits and hyphens"}
	}
	if other := c.options.Lock.byHash(b.hash); other != nil && other.Name != b.name() {
		return Pinned{}, c.renamed(b, other.Name)
	}
	described, err := c.describe(ctx, b, true)
	if err != nil {
		return Pinned{}, err
	}
	pinned := Pinned{Entry: LockEntry{
		Name: b.name(), Version: b.version(), Runtime: b.runtime(), Hash: b.hash, Path: c.hint(b.path), Grants: grants,
	}}
	for _, d := range described {
		pinned.Entry.Policies = append(pinned.Entry.Policies, d.Name)
	}
	needs := len(needing(described)) > 0
	for _, grant := range grants {
		if grant != GrantFeatures {
			return Pinned{}, &GrantError{b.name(), grant, "there is no such grant, but " + GrantFeatures}
		}
		if !needs {
			return Pinned{}, &GrantError{b.name(), grant, "none of its policies asks for it"}
		}
	}
	if needs && len(grants) == 0 {
		pinned.Withheld = []string{GrantFeatures}
	}
	if c.options.Lock == nil {
		c.options.Lock = &Lock{Schema: 1}
	}
	pinned.Before = c.options.Lock.put(pinned.Entry)
	return pinned, nil
}

// Unpin takes a plugin off the catalogue's lock, by its own name.
func (c *Catalogue) Unpin(name string) (before LockEntry, err error) {
	e := c.options.Lock.Entry(name)
	if e == nil {
		missing := &NotFoundError{Name: name, Folders: []string{c.LockPath()}}
		if c.options.Lock != nil {
			for _, p := range c.options.Lock.Plugins {
				missing.Known = append(missing.Known, p.Name)
			}
		}
		return LockEntry{}, missing
	}
	before = *e
	l := c.options.Lock
	l.Plugins = slices.DeleteFunc(l.Plugins, func(p LockEntry) bool { return p.Name == name })
	return before, nil
}

// Lock is what the catalogue goes by; nil if there is none.
func (c *Catalogue) Lock() *Lock { return c.options.Lock }

// LockPath is the file of the lock, or what it would be.
func (c *Catalogue) LockPath() string { return cmp.Or(c.options.LockPath, LockName) }

// needing names the policies that need to see features.
func needing(described []Description) []string {
	var names []string
	for _, d := range described {
		if slices.Contains(d.Needs.Views, sdk.ViewFeatures.String()) {
			names = append(names, d.Name)
		}
	}
	return names
}

// hint is where Verify finds a plugin that the search does not.
func (c *Catalogue) hint(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() && c.searched(filepath.Dir(absolute)) {
		return ""
	}
	lock, err := filepath.Abs(filepath.Dir(c.LockPath()))
	if err != nil {
		return absolute
	}
	if relative, err := filepath.Rel(lock, absolute); err == nil && filepath.IsLocal(relative) {
		return filepath.ToSlash(relative)
	}
	return absolute
}

// searched says whether a folder is one of the search.
func (c *Catalogue) searched(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && slices.ContainsFunc(c.options.Folders, func(folder string) bool {
		other, err := os.Stat(folder)
		return err == nil && os.SameFile(info, other)
	})
}

// GrantError says why a plugin cannot be granted what it is.
type GrantError struct{ Plugin, Grant, Reason string }

func (e *GrantError) Error() string {
	return fmt.Sprintf("granting %s to plugin %s: %s", e.Grant, e.Plugin, e.Reason)
}
