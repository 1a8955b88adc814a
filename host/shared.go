package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/folder"
	"github.com/upl-host/upl-host/plugins"
)

// configurationName is the file of a run's effective configuration.
const configurationName = "run.yaml"

// Shared is what the runs of one process have in common, where there are several:
// models stay open, their folders and the plugins are read once, and so is a data set
// as long as the runs after each other have the same. What changes on disk meanwhile
// is not seen. The zero value is not ready: NewShared.
type Shared struct {
	models *sharedModels

	mutex      sync.Mutex
	catalogues map[catalogueKey]*plugins.Catalogue
	data       openData
}

// sharedModels are all that a run at work holds of Shared, in which is the truth.
type sharedModels struct {
	mutex     sync.Mutex
	open      map[openKey]func() (*backbone.Backbone, error)
	described map[config.Model]func() (*backbone.Description, error)
}

// openData is the data set that was opened last: ImageNet's list alone takes seconds and
// hundreds of megabytes.
type openData struct {
	config dataset.Config
	set    *dataset.Dataset // nil: none
	truth  *dataset.Truth
}

// openKey is what makes an open model another one.
type openKey struct {
	name, dir string
	options   graphs.Options
}

// catalogueKey is what makes a catalogue another one.
type catalogueKey struct {
	lock    string
	isolate bool
	limits  config.Limits
}

// NewShared shares nothing yet.
func NewShared() *Shared {
	models := &sharedModels{
		open:      make(map[openKey]func() (*backbone.Backbone, error)),
		described: make(map[config.Model]func() (*backbone.Description, error)),
	}
	return &Shared{models: models, catalogues: make(map[catalogueKey]*plugins.Catalogue)}
}

// sharing is what a run shares with others, or alone has until done.
func (o Options) sharing() (s *Shared, done func() error) {
	if o.Shared != nil {
		return o.Shared, func() error { return nil }
	}
	s = NewShared()
	return s, s.Close
}

// model opens a model, or waits until another call has.
func (s *sharedModels) model(d *backbone.Description, options graphs.Options, opened func(*backbone.Backbone)) func() (*backbone.Backbone, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	key := openKey{d.Name, d.Dir, options}
	if s.open[key] == nil {
		s.open[key] = sync.OnceValues(func() (*backbone.Backbone, error) {
			b, err := d.Open(options)
			if err == nil {
				opened(b)
			}
			return b, err
		})
	}
	return s.open[key]
}

// describe reads a model's folder.
func (s *sharedModels) describe(m config.Model) (*backbone.Description, error) {
	s.mutex.Lock()
	describe := s.described[m]
	if describe == nil {
		describe = sync.OnceValues(func() (*backbone.Description, error) { return backbone.Describe(m.Path, m.Name) })
		s.described[m] = describe
	}
	s.mutex.Unlock()
	return describe()
}

// openData opens a data set, which nobody changes.
func (s *Shared) openData(c dataset.Config) (*dataset.Dataset, *dataset.Truth, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.data.set != nil && s.data.config == c {
		return s.data.set, s.data.truth, nil
	}
	set, truth, err := dataset.Open(c)
	if err != nil {
		return nil, nil, err
	}
	s.data = openData{c, set, truth}
	return set, truth, nil
}

// catalogue is that of a configuration.
func (s *Shared) catalogue(c *config.Config, options plugins.Options) (*plugins.Catalogue, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	key := catalogueKey{c.Label.Lock, c.Label.Isolate, c.Label.Limits}
	if there := s.catalogues[key]; there != nil {
		return there, nil
	}
	opened, err := openCatalogue(c, options)
	if err == nil {
		s.catalogues[key] = opened
	}
	return opened, err
}

// Keep closes the models that are in none of these configurations.
func (s *Shared) Keep(next ...*config.Config) error { return s.models.keep(next) }

func (s *sharedModels) keep(next []*config.Config) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var errs []error
	for key, open := range s.open {
		wanted := slices.ContainsFunc(next, func(c *config.Config) bool {
			return slices.Contains(c.Models, config.Model{Path: key.dir, Name: key.name})
		})
		if wanted {
			continue
		}
		delete(s.open, key)
		if b, err := open(); err == nil {
			errs = append(errs, b.Close())
		}
	}
	return errors.Join(errs...)
}

// Close closes what is open, and waits for what is being opened.
func (s *Shared) Close() error {
	errs := []error{s.Keep()}
	for _, c := range s.catalogues {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Check finds what is wrong with a run before it begins, its folder included. It
// opens no model and changes nothing.
func Check(ctx context.Context, c *config.Config, options Options) (err error) {
	shared, done := options.sharing()
	defer func() { err = errors.Join(err, done()) }()
	options.Shared = shared
	if _, _, err := prepare(ctx, c, options); err != nil {
		return err
	}
	before, err := configurationOf(folder.At(c.Run.Out))
	if err != nil || before == nil {
		return err
	}
	return refuseOther(c.Run.Out, before, c)
}

// Finished returns the summary of a run that is done already, of the same inputs;
// nil where anything is left to do. It opens no model and changes nothing.
func Finished(ctx context.Context, c *config.Config, options Options) (_ *Summary, err error) {
	shared, done := options.sharing()
	defer func() { err = errors.Join(err, done()) }()
	options.Shared = shared
	p, truth, err := prepare(ctx, c, options)
	if err != nil {
		return nil, err
	}
	f := folder.At(c.Run.Out)
	before, err := configurationOf(f)
	if err != nil || before == nil || refuseOther(f.Path, before, c) != nil {
		return nil, err
	}
	r := newRun(p, options, f)
	r.manifest = r.newManifest()
	for _, s := range r.stageList(&examiner{run: r, truth: truth}) {
		record, finished := f.Finished(s.name, r.inputs(s))
		if !finished {
			return nil, nil
		}
		if err := r.finish(s, record); err != nil {
			return nil, nil // its files are not what they were: the run makes them anew
		}
	}
	if m, err := ReadManifest(f.Path); err != nil || m.Status != "done" {
		return nil, nil
	}
	return r.summary()
}

// configurationOf reads the configuration that a folder belongs to; nil where
// there is none.
func configurationOf(f *folder.Folder) (*config.Config, error) {
	if there, err := f.Exists(configurationName); err != nil || !there {
		return nil, err
	}
	before, err := config.Load(config.Source{File: f.Join(configurationName)})
	if err != nil {
		return nil, fmt.Errorf("reading the configuration that %s belongs to: %w", f.Path, err)
	}
	return before, nil
}
