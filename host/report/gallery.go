package report

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/upl-host/upl-host/host/evaluate"
)

// maxGalleryClasses is how many classes have their pseudo labels shown.
const maxGalleryClasses = 40

// listFactor is how many times more pictures a list has than a class.
const listFactor = 6

// gallery are the pictures that the report shows.
type gallery struct {
	Classes []classShots
	// MoreClasses are not shown.
	MoreClasses int
	Lists       []shotList
	// Failed of Total pictures could not be shown; Failure is the first's reason.
	Failed, Total int
	Failure       string
}

type classShots struct {
	Class string
	Count int
	Note  string
	Shots []*shot
}

type shotList struct {
	ID, Title, Explanation, None string
	Shots                        []*shot
}

// shot is a picture with what is said of it.
type shot struct {
	Path string
	// Src is a data: URI; empty where the picture cannot be shown.
	Src     template.URL
	Alt     string
	Mark    string // right, wrong, or nothing where that is unknown
	Caption []caption
}

type caption struct{ Name, Value, Mark string }

func (r *run) gallery(ctx context.Context, options Options) (*gallery, error) {
	g := &gallery{}
	if options.Gallery <= 0 || options.Thumbnail == nil {
		return g, nil
	}
	g.Classes, g.MoreClasses = r.pseudoLabelShots(options.Gallery)
	limit := listFactor * options.Gallery
	if r.labelled() > 0 {
		g.Lists = r.judgedShots(limit)
	} else if r.learned() {
		g.Lists = r.changedShots(limit)
	}
	if options.Read == nil {
		options.Read = func(path string) ([]byte, error) { return os.ReadFile(locate(r.root, path)) }
	}
	return g, g.load(ctx, options)
}

// pseudoLabelShots are the most confident pseudo labels of each class.
func (r *run) pseudoLabelShots(limit int) (classes []classShots, more int) {
	byClass := map[string][]evaluate.PseudoLabel{}
	for _, label := range r.pseudoLabels {
		byClass[label.Class] = append(byClass[label.Class], label)
	}
	for _, class := range r.classes {
		labels := byClass[class]
		if len(labels) == 0 {
			continue
		}
		if len(classes) == maxGalleryClasses {
			more++
			continue
		}
		sort.SliceStable(labels, func(i, j int) bool { return labels[i].Probability > labels[j].Probability })
		row := classShots{Class: class, Count: len(labels)}
		known, right := 0, 0
		for i, label := range labels {
			truth, mark := r.labels[label.Path], ""
			if truth != "" {
				known++
				mark = "wrong"
				if truth == class {
					mark = "right"
					right++
				}
			}
			if i >= limit {
				continue
			}
			s := &shot{Path: label.Path, Mark: mark, Caption: []caption{{Value: percentOf(float64(label.Probability))}}}
			s.Alt = fmt.Sprintf("%s, pseudo label %s", label.Path, class)
			if mark == "wrong" {
				s.Alt += ", label " + truth
				s.Caption = append(s.Caption, caption{Value: truth, Mark: "wrong"})
			}
			row.Shots = append(row.Shots, s)
		}
		if known > 0 {
			row.Note = fmt.Sprintf("%d of %d right", right, known)
		}
		classes = append(classes, row)
	}
	return classes, more
}

// judgedShots are the lists for test pictures with labels.
func (r *run) judgedShots(limit int) []shotList {
	final := func(p evaluate.Prediction) (string, float32) { return p.ZeroShot, p.ZeroShotProbability }
	lists := make([]shotList, 0, 3)
	if r.learned() {
		final = func(p evaluate.Prediction) (string, float32) { return p.Learned, p.LearnedProbability }
		lists = append(lists,
			shotList{
				ID: "improved", Title: "Most improved", Explanation: "zero-shot wrong, learned right; the most confident first",
				None: "Learning put no picture right.",
				Shots: r.shots(limit, final, func(p evaluate.Prediction) bool {
					return p.Label != "" && p.ZeroShot != p.Label && p.Learned == p.Label
				}),
			},
			shotList{
				ID: "spoiled", Title: "Newly wrong", Explanation: "zero-shot right, learned wrong; the most confident first",
				None: "Learning spoiled no picture.",
				Shots: r.shots(limit, final, func(p evaluate.Prediction) bool {
					return p.Label != "" && p.ZeroShot == p.Label && p.Learned != p.Label
				}),
			})
	}
	return append(lists, shotList{
		ID: "mistakes", Title: "Most confident mistakes", Explanation: "of the final classifier; wrong labels show up here, too",
		None: "There is no mistake.",
		Shots: r.shots(limit, final, func(p evaluate.Prediction) bool {
			class, _ := final(p)
			return p.Label != "" && class != p.Label
		}),
	})
}

