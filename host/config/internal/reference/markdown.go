package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/host/config"
)

const preface = `<!-- Written by go generate ./host/config. Change the comments and tags of host/config/config.go. -->
# Configuration

A run is described by one file, in YAML, TOML or JSON: ` + "`upl-host run -c study.yaml`" + `. Only ` + "`models`" + ` and
` + "`dataset.path`" + ` must be there:

` + "```yaml" + `
# yaml-language-server: $schema=configuration.schema.json
models:
  - path: models/vit
dataset:
  path: images
` + "```" + `

With the first line, pointed at [configuration.schema.json](configuration.schema.json), an editor completes and checks
the keys.

## Where values come from

Each of these goes over the ones before:

1. the defaults below
2. the file
3. the environment: ` + "`UPL_LEARN_EPOCHS=10`" + ` sets ` + "`learn.epochs`" + `; an empty variable sets nothing
4. ` + "`--set learn.epochs=10`" + `, in order

A value of the environment or of ` + "`--set`" + ` is read as its key's type: a string as it stands, or in quotes. Lists and mappings are YAML in one line:
` + "`--set 'models=[{path: models/vit}, {path: models/rn}]'`" + `. ` + "`--set`" + ` also reaches within them:
` + "`--set models.1.path=models/rn`, `--set label.selection.params.k=8`" + `.

Paths in a file are relative to the file's own folder, paths in the environment and in ` + "`--set`" + ` to the working
directory; ` + "`~/`" + ` is the home folder.

What is wrong is said all at once, with file, line, column and the nearest right key, and ends the program with exit
code 2 before anything is computed. The run's folder keeps the effective configuration, every key with its value, as
` + "`run.yaml`" + `: it is itself a configuration that ` + "`upl-host run -c`" + ` takes.

A key marked † changes no result: a run that was stopped can go on with another value of it.

UPL is "Unsupervised Prompt Learning for Vision-Language Models", arXiv 2204.03649, with its reference code; CoOp is
"Learning to Prompt for Vision-Language Models", arXiv 2109.01134; CLIP is "Learning Transferable Visual Models From
Natural Language Supervision", arXiv 2103.00020.

`

// markdown writes the reference: a table for each section.
func markdown(root, file *config.Key, m meanings) []byte {
	var b bytes.Buffer
	b.WriteString(preface)
	var own config.Key
	own.Kind = config.Section
	var sections []*config.Key
	for _, key := range root.Keys {
		if key.Kind == config.Section {
			sections = append(sections, key)
			continue
		}
		own.Keys = append(own.Keys, key)
		if key.Kind == config.Items {
			sections = append(sections, key)
		}
	}
	b.WriteString("## The run\n\n")
	table(&b, &own, m)
	for _, key := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", key.Path, m.of(key))
		table(&b, key, m)
	}
	b.WriteString(files)
	table(&b, file, m)
	for _, key := range rows(file) {
		switch key.Path {
		case "matrix.exclude", "matrix.datasets": // the cells of all axes have the same keys
			fmt.Fprintf(&b, "\n### %s[]\n\n", key.Path)
			table(&b, key, m)
		}
	}
	return b.Bytes()
}

// files introduces the keys that a file may hold beside a run's.
const files = `
## Several files, several runs

Each file that is extended goes below the one that names it, and a cell of a matrix over the file:
[matrix.md](matrix.md). The cells of all axes but ` + "`k` and `seeds`" + ` have the keys of ` + "`matrix.datasets[]`" + `.

`

// table writes a row for each key below a section.
func table(b *bytes.Buffer, section *config.Key, m meanings) {
	b.WriteString("| key | type | default | allowed | meaning | example |\n|---|---|---|---|---|---|\n")
	for _, key := range rows(section) {
		name := "`" + key.Path + "`"
		if !key.Results {
			name += " †"
		}
		meaning := m.of(key)
		if key.Source != "" {
			meaning += " Source: " + key.Source + "."
		}
		cells := []string{name, string(key.Kind), defaultOf(key), allowed(key), meaning, code(key.Example)}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", "\\|")
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
}

// rows lists the keys below a section that have values, sections within it
// written out.
func rows(section *config.Key) []*config.Key {
	var keys []*config.Key
	for _, key := range section.Keys {
		keys = append(keys, key.Leaves()...)
	}
	return keys
}

func defaultOf(key *config.Key) string {
	switch {
	case key.Required:
		return "required"
	case key.Derived != "":
		return key.Derived
	case key.Default == "":
		return "`\"\"`"
	}
	return code(key.Default)
}

func allowed(key *config.Key) string {
	switch {
	case key.Kind == config.TemplateList:
		return "`" + strings.Join(key.Enum, "`, `") + "`; a list of " + key.Range.String()
	case key.Enum != nil:
		return "`" + strings.Join(key.Enum, "`, `") + "`"
	case key.Allowed != "":
		return key.Allowed
	case key.Range.Text != "" && (key.Kind == config.Items || key.Kind == config.Strings || key.Kind == config.SeedList || key.Kind == config.Cells || key.Kind == config.Integers):
		return key.Range.String() + " of them"
	case key.Range.Text != "":
		return key.Range.String()
	}
	return ""
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
