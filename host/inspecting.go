package host

import (
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/inspect"
)

// Inspection is a configuration's data set, as a run would read it, to be looked at.
type Inspection struct {
	Data  *dataset.Dataset
	Truth *dataset.Truth

	plan *plan
}

// Inspect opens a configuration's data set. Pictures that are listed and missing are
// left out, whatever a run would do: Data lists them.
func Inspect(c *config.Config) (*Inspection, error) {
	lenient := *c
	lenient.Dataset.Missing = "skip"
	shared := NewShared() // which opens nothing
	p := &plan{config: &lenient, shared: shared.models}
	truth, err := p.openData(shared)
	if err != nil {
		return nil, err
	}
	if err := p.openPrompting(); err != nil {
		return nil, err
	}
	return &Inspection{Data: p.data, Truth: truth, plan: p}, nil
}

// Templates are those of zero-shot classification; none where the classes have
// prompts of their own.
func (i *Inspection) Templates() []string { return i.plan.prompting.templates }

// ClassPrompts are the classes' own prompts; none where templates make them.
func (i *Inspection) ClassPrompts() [][]string { return i.plan.prompting.ofClasses }

// Models are the configuration's, to try class names on. It needs no TensorFlow.
func (i *Inspection) Models() ([]inspect.Model, error) {
	described, errs := i.plan.readModels()
	models := make([]inspect.Model, len(described))
	for m, d := range described {
		if errs[m] != nil {
			return nil, fmt.Errorf("models[%d]: %w", m, errs[m])
		}
		learns := m == 0 && d.Learnable && learnsPrompts(i.plan.config.Learn)
		models[m] = inspect.Model{Name: d.Name, Fits: func(class int) error { return i.plan.fits(d, class, learns) }}
	}
	return models, nil
}

// fits tries one class's prompts on a model's tokenizer, and its name behind the
// context that is to be learnt.
func (p *plan) fits(d *backbone.Description, class int, learns bool) error {
	name := p.prompting.spoken[class]
	one := prompting{spoken: []string{name}, templates: p.prompting.templates}
	if p.prompting.ofClasses != nil {
		one.ofClasses = p.prompting.ofClasses[class : class+1]
	}
	err := one.check(d)
	if err == nil && learns {
		length, lengthErr := contextLength(p.config.Learn, d)
		if lengthErr != nil {
			return lengthErr
		}
		_, err = d.Prompts(one.spoken, length, p.config.Learn.ClassTokenPosition, false)
	}
	if err != nil { // the finding says the class's name anyway
		return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), fmt.Sprintf("class name %q ", name)))
	}
	return nil
}
