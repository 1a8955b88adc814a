package config

import "go.yaml.in/yaml/v3"

// File is what a configuration's file may hold beside the keys of a run. Its tags
// are those of [Config].
type File struct {
	// Files that this one builds on, one or several: they are read first, in order,
	// and this file's keys go over theirs. A list or a plugin's parameters are
	// replaced as a whole.
	Extends Files `yaml:"extends" default:"[]" path:"file" example:"profiles/upl-paper.yaml"`
	// Several runs in one file, a run for each combination of the axes' cells. See
	// matrix.md.
	Matrix Axes `yaml:"matrix"`
}

// Axes are those of a matrix. What is not an axis is the same for all runs.
type Axes struct {
	// The data sets. A name alone is a kind of data set, below the folder that
	// dataset.path names.
	Datasets []Cell `yaml:"datasets" default:"[]" range:"[0,1000]" example:"[{name: mine, set: {dataset.path: images}}]"`
	// The models that are trained. A name alone is that of one in models: it
	// comes first there, and the others stay for pseudo labels.
	Models []Cell `yaml:"models" default:"[]" range:"[0,1000]" example:"[vit, rn]"`
	// The methods, by the names of matrix.md or with keys of their own.
	Methods []Cell `yaml:"methods" default:"[]" range:"[0,1000]" example:"[zero-shot, upl, \"upl*\"]"`
	// The selection rules. A name alone is a plugin's.
	Strategies []Cell `yaml:"strategies" default:"[]" range:"[0,1000]" example:"[top-k, {name: strict, like: threshold, set: {label.selection.params.t: 0.95}}]"`
	// K: pseudo labels a class, or true labels a class where learn.labels is `true`.
	K Counts `yaml:"k" default:"[]" range:"[0,1000]" example:"[4, 16]"`
	// One run for each seed: learn.seeds has this seed alone.
	Seeds Seeds `yaml:"seeds" derived:"no axis" range:"[1,1000]" example:"[1, 2, 3]"`
	// Combinations that are left out: those that an item's names all match.
	Exclude []Exclusion `yaml:"exclude" default:"[]" range:"[0,1000]"`
}

// Cell is one value of an axis: a name, or a section with these keys.
type Cell struct {
	// What tables and folders call it.
	Name string `yaml:"name" required:"yes" pattern:"[\\p{L}\\p{N}][^/\\\\\\x00-\\x1f]*" allowed:"begins with a letter or digit; no slashes" example:"slow"`
	// The known name whose keys it has, under its own: a method, a model, a
	// plugin, a kind of data set.
	Like string `yaml:"like" derived:"its name, where that is known" example:"upl"`
	// Keys of the configuration and their values; a key may be written with dots.
	Set Keys `yaml:"set" default:"{}" example:"{learn.epochs: 100}"`
	// Axes behind this one along which it does not change: it has one run for all
	// their values.
	Ignores []string `yaml:"ignores" range:"[0,5]" derived:"what a known method does not use" example:"[strategies, k]"`

	at   place
	keys *yaml.Node
}

// Exclusion names cells by axis; an axis that is not named matches all.
type Exclusion struct {
	// Names of data sets.
	Datasets []string `yaml:"datasets" default:"[]" range:"[0,1000]" example:"[imagenet]"`
	// Names of models.
	Models []string `yaml:"models" default:"[]" range:"[0,1000]" example:"[vit]"`
	// Names of methods.
	Methods []string `yaml:"methods" default:"[]" range:"[0,1000]" example:"[coop]"`
	// Names of strategies.
	Strategies []string `yaml:"strategies" default:"[]" range:"[0,1000]" example:"[threshold]"`
	// Values of K.
	K Counts `yaml:"k" default:"[]" range:"[0,1000]" example:"[1, 2]"`
	// Seeds.
	Seeds Seeds `yaml:"seeds" derived:"all" range:"[1,1000]" example:"[3]"`

	at place
}

// Files are paths, one or several.
type Files []string

// Counts are numbers of pictures.
type Counts []int64

// Keys are keys of a configuration, with their values, as they are written.
type Keys struct{}
