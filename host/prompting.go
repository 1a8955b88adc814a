package host

import (
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/prompts"
)

// prompting is what zero-shot classification says of the classes.
type prompting struct {
	// spoken are the classes as prompts call them, of which two may be the same.
	spoken []string
	// templates are filled with them; none where ofClasses are the prompts, class by class.
	templates []string
	ofClasses [][]string
}

// openPrompting finds the prompts: the configuration's, else the data set's own,
// else the default.
func (p *plan) openPrompting() (err error) {
	for _, class := range p.data.Classes {
		p.prompting.spoken = append(p.prompting.spoken, class.Spoken())
	}
	c := p.config.Prompt
	templates := c.All()
	switch {
	case c.ClassPrompts != "":
		p.prompting.ofClasses, err = prompts.ReadClassPrompts(c.ClassPrompts, p.prompting.spoken)
	case c.TemplatesFile != "":
		templates, err = prompts.ReadTemplates(c.TemplatesFile)
	case templates == nil && p.data.Templates != nil:
		templates = p.data.Templates
	case templates == nil:
		templates = []string{config.DefaultTemplate}
	}
	if err != nil {
		return &UsageError{Err: fmt.Errorf("prompt: %w", err)}
	}
	p.prompting.templates = templates
	return nil
}

// check tries the prompts on a model's tokenizer.
func (p *prompting) check(d *backbone.Description) error {
	_, err := p.tokens(d)
	return err
}

// tokens are the prompts, in lists of as many as one encoding takes.
func (p *prompting) tokens(d *backbone.Description) ([]graphs.Tokens, error) {
	if p.ofClasses != nil {
		return d.ClassPrompts(p.ofClasses, p.spoken)
	}
	return d.Templates(p.templates, p.spoken)
}

// of are the classes of the prompts, list by list.
func (p *prompting) of() []int {
	var of []int
	for n := 0; ; n++ {
		before := len(of)
		for class := range p.spoken {
			if n < len(p.templates) || p.ofClasses != nil && n < len(p.ofClasses[class]) {
				of = append(of, class)
			}
		}
		if len(of) == before {
			return of
		}
	}
}

// features are a model's zero-shot class features, or, where it compares texts itself,
// those of each prompt; encode gives those of some texts.
func (p *prompting) features(d *backbone.Description, encode func(graphs.Tokens) (array.Matrix, error)) (array.Matrix, error) {
	if d.HasSimilarity {
		tokens, err := p.tokens(d)
		if err != nil {
			return array.Matrix{}, err
		}
		return d.EachText(tokens, encode)
	}
	if p.ofClasses != nil {
		return d.ClassPromptFeatures(p.ofClasses, p.spoken, encode)
	}
	return d.ClassFeatures(p.templates, p.spoken, encode)
}

// digest changes with every text.
func (p *prompting) digest() string {
	parts := append([]string{fmt.Sprint(len(p.templates))}, p.templates...)
	parts = append(parts, p.spoken...)
	for _, texts := range p.ofClasses {
		parts = append(parts, strings.Join(texts, "\n"))
	}
	return digest(parts...)
}

// String says in a line what the prompts are.
func (p *prompting) String() string {
	switch n := len(p.templates); {
	case p.ofClasses != nil:
		total := 0
		for _, texts := range p.ofClasses {
			total += len(texts)
		}
		return fmt.Sprintf("%d of the classes' own, such as %q", total, p.ofClasses[0][0])
	case n == 1:
		return fmt.Sprintf("%q", p.templates[0])
	default:
		return fmt.Sprintf("%d templates, the first %q", n, p.templates[0])
	}
}
