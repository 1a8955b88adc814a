package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
)

// Overview is what is in a data set.
type Overview struct {
	Root     string   `json:"root"`
	Pictures int      `json:"pictures"` // of all splits together
	Splits   []Split  `json:"splits"`
	Classes  []Class  `json:"classes"`
	Formats  []Format `json:"formats"`
	// Sizes are those of Sampled pictures; nil where no header could be read.
	Sizes   *Sizes `json:"sizes,omitempty"`
	Sampled int    `json:"sampled"`
	// Unreadable are pictures whose headers cannot be read.
	Unreadable []string `json:"unreadable"`
	Templates  []string `json:"templates"`
	Prompts    []string `json:"prompts"` // of two classes; of many templates the first
	Notes      []string `json:"notes"`
}

// Split is how many pictures one has.
type Split struct {
	Name     string `json:"name"`
	Pictures int    `json:"pictures"`
	Labelled int    `json:"labelled"`
	// Smallest and Largest are the fewest and the most pictures of a class, where
	// there are labels.
	Smallest *Extreme `json:"smallest,omitempty"`
	Largest  *Extreme `json:"largest,omitempty"`
	Empty    int      `json:"empty_classes"`
}

// Extreme is a class and its number of pictures.
type Extreme struct {
	Class    string `json:"class"`
	Pictures int    `json:"pictures"`
}

// Class is one as the model reads it.
type Class struct {
	Folder string `json:"folder"`
	Name   string `json:"name"`
	Spoken string `json:"spoken"`   // what prompts say
	Counts []int  `json:"pictures"` // labelled ones, by split
}

// Total is how many labelled pictures there are in all splits.
func (c Class) Total() int {
	total := 0
	for _, n := range c.Counts {
		total += n
	}
	return total
}

// Format is a picture format and how many have it.
type Format struct {
	Name     string `json:"name"`
	Pictures int    `json:"pictures"`
}

// Sizes are those of pictures, in pixels.
type Sizes struct {
	Shorter Range `json:"shorter_side"`
	Longer  Range `json:"longer_side"`
	// Smallest and Largest are the pictures with the fewest and the most pixels.
	Smallest Sized `json:"smallest"`
	Largest  Sized `json:"largest"`
}

// Range is the least, the median and the greatest of many numbers.
type Range struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	Max    int `json:"max"`
}

