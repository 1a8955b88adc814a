package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/upl-host/upl-host/host/config"
)

var update = flag.Bool("update", false, "write the reference anew")

const (
	source = "../.."
	docs   = "../../../../docs"
)

// The reference in docs is the one of this source.
func TestReferenceIsCurrent(t *testing.T) {
	if *update {
		if err := write(source, docs); err != nil {
			t.Fatal(err)
		}
	}
	files, err := generate(source)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("docs/%s is not current (-source +docs), go generate ./host/config writes it:\n%s", name, diff)
		}
	}
}

// compile returns the schema of the configuration.
func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	files, err := generate(source)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(files["configuration.schema.json"]))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("configuration.schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("configuration.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The schema allows what Load allows.
func TestSchemaAllows(t *testing.T) {
	s := compile(t)
	files, err := filepath.Glob(source + "/testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v: %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Source{File: file})
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string][]byte{"as written": text, "effective": c.Effective("")} {
			var value any
			if err := yaml.Unmarshal(text, &value); err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(value); err != nil {
				t.Errorf("%s, %s: %v", file, what, err)
			}
		}
	}
}

// The schema allows what LoadMatrix allows.
func TestSchemaAllowsMatrices(t *testing.T) {
	s := compile(t)
	files, err := filepath.Glob(source + "/testdata/matrix/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v: %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := config.LoadMatrix(config.Source{File: file}); m == nil || err != nil {
			t.Fatal(m, err)
		}
		var value any
		if err := yaml.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The schema refuses what Load refuses of a single key.
func TestSchemaRefuses(t *testing.T) {
	s := compile(t)
	const rest = "models: [{path: vit}]\ndataset: {path: images}\n"
	for _, text := range []string{
		"models: [{path: vit}]",
		"dataset: {path: images}",
		"models: []\ndataset: {path: images}",
		"models: [{path: vit}]\ndataset: {kind: csv}",
		"models: [{path: vit}]\ndataset: {path: images, kind: table}",
		"models: [{name: vit}]\ndataset: {path: images}",
		rest + "learn: {epoch: 1}",
		rest + "learn: {epochs: -1}",
		rest + "learn: {epochs: 1.5}",
		rest + "learn: {learning_rate: 0}",
		rest + "learn: {momentum: 1}",
		rest + "learn: {seeds: 0}",
		rest + "learn: {seeds: [1, 1]}",
		rest + "device: tpu",
		rest + "name: a/b",
		rest + "label: {limits: {time: soon}}",
		rest + "label: {limits: {memory: lots}}",
		rest + "prompt: {templates: a}",
		rest + "report: {enabled: 1}",
		rest + "extends: [1]",
		rest + "matrix: {method: [upl]}",
		rest + "matrix: {methods: [{set: {}}]}",
		rest + "matrix: {methods: [{name: x, set: {lern: {epochs: 1}}}]}",
		rest + "matrix: {k: [0]}",
	} {
		t.Run(text, func(t *testing.T) {
			var value any
			if err := yaml.Unmarshal([]byte(text), &value); err != nil {
				t.Fatal(err)
			}
			if s.Validate(value) == nil {
				t.Error("the schema allows it")
			}
			var faults *config.Error
			if _, err := config.Load(config.Source{File: "x.yaml", Text: []byte(text)}); !errors.As(err, &faults) {
				t.Errorf("Load: %v", err)
			}
		})
	}
}

// Every example of the reference is one that its key takes.
func TestExamples(t *testing.T) {
	for _, key := range config.Root().Leaves() {
		if key.Example == "" {
			if key.Kind != config.Items {
				t.Errorf("%s has no example", key.Path)
			}
			continue
		}
		set := []string{"models=[{path: vit}]", "dataset.path=images", key.Path + "=" + key.Example}
		if _, err := config.Load(config.Source{Set: set}); err != nil {
			t.Error(err)
		}
	}
}
