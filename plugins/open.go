package plugins

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/upl-host/upl-host/plugins/isolated"
	"github.com/upl-host/upl-host/plugins/process"
	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk/session"
)

// open loads a plugin that may run, for one of its policies.
func (c *Catalogue) open(ctx context.Context, b *bundle, policy string) (*Policy, error) {
	state, entry, err := c.judge(b)
	if err != nil {
		return nil, err
	}
	p := &Policy{Path: b.file, Hash: b.hash, Manifest: b.manifest, Plugin: b.name(), Runtime: b.runtime(), State: state}
	if m := b.manifest; m != nil { // what it needs is known without running it
		if err := c.options.Ceiling.allow(m.Name, m.Runtime, m.Limits); err != nil {
			return nil, err
		}
		said, err := pick(m.Policies, func(p ManifestPolicy) string { return p.Name }, policy, b.path)
		if err != nil {
			return nil, err
		}
		if _, err := c.grant(b, entry, said.Name, said.Needs.Views); err != nil {
			return nil, err
		}
	}
	l, err := c.load(ctx, b)
	if err != nil {
		return nil, err
	}
	p.carrier = l.carrier
	if p.Description, err = pick(l.descriptions, func(d Description) string { return d.Name }, policy, b.path); err != nil {
		return nil, err
	}
	if p.Granted, err = c.grant(b, entry, p.Name, p.Needs.Views); err != nil {
		return nil, err
	}
	if p.parameters, err = newParameters(p.Name, p.Parameters); err != nil {
		return nil, fmt.Errorf("loading %s: policy %s: %w", b.file, p.Name, err)
	}
	return p, nil
}

// load starts a plugin, once, asks it what it has, and compares that with its
// manifest.
func (c *Catalogue) load(ctx context.Context, b *bundle) (*loaded, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.loaded[b.hash]
	if !ok {
		carrier, err := c.carrier(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("loading %s: %w", b.file, err)
		}
		descriptions, err := carrier.Describe(ctx)
		if err != nil {
			return nil, fmt.Errorf("loading %s: %w", b.file, errors.Join(err, carrier.Close()))
		}
		l = &loaded{carrier, descriptions}
		c.loaded[b.hash] = l
	}
	if b.manifest != nil {
		if err := b.manifest.agree(l.descriptions); err != nil {
			return nil, &ManifestError{filepath.Join(b.dir, ManifestName), err.Error()}
		}
	}
	return l, nil
}

// carrier makes what a plugin runs on. What runs is what was hashed: a module's
// bytes are in memory, a program is executed from a copy.
func (c *Catalogue) carrier(ctx context.Context, b *bundle) (session.Carrier, error) {
	if b.runtime() == RuntimeProcess {
		folder, err := store{c.options.StoreDir}.folder(b)
		if err != nil {
			return nil, err
		}
		return process.Open([]string{filepath.Join(folder, b.manifest.Entry)}, process.Options{Dir: folder}), nil
	}
	if c.options.Isolate {
		return isolated.Open(c.options.Self, b.code, 0)
	}
	return wasm.Load(ctx, b.code, wasm.Options{CacheDir: c.options.CacheDir})
}

// pick finds a policy by its name; the only one by none.
func pick[T any](all []T, nameOf func(T) string, name, path string) (T, error) {
	var none T
	if name == "" && len(all) == 1 {
		return all[0], nil
	}
	names := make([]string, 0, len(all))
	for _, p := range all {
		if nameOf(p) == name {
			return p, nil
		}
		names = append(names, nameOf(p))
	}
	if name == "" {
		for i := range names {
			names[i] = path + "#" + names[i]
		}
		return none, &AmbiguousError{Name: path, Choices: names}
	}
	return none, &NotFoundError{Name: name, Known: names, Folders: []string{path}}
}
