package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// complete fills in what follows from other keys.
func (l *loader) complete(c *Config) {
	l.names(c)
	l.split(c, "dataset.split", &c.Dataset.Split)
	if !c.Dataset.ownSplits() {
		l.split(c, "dataset.unlabeled", &c.Dataset.Unlabeled)
		l.split(c, "dataset.validation", &c.Dataset.Validation)
		l.split(c, "dataset.test", &c.Dataset.Test)
	}
	l.method(c)
	if c.Run.Out == "" {
		c.Run.Out = filepath.Join(l.first.base, "runs", c.Name)
	}
	if c.Cache.Dir == "" {
		folder, err := os.UserCacheDir()
		if err != nil {
			l.faults.add(l.near("cache.dir"), "cache.dir", "there is no cache folder of yours: %v", err)
		}
		c.Cache.Dir = filepath.Join(folder, "upl-host")
		c.written["cache.dir"] = c.Cache.Dir
	}
	l.lock(c)
	for path, p := range l.places {
		if p.written != "" {
			c.written[path] = p.written
		}
	}
}

// lock finds the lock of plugins beside the configuration, or in the working folder.
func (l *loader) lock(c *Config) {
	if c.Label.Lock != "" {
		return
	}
	for _, folder := range []string{l.first.base, l.working} {
		if file := filepath.Join(folder, "upl.lock"); exists(file) {
			c.Label.Lock = file
			return
		}
	}
}

// names gives run and models the names that they were not given.
func (l *loader) names(c *Config) {
	if c.Name == "" {
		file := filepath.Base(l.first.file)
		c.Name = strings.TrimSuffix(file, filepath.Ext(file))
		if l.first.file == "" {
			c.Name = "run"
		}
	}
	for i := range c.Models {
		if m := &c.Models[i]; m.Name == "" && m.Path != "" {
			m.Name = filepath.Base(m.Path)
		}
	}
}

func (l *loader) split(c *Config, key string, value *string) {
	p := l.near(key)
	path, err := splitPath(c.Dataset.Path, p.base, *value)
	if err != nil {
		l.faults.add(p, key, "%v", err)
	}
	*value = path
}

