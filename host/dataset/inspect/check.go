package inspect

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/dataset"
)

// CheckOptions of Check.
type CheckOptions struct {
	Limits preprocess.Limits
	// MissingFails and CorruptFails say what `run` would do about such pictures.
	MissingFails, CorruptFails bool
	Models                     []Model
	Workers                    int // 0: as many as there are processors
	Progress                   func(done int)
}

// Model is one that class names must suit.
type Model struct {
	Name string
	// Fits says why a class, by its place in the data set, is too much for the
	// model's tokenizer; nil: it is not.
	Fits func(class int) error
}

// Pictures is how many Check decodes.
func Pictures(d *dataset.Dataset) int { return len(union(d, splits(d))) }

// Unopened is the result where the data set cannot even be opened; ok is false where
// the error is another.
func Unopened(err error) (_ *Result, ok bool) {
	var wrong *dataset.Error
	if !errors.As(err, &wrong) {
		return nil, false
	}
	r := &Result{Findings: []Finding{}}
	for _, fault := range wrong.Faults {
		r.Findings = append(r.Findings, Finding{Severity: Wrong, Kind: KindDataset, Where: fault.Where, What: fault.Message})
	}
	if wrong.More > 0 {
		r.Findings = append(r.Findings, Finding{Severity: Wrong, Kind: KindDataset, Where: "data set", What: fmt.Sprintf("%d more faults", wrong.More), Do: "mend these first"})
	}
	return r, true
}

// Check decodes every picture, and looks for what spoils a run or its results. The
// data set is one that was opened without those missing, so that all are known.
func Check(ctx context.Context, d *dataset.Dataset, truth *dataset.Truth, options CheckOptions) (*Result, error) {
	parts := splits(d)
	c := &check{data: d, truth: truth, options: options, parts: parts, all: union(d, parts)}
	c.hashes, c.errs = make([][sha256.Size]byte, len(c.all)), make([]error, len(c.all))
	var jpeg atomic.Int64
	err := each(ctx, c.all, options.Workers, options.Progress, func(k, i int) {
		var data []byte
		if data, c.errs[k] = read(d.Pictures[i]); c.errs[k] != nil {
			return
		}
		if bytes.HasPrefix(data, []byte("\xff\xd8\xff")) {
			jpeg.Add(1)
		}
		c.hashes[k] = sha256.Sum256(data)
		_, c.errs[k] = preprocess.Decode(data, options.Limits)
	})
	if err != nil {
		return nil, err
	}
	c.missing()
	c.undecodable()
	c.duplicates()
	c.names()
	c.emptyClasses()
	c.unlabelled()
	c.splits()
	c.ignored()
	slices.SortStableFunc(c.found, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() })
	return &Result{Pictures: len(c.all), Classes: len(d.Classes), JPEG: int(jpeg.Load()), Findings: slices.Concat([]Finding{}, c.found)}, nil
}

func (s Severity) rank() int { return slices.Index([]Severity{Wrong, Doubtful, Known}, s) }

// errRead marks a picture that could not be read, decodable or not.
var errRead = errors.New("cannot be read")

// read reads a picture's bytes.
func read(p dataset.Picture) ([]byte, error) {
	data, err := p.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRead, reason(err))
	}
	return data, nil
}

