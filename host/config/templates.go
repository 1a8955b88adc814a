package config

import (
	"embed"
	"slices"
	"strings"
)

// The sets are those of CLIP's notebook Prompt_Engineering_for_ImageNet, as
// open_clip 3.3.0 has them in zero_shot_metadata.py (MIT): its 80, and the 7 that
// it found best, which are Tip-Adapter's for ImageNet.
//
//go:embed templates/*.txt
var templateSets embed.FS

// TemplateSet returns the templates of a named set.
func TemplateSet(name string) (templates []string, ok bool) {
	text, err := templateSets.ReadFile("templates/" + name + ".txt")
	if err != nil {
		return nil, false
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), true
}

// Templates are several templates: a named set, or a list of them, or none.
type Templates struct {
	Set  string
	List []string
}

// All returns the templates themselves; nil where there are none.
func (t Templates) All() []string {
	if templates, ok := TemplateSet(t.Set); ok {
		return templates
	}
	return slices.Clone(t.List)
}

// Given says whether the configuration names any.
func (t Templates) Given() bool { return t.Set != "" || len(t.List) > 0 }

// DefaultTemplate is that of UPL's equation 1, where neither the configuration nor
// the data set has one.
const DefaultTemplate = "a photo of a [CLS]."

// All returns the templates that the configuration itself has, which may be none.
func (p Prompt) All() []string {
	if p.Templates.Given() {
		return p.Templates.All()
	}
	if p.Template != "" {
		return []string{p.Template}
	}
	return nil
}

// placeholders stand for the class name in a template.
var placeholders = strings.NewReplacer("[CLS]", "\x00", "{}", "\x00", "{c}", "\x00")

// Fill returns the template's text for a class. Underscores of the name are
// read as spaces.
func Fill(template, class string) string {
	return strings.ReplaceAll(placeholders.Replace(template), "\x00", strings.ReplaceAll(class, "_", " "))
}

// HasPlaceholder says whether a template has a place for the class name.
func HasPlaceholder(template string) bool { return Fill(template, "a") != Fill(template, "b") }
