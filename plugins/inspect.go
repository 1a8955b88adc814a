package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Inspection is what can be said of a plugin without letting it do anything: a
// module that may run has described itself in its sandbox, of all others the
// manifest speaks.
type Inspection struct {
	Name     string
	Version  string // empty for a module alone
	Licence  string
	Runtime  string
	Path     string // of its module or program
	Hash     string
	Limits   AskedLimits
	Policies []Description // the one that was named, or all of the plugin
	Whole    bool          // all

	State   State
	Entry   *LockEntry // nil where it is not in the lock
	Problem error      // why it may not run; nil if it may
}

// Inspect looks at the plugin of a name, as for Find; the name of a plugin stands
// for the whole of it.
func (c *Catalogue) Inspect(ctx context.Context, name string) (*Inspection, error) {
	found, err := c.locatePlugin(name)
	if err != nil {
		return nil, err
	}
	b, err := readBundle(found.path)
	if err != nil {
		return nil, err
	}
	i := &Inspection{Name: b.name(), Version: b.version(), Runtime: b.runtime(), Path: b.file, Hash: b.hash}
	if m := b.manifest; m != nil {
		i.Licence, i.Limits = m.Licence, m.Limits
	}
	i.State, i.Entry, i.Problem = c.judge(b)
	if i.Policies, err = c.describe(ctx, b, i.Problem == nil); err != nil {
		return nil, err
	}
	asked, err := pick(i.Policies, func(d Description) string { return d.Name }, found.policy, b.path)
	var several *AmbiguousError
	if errors.As(err, &several) {
		i.Whole = true
		return i, nil
	}
	if err != nil {
		return nil, err
	}
	i.Policies = []Description{asked}
	if _, err := c.grant(b, i.Entry, asked.Name, asked.Needs.Views); err != nil && i.Problem == nil {
		i.State, i.Problem = StateNotGranted, err
	}
	return i, nil
}

// Needs are the grants that the policies need.
func (i *Inspection) Needs() []string {
	if len(needing(i.Policies)) == 0 {
		return nil
	}
	return []string{GrantFeatures}
}

// Grants are what the lock grants the plugin.
func (i *Inspection) Grants() []string {
	if i.Entry == nil {
		return nil
	}
	return i.Entry.Grants
}

// describe says what a plugin has. Programs are not asked: that would run them.
func (c *Catalogue) describe(ctx context.Context, b *bundle, mayRun bool) ([]Description, error) {
	if b.manifest == nil || (mayRun && b.runtime() == RuntimeWASM) {
		l, err := c.load(ctx, b)
		if err != nil {
			return nil, err
		}
		return l.descriptions, nil
	}
	return b.manifest.descriptions()
}

// descriptions are the policies as the manifest has them.
func (m *Manifest) descriptions() ([]Description, error) {
	described := make([]Description, 0, len(m.Policies))
	for i, p := range m.Policies {
		parameters, err := json.Marshal(p.Parameters)
		if err != nil {
			return nil, fmt.Errorf("policies[%d].parameters: %w", i, err)
		}
		d := Description{Name: p.Name, Version: p.Version, Kind: p.Kind, Summary: p.Summary, Parameters: parameters}
		d.Needs.Views, d.Needs.Rounds = p.Needs.Views, p.Needs.Rounds
		described = append(described, d)
	}
	return described, nil
}

// locatePlugin finds what locate does, and plugins by their own name.
func (c *Catalogue) locatePlugin(name string) (location, error) {
	found, notFound := c.locate(name)
	if notFound == nil || isPath(name) || strings.Contains(name, "#") {
		return found, notFound
	}
	all, err := c.List()
	if err != nil {
		return location{}, err
	}
	if i := slices.IndexFunc(all, func(p Plugin) bool { return p.Err == nil && p.Manifest.Name == name }); i >= 0 {
		return location{path: all[i].Folder, plugin: all[i]}, nil
	}
	return location{}, notFound
}

// Surveyed is a plugin as a list shows it.
type Surveyed struct {
	Plugin
	State    State
	Grants   []string
	Problem  error    // why it may not run; nil if it may
	Shadowed []string // policies of it that an earlier folder has too
}

// Survey lists all plugins with what the lock says of them. Modules are hashed and
// not compiled; of programs that are in the lock, State is StateUnchecked.
func (c *Catalogue) Survey() ([]Surveyed, error) {
	all, err := c.List()
	if err != nil {
		return nil, err
	}
	var surveyed []Surveyed
	taken := map[string]bool{}
	for _, p := range all {
		s := c.survey(p)
		for _, policy := range p.Manifest.Policies {
			if taken[policy.Name] {
				s.Shadowed = append(s.Shadowed, policy.Name)
			}
			taken[policy.Name] = true
		}
		surveyed = append(surveyed, s)
	}
	return surveyed, nil
}

func (c *Catalogue) survey(p Plugin) Surveyed {
	s := Surveyed{Plugin: p, State: StateBroken, Problem: p.Err}
	if p.Err != nil {
		return s
	}
	entry := c.options.Lock.Entry(p.Manifest.Name)
	if entry != nil {
		s.Grants = entry.Grants
	}
	if p.Manifest.Runtime == RuntimeProcess && entry != nil {
		s.State = StateUnchecked
		return s
	}
	b, err := c.glance(p)
	if err != nil {
		s.Problem = err
		return s
	}
	s.State, _, s.Problem = c.judge(b)
	return s
}

// glance reads a module; a program that is not in the lock needs no hash to be
// refused.
func (c *Catalogue) glance(p Plugin) (*bundle, error) {
	if p.Manifest.Runtime == RuntimeProcess {
		return &bundle{path: p.Folder, dir: p.Folder, manifest: &p.Manifest}, nil
	}
	return readBundle(p.Folder)
}