// near returns the place of a key, or of the nearest above it that a source
// names, or the file's.
func (l *loader) near(path string) place {
	for path != "" {
		if p, ok := l.places[path]; ok {
			return p
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return l.first
}

// check reports values that are not allowed.
func (l *loader) check(c *Config) {
	reported := make(map[string]bool)
	for _, f := range l.faults.list {
		reported[f.Key] = true
	}
	l.checkSection(Root(), "", reflect.ValueOf(*c), reported)
	l.checkModels(c)
	l.checkPrompt(c)
	l.checkLearn(c)
	l.checkPrior(c)
	if c.Dataset.Kind == "list" && c.Dataset.Classes == "" && !reported["dataset.classes"] {
		l.faults.add(l.near("dataset.classes"), "dataset.classes", "required where dataset.kind is list: nothing else names the classes")
	}
}

// checkSection holds each key below a section against its tags, but for those
// that have been reported.
func (l *loader) checkSection(section *Key, path string, v reflect.Value, reported map[string]bool) {
	for _, key := range section.Keys {
		keyPath := join(path, key.Name)
		value := v.FieldByName(key.Field)
		switch {
		case reported[keyPath]:
		case key.Kind == Section:
			l.checkSection(key, keyPath, value, reported)
		default:
			l.checkValue(key, keyPath, value)
			if key.Kind == Items {
				for i := range value.Len() {
					if item := index(keyPath, i); !reported[item] {
						l.checkSection(key, item, value.Index(i), reported)
					}
				}
			}
		}
	}
}

func (l *loader) checkValue(key *Key, path string, v reflect.Value) {
	at := l.near(path)
	switch key.Kind {
	case String:
		l.checkString(key, path, v.String())
	case Items, Strings, SeedList:
		if n := v.Len(); n == 0 && key.Required {
			l.faults.add(at, path, "required")
		} else if !key.Range.Contains(float64(n)) {
			l.faults.add(at, path, "%d items are out of range (%v)", n, key.Range)
		}
	case TemplateList:
		templates := v.Interface().(Templates)
		if n := len(templates.List); !key.Range.Contains(float64(n)) {
			l.faults.add(at, path, "%d items are out of range (%v)", n, key.Range)
		}
		switch {
		case HasPlaceholder(templates.Set):
			l.faults.add(at, path, "one template is written as prompt.template, several as a list")
		case templates.Set != "":
			l.checkString(key, path, templates.Set)
		}
	}
}

func (l *loader) checkString(key *Key, path, value string) {
	at := l.near(path)
	switch {
	case value == "" && key.Required:
		l.faults.add(at, path, "required")
	case value == "" && key.Derived != "":
	case key.Enum != nil && !slices.Contains(key.Enum, value):
		hint := ""
		if near := nearest(value, key.Enum); near != "" {
			hint = "; did you mean " + near + "?"
		}
		l.faults.add(at, path, "%s is none of %s%s", strconv.Quote(shorten(value)), strings.Join(key.Enum, ", "), hint)
	case key.pattern != nil && !key.pattern.MatchString(value):
		l.faults.add(at, path, "%s is not allowed: %s", strconv.Quote(shorten(value)), key.Allowed)
	}
}

// checkModels keeps the models' files apart.
func (l *loader) checkModels(c *Config) {
	first := make(map[string]int)
	for i, m := range c.Models {
		path := index("models", i)
		if j, twice := first[m.Name]; twice && m.Name != "" {
			l.faults.add(l.near(path), path, "called %s like %s: give it another name", m.Name, index("models", j))
			continue
		}
		first[m.Name] = i
	}
}

func (l *loader) checkPrompt(c *Config) {
	first := ""
	for _, key := range []struct {
		path  string
		given bool
	}{
		{"prompt.templates", c.Prompt.Templates.Given()},
		{"prompt.template", c.Prompt.Template != ""},
		{"prompt.templates_file", c.Prompt.TemplatesFile != ""},
		{"prompt.class_prompts", c.Prompt.ClassPrompts != ""},
	} {
		switch {
		case key.given && first != "":
			l.faults.add(l.near(key.path), key.path, "given beside %s: one of the two is wanted", first)
		case key.given:
			first = key.path
		}
	}
	for i, template := range c.Prompt.All() {
		path := "prompt.template"
		if c.Prompt.Templates.Given() {
			path = index("prompt.templates", i)
		}
		if !HasPlaceholder(template) {
			l.faults.add(l.near(path), path, "%s has no place for the class name: [CLS]", strconv.Quote(shorten(template)))
		}
	}
}

// checkPrior checks values that are written out; how many classes there are, and
// what a file has, is seen when the data set is opened.
func (l *loader) checkPrior(c *Config) {
	sum := 0.0
	for i, v := range c.Label.Prior.Values {
		if v < 0 {
			path := index("label.prior", i)
			l.faults.add(l.near(path), path, "%v is out of range: a share is at least 0", v)
			return
		}
		sum += v
	}
	if len(c.Label.Prior.Values) > 0 && sum == 0 {
		l.faults.add(l.near("label.prior"), "label.prior", "all shares are 0")
	}
}

func (l *loader) checkLearn(c *Config) {
	switch coOp := c.Learn.Method == MethodCoOp || c.Learn.Method == MethodCLIPAdapter; {
	case c.Learn.Epochs == 0 && !coOp: // of tip-adapter-f it was filled in
		l.faults.add(l.near("learn.epochs"), "learn.epochs", "0 is for %s, %s and %s alone: say how many", MethodCoOp, MethodCLIPAdapter, MethodTipAdapterF)
	case c.Learn.Epochs > 0 && c.Learn.WarmupEpochs > c.Learn.Epochs:
		l.faults.add(l.near("learn.warmup_epochs"), "learn.warmup_epochs", "%d is more than learn.epochs, %d", c.Learn.WarmupEpochs, c.Learn.Epochs)
	}
	seen := make(map[uint64]bool)
	for _, seed := range c.Learn.Seeds {
		if seen[seed] {
			l.faults.add(l.near("learn.seeds"), "learn.seeds", "seed %d twice: the seeds must differ", seed)
			return
		}
		seen[seed] = true
	}
}