// reason leaves out the path that stands before it anyway.
func reason(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// check is one call of Check.
type check struct {
	data    *dataset.Dataset
	truth   *dataset.Truth
	options CheckOptions
	parts   []split
	all     []int
	hashes  [][sha256.Size]byte // of the pictures in all
	errs    []error
	found   []Finding
}

func (c *check) add(f Finding) { c.found = append(c.found, f) }

// missing reports pictures that are listed and not there.
func (c *check) missing() {
	severity, do := Known, "run leaves it out (dataset.missing: skip)"
	if c.options.MissingFails {
		severity, do = Wrong, "fetch it, take it off the list, or set dataset.missing to skip"
	}
	for _, id := range c.data.Missing {
		f := Finding{Severity: severity, Kind: KindMissing, Where: id, What: "is listed, and not there", Do: do}
		if c.options.MissingFails && strings.Contains(id, `\`) {
			f.Do = `write paths with / in place of \`
		}
		c.add(f)
	}
}

// undecodable reports pictures that a run cannot use.
func (c *check) undecodable() {
	severity, skipped := Doubtful, "; run leaves it out (dataset.corrupt: skip)"
	if c.options.CorruptFails {
		severity, skipped = Wrong, ""
	}
	for k, i := range c.all {
		err := c.errs[k]
		if err == nil {
			continue
		}
		f := Finding{Severity: severity, Kind: KindCorrupt, Where: c.data.Pictures[i].ID, What: err.Error(), Do: "fetch it again, or remove it"}
		switch {
		case errors.Is(err, errRead):
			f.Kind, f.Do = KindUnreadable, "make it readable, or remove it"
		case errors.Is(err, preprocess.ErrTooLarge):
			f.Kind, f.Do = KindTooLarge, "make it smaller, or raise dataset.max_pixels"
		case errors.Is(err, preprocess.ErrUnsupported):
			f.Do = "convert it to PNG or JPEG, or remove it"
		}
		f.Do += skipped
		c.add(f)
	}
	for _, s := range c.parts {
		if usable := slices.ContainsFunc(s.pictures, c.usable); !usable {
			c.add(Finding{Severity: Wrong, Kind: KindSplit, Where: s.name, What: fmt.Sprintf("none of its %d pictures can be decoded", len(s.pictures)), Do: "mend or replace them"})
		}
	}
}

func (c *check) usable(picture int) bool {
	k, ok := slices.BinarySearch(c.all, picture)
	return ok && c.errs[k] == nil
}

// names reports class names that models cannot take, or that say nothing to them.
func (c *check) names() {
	for _, model := range c.options.Models {
		for n, class := range c.data.Classes {
			if err := model.Fits(n); err != nil {
				c.add(Finding{Severity: Wrong, Kind: KindName, Where: fmt.Sprintf("class %q", class.Name), What: err.Error(), Do: "shorten the name, in a file that dataset.classes names"})
			}
		}
	}
	var codes []string
	for _, class := range c.data.Classes {
		if code.MatchString(class.Spoken()) {
			codes = append(codes, class.Name)
		}
	}
	if len(codes) > 0 {
		c.add(Finding{
			Severity: Doubtful, Kind: KindName, Where: fmt.Sprintf("class %q", codes[0]), Others: codes[1:],
			What: "is a code, not a name" + andOthers(codes[1:], "class") + ", and prompts say it as it is", Do: "give names in a file that dataset.classes names: a folder, a tab and its name a line",
		})
	}
}

// code are names that say nothing: numbers, and WordNet's.
var code = regexp.MustCompile(`^(n?\d+|[a-z]?\d{3,})$`)

// emptyClasses reports classes without a picture, of splits with labels.
func (c *check) emptyClasses() {
	for _, s := range c.parts {
		counts, labelled := make([]int, len(c.data.Classes)), false
		for _, i := range s.pictures {
			if label := c.truth.Label(i); label >= 0 {
				counts[label]++
				labelled = true
			}
		}
		var empty []string
		for class, n := range counts {
			if n == 0 {
				empty = append(empty, c.data.Classes[class].Name)
			}
		}
		if !labelled || len(empty) == 0 {
			continue
		}
		c.add(Finding{
			Severity: Doubtful, Kind: KindEmpty, Where: fmt.Sprintf("class %q", empty[0]), Others: empty[1:],
			What: "has no labelled picture in " + s.name + andOthers(empty[1:], "class"), Do: "add pictures, or take it off the classes",
		})
	}
}

// unlabelled reports test pictures that no accuracy is measured on.
func (c *check) unlabelled() {
	var without []string
	for _, i := range c.data.Test {
		if c.truth.Label(i) < 0 {
			without = append(without, c.data.Pictures[i].ID)
		}
	}
	switch n := len(without); {
	case n == 0:
	case n == len(c.data.Test):
		c.add(Finding{Severity: Known, Kind: KindUnlabelled, Where: "test", What: fmt.Sprintf("none of its %d pictures has a label", n), Do: "run shows no accuracy; label a few hundred to have one"})
	default:
		c.add(Finding{Severity: Doubtful, Kind: KindUnlabelled, Where: without[0], Others: without[1:], What: fmt.Sprintf("is in test without a label%s", andOthers(without[1:], "picture")), Do: "label it, or take it out: it is classified, and not evaluated"})
	}
}

// splits reports pictures that are in two splits by name.
func (c *check) splits() {
	if same(c.data.Unlabeled, c.data.Test) {
		return
	}
	for _, with := range []struct {
		name     string
		pictures []int
		severity Severity
	}{{"unlabeled", c.data.Unlabeled, Doubtful}, {"validation", c.data.Validation, Wrong}} {
		var shared []string
		for _, i := range with.pictures {
			if _, ok := slices.BinarySearch(c.data.Test, i); ok {
				shared = append(shared, c.data.Pictures[i].ID)
			}
		}
		if len(shared) > 0 {
			c.add(Finding{
				Severity: with.severity, Kind: KindSplit, Where: shared[0], Others: shared[1:],
				What: fmt.Sprintf("is in %s and in test%s", with.name, andOthers(shared[1:], "picture")), Do: "take it out of one of them, unless that is what is meant",
			})
		}
	}
}

// ignored says how many files are taken for no pictures.
func (c *check) ignored() {
	if note := c.data.IgnoredNote(); note != "" {
		c.add(Finding{Severity: Known, Kind: KindIgnored, Where: c.data.Root, What: note})
	}
}

// andOthers counts what a finding is about beside its place.
func andOthers(others []string, what string) string {
	switch len(others) {
	case 0:
		return ""
	case 1:
		return " (and one other " + what + ", " + others[0] + ")"
	}
	plural := what + "s"
	if what == "class" {
		plural = "classes"
	}
	return fmt.Sprintf(" (and %d other %s: %s)", len(others), plural, examples(others))
}

// examples lists the first few of many.
func examples(all []string) string {
	const most = 4
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:most], ", ") + ", …"
}