// changedShots is the list for test pictures without labels.
func (r *run) changedShots(limit int) []shotList {
	final := func(p evaluate.Prediction) (string, float32) { return p.Learned, p.LearnedProbability }
	return []shotList{{
		ID: "changed", Title: "Changed by learning", Explanation: "another class than zero-shot's; the most confident first",
		None:  "Learning changed no prediction.",
		Shots: r.shots(limit, final, func(p evaluate.Prediction) bool { return p.Learned != p.ZeroShot }),
	}}
}

// shots returns the pictures that are wanted, the most confident first.
func (r *run) shots(limit int, final func(evaluate.Prediction) (string, float32), wanted func(evaluate.Prediction) bool) []*shot {
	var chosen []evaluate.Prediction
	for _, p := range r.predictions {
		if wanted(p) {
			chosen = append(chosen, p)
		}
	}
	sort.SliceStable(chosen, func(i, j int) bool {
		_, a := final(chosen[i])
		_, b := final(chosen[j])
		return a > b
	})
	shots := make([]*shot, 0, limit)
	for _, p := range chosen[:min(limit, len(chosen))] {
		shots = append(shots, r.shot(p))
	}
	return shots
}

func (r *run) shot(p evaluate.Prediction) *shot {
	mark := func(class string) string {
		switch p.Label {
		case "":
			return ""
		case class:
			return "right"
		}
		return "wrong"
	}
	s := &shot{Path: p.Path, Mark: mark(p.ZeroShot), Alt: p.Path + ", zero-shot " + p.ZeroShot}
	s.Caption = []caption{{"zero-shot", p.ZeroShot + " " + percentOf(float64(p.ZeroShotProbability)), mark(p.ZeroShot)}}
	if p.Learned != "" {
		s.Mark = mark(p.Learned)
		s.Alt += ", learned " + p.Learned
		s.Caption = append(s.Caption, caption{"learned", p.Learned + " " + percentOf(float64(p.LearnedProbability)), mark(p.Learned)})
	}
	if p.Label != "" && p.Label != p.Learned {
		s.Caption = append(s.Caption, caption{"label", p.Label, ""})
		s.Alt += ", label " + p.Label
	}
	return s
}

// load makes the thumbnails, each picture's once.
func (g *gallery) load(ctx context.Context, options Options) error {
	byPath := map[string][]*shot{}
	var paths []string
	add := func(shots []*shot) {
		for _, s := range shots {
			if byPath[s.Path] == nil {
				paths = append(paths, s.Path)
			}
			byPath[s.Path] = append(byPath[s.Path], s)
		}
	}
	for _, class := range g.Classes {
		add(class.Shots)
	}
	for _, list := range g.Lists {
		add(list.Shots)
	}
	faults := make([]error, len(paths))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range paths {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			uri, err := options.thumbnail(path)
			if err != nil {
				faults[i] = fmt.Errorf("%s: %w", path, err)
				return nil
			}
			for _, s := range byPath[path] {
				s.Src = template.URL(uri) //nolint:gosec // checked above to be an embedded picture
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("making the gallery: %w", err)
	}
	g.Total = len(paths)
	for _, err := range faults {
		if err == nil {
			continue
		}
		g.Failed++
		if g.Failure == "" {
			g.Failure = err.Error()
		}
	}
	return nil
}

// thumbnail makes the small picture that the page embeds.
func (o Options) thumbnail(path string) (uri string, err error) {
	data, err := o.Read(path)
	if err != nil {
		return "", err
	}
	if uri, err = o.Thumbnail(data); err == nil && !strings.HasPrefix(uri, "data:image/") {
		err = errors.New("the thumbnail is no data: URI of a picture")
	}
	return uri, err
}

// locate returns the file of a picture of the data set.
func locate(root, path string) string {
	file := filepath.FromSlash(path)
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(root, file)
}