// Sized is a picture and its size.
type Sized struct {
	Picture string `json:"picture"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
}

// ShowOptions of Show.
type ShowOptions struct {
	// Templates are filled with the classes' names, unless ClassPrompts are all that
	// there are.
	Templates    []string
	ClassPrompts [][]string
	// Sample is the most pictures whose headers are read; 0: 20,000.
	Sample   int
	Workers  int // 0: as many as there are processors
	Progress func(done int)
}

const defaultSample = 20_000

// Sampled is how many headers Show reads.
func (o ShowOptions) Sampled(d *dataset.Dataset) int {
	if o.Sample <= 0 {
		o.Sample = defaultSample
	}
	return min(o.Sample, len(union(d, splits(d))))
}

// Show looks at a data set: its splits, classes, and the headers of pictures.
func Show(ctx context.Context, d *dataset.Dataset, truth *dataset.Truth, options ShowOptions) (*Overview, error) {
	parts := splits(d)
	all := union(d, parts)
	o := &Overview{
		Root: d.Root, Pictures: len(all), Templates: slices.Concat([]string{}, options.Templates), Unreadable: []string{},
		Formats: []Format{}, Notes: slices.Concat([]string{}, d.Notes),
	}
	o.count(d, truth, parts)
	o.fill(d, options)
	sample := spread(all, options.Sampled(d))
	o.Sampled = len(sample)
	infos, errs := make([]preprocess.Info, len(sample)), make([]error, len(sample))
	err := each(ctx, sample, options.Workers, options.Progress, func(k, i int) {
		infos[k], errs[k] = header(d.Pictures[i])
	})
	if err != nil {
		return nil, err
	}
	o.measure(d, sample, infos, errs)
	if o.Sampled < o.Pictures {
		o.Notes = append(o.Notes, fmt.Sprintf("formats and sizes are those of %d of %d pictures, at even distances", o.Sampled, o.Pictures))
	}
	return o, nil
}

// count counts the pictures of each split and class.
func (o *Overview) count(d *dataset.Dataset, truth *dataset.Truth, parts []split) {
	for _, class := range d.Classes {
		o.Classes = append(o.Classes, Class{Folder: class.Folder, Name: class.Name, Spoken: class.Spoken(), Counts: make([]int, len(parts))})
	}
	for k, s := range parts {
		shown := Split{Name: s.name, Pictures: len(s.pictures)}
		for _, i := range s.pictures {
			if label := truth.Label(i); label >= 0 {
				shown.Labelled++
				o.Classes[label].Counts[k]++
			}
		}
		if shown.Labelled > 0 {
			byCount := func(a, b Class) int { return cmp.Compare(a.Counts[k], b.Counts[k]) }
			least, most := slices.MinFunc(o.Classes, byCount), slices.MaxFunc(o.Classes, byCount)
			shown.Smallest, shown.Largest = &Extreme{least.Name, least.Counts[k]}, &Extreme{most.Name, most.Counts[k]}
			for _, class := range o.Classes {
				if class.Counts[k] == 0 {
					shown.Empty++
				}
			}
		}
		o.Splits = append(o.Splits, shown)
	}
}

// fill writes out the prompts of the first and the last class.
func (o *Overview) fill(d *dataset.Dataset, options ShowOptions) {
	const most = 3 // there may be 80 templates
	o.Prompts = []string{}
	for _, c := range []int{0, len(d.Classes) - 1} {
		if options.ClassPrompts != nil {
			own := options.ClassPrompts[c]
			o.Prompts = append(o.Prompts, own[:min(most, len(own))]...)
			continue
		}
		for _, template := range o.Templates[:min(most, len(o.Templates))] {
			o.Prompts = append(o.Prompts, config.Fill(template, d.Classes[c].Spoken()))
		}
	}
}

// measure sums up what the headers say.
func (o *Overview) measure(d *dataset.Dataset, sample []int, infos []preprocess.Info, errs []error) {
	formats := map[string]int{}
	var shorter, longer []int
	for k, info := range infos {
		id := d.Pictures[sample[k]].ID
		if errs[k] != nil {
			o.Unreadable = append(o.Unreadable, id)
			continue
		}
		formats[info.Format]++
		shorter = append(shorter, min(info.Width, info.Height))
		longer = append(longer, max(info.Width, info.Height))
		size := Sized{id, info.Width, info.Height}
		switch {
		case o.Sizes == nil:
			o.Sizes = &Sizes{Smallest: size, Largest: size}
		case size.pixels() < o.Sizes.Smallest.pixels():
			o.Sizes.Smallest = size
		case size.pixels() > o.Sizes.Largest.pixels():
			o.Sizes.Largest = size
		}
	}
	if o.Sizes != nil {
		o.Sizes.Shorter, o.Sizes.Longer = rangeOf(shorter), rangeOf(longer)
	}
	for name, n := range formats {
		o.Formats = append(o.Formats, Format{name, n})
	}
	slices.SortFunc(o.Formats, func(a, b Format) int {
		return cmp.Or(cmp.Compare(b.Pictures, a.Pictures), strings.Compare(a.Name, b.Name))
	})
}

func (s Sized) pixels() int64 { return int64(s.Width) * int64(s.Height) }

func rangeOf(values []int) Range {
	slices.Sort(values)
	return Range{values[0], values[len(values)/2], values[len(values)-1]}
}

// headerBytes hold nearly every picture's header; those of a TIFF may lie at its end.
const headerBytes = 16 << 10

// header reads a picture's header, of a file its beginning alone where that will do.
func header(p dataset.Picture) (preprocess.Info, error) {
	if p.Content != nil {
		data, err := p.Read()
		if err != nil {
			return preprocess.Info{}, err
		}
		return preprocess.Header(data)
	}
	f, err := os.Open(p.File)
	if err != nil {
		return preprocess.Info{}, err
	}
	defer f.Close()
	data := make([]byte, headerBytes)
	n, err := io.ReadFull(f, data)
	whole := errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
	if err != nil && !whole {
		return preprocess.Info{}, err
	}
	info, err := preprocess.Header(data[:n])
	if err == nil || whole {
		return info, err
	}
	if data, err = p.Read(); err != nil {
		return info, err
	}
	return preprocess.Header(data)
}
