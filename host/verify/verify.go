// Package verify sets the table of a finished matrix beside published figures.
package verify

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/dataset/layout"
	"github.com/upl-host/upl-host/host/evaluate"
)

// ZeroShotBound is how far, in points, a zero-shot accuracy may be from a published
// one: nothing of it is drawn.
const ZeroShotBound = 0.3

// meanOfAll is the data set that stands for the mean over all eleven.
const meanOfAll = "mean"

// Published is a published figure.
type Published struct {
	Dataset string  `json:"dataset"`
	Model   string  `json:"model"`
	Method  string  `json:"method"`
	K       int     `json:"k,omitempty"`
	Top1    float64 `json:"top1"` // in %
	Source  string  `json:"source"`
	// Status says whether the figure was read in a log, or is as a paper has it.
	Status string `json:"status"`
}

//go:embed published.csv
var publishedText string

// AllPublished returns every published figure that is known here.
func AllPublished() ([]Published, error) {
	rows, err := csv.NewReader(strings.NewReader(publishedText)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading the published figures: %w", err)
	}
	var all []Published
	for _, row := range rows[1:] {
		p := Published{Dataset: row[0], Model: row[1], Method: row[2], Source: row[5], Status: row[6]}
		if p.Top1, err = strconv.ParseFloat(row[4], 64); err != nil {
			return nil, fmt.Errorf("reading the published figures: %w", err)
		}
		if row[3] != "" {
			if p.K, err = strconv.Atoi(row[3]); err != nil {
				return nil, fmt.Errorf("reading the published figures: %w", err)
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// Verdict of a comparison.
type Verdict string

// The verdicts. A method that draws has no bound: its deviation is reported.
const (
	Agrees   Verdict = "agrees"   // zero-shot, within 0.3 of this or another source
	Differs  Verdict = "differs"  // zero-shot, not within 0.3 of any
	Reported Verdict = "reported" // a method that is learnt
)

// Line is a figure of ours beside a published one.
type Line struct {
	Published
	Ours float64 `json:"ours"` // in %
	// Deviation is that over seeds, in points; absent for one run.
	Deviation  *float64 `json:"deviation,omitempty"`
	Runs       int      `json:"runs,omitempty"`
	Difference float64  `json:"difference"`
	Verdict    Verdict  `json:"verdict"`
	// Knobs are what differs from how the figure was made, where there is a gap.
	Knobs []string `json:"knobs,omitempty"`
}

// Report is a table set beside the published figures.
type Report struct {
	Table string `json:"table"`
	Lines []Line `json:"lines"`
	// Unknown are rows of the table that nothing published is known of.
	Unknown []string `json:"unknown,omitempty"`
	// Failed is how many runs are in no figure, for they failed.
	Failed int `json:"failed,omitempty"`
}

// row is one of table.csv.
type row struct {
	dataset, model, method, strategy string
	// variant is a method that no figure was published of: the user's own, one like a
	// known one, or with another strategy than UPL's.
	variant                  bool
	k, runs, failed, waiting int
	mean, deviation          float64 // in %
}

// Verify reads a matrix's folder, or its table.csv, and sets it beside what was
// published. A table that shares no row with it, or has runs that are still to do, is
// a *host.UsageError.
func Verify(path string) (*Report, error) {
	table := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		table = filepath.Join(path, "table.csv")
	}
	rows, err := readTable(table)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &host.UsageError{Err: fmt.Errorf("%s: there is no such table: a matrix ends in one (`upl-host run -c matrix.yaml`)", table)}
	}
	if err != nil {
		return nil, err
	}
	r := &Report{Table: table}
	waiting, runs := 0, 0
	for _, row := range rows {
		r.Failed += row.failed
		waiting += row.waiting
		runs += row.runs + row.failed + row.waiting
	}
	if waiting > 0 {
		return nil, &host.UsageError{Err: fmt.Errorf("%s is not finished: %d of its %d runs are still to do; the command that began it goes on with them", table, waiting, runs)}
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return math.IsNaN(r.mean) })
	published, err := AllPublished()
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(table)
	for _, ours := range append(rows, means(rows)...) {
		lines := beside(ours, published)
		if len(lines) == 0 {
			if ours.dataset != meanOfAll {
				r.Unknown = append(r.Unknown, ours.String())
			}
			continue
		}
		if gap(lines) && ours.dataset != meanOfAll {
			knobs, err := findKnobs(folder, ours)
			if err != nil {
				return nil, err
			}
			for i := range lines {
				lines[i].Knobs = knobs
			}
		}
		r.Lines = append(r.Lines, lines...)
	}
	if len(r.Lines) == 0 {
		return nil, &host.UsageError{Err: fmt.Errorf("%s has no row that a published figure is known of: those are of RN50 on the eleven data sets, by their names (%s), with methods that a matrix knows by name",
			table, strings.Join(layout.Kinds(), ", "))}
	}
	return r, nil
}

// beside sets a row beside each published figure of the same place.
func beside(ours row, published []Published) []Line {
	if ours.variant {
		return nil
	}
	var lines []Line
	verdict := Reported
	for _, p := range published {
		if p.Dataset != ours.dataset || p.Method != ours.method || !sameModel(p.Model, ours.model) || !sameK(p, ours.k) {
			continue
		}
		l := Line{Published: p, Ours: ours.mean, Runs: ours.runs, Difference: ours.mean - p.Top1}
		if !math.IsNaN(ours.deviation) {
			l.Deviation = &ours.deviation
		}
		if p.Method == "zero-shot" && verdict != Agrees {
			verdict = Differs
			// The published ones have two decimals: a difference of 0.3 is within.
			if math.Abs(l.Difference) < ZeroShotBound+0.005 {
				verdict = Agrees
			}
		}
		lines = append(lines, l)
	}
	for i := range lines {
		lines[i].Verdict = verdict
	}
	return lines
}

// gap says whether there is a difference that wants an explanation: a point, where
// there is no bound.
func gap(lines []Line) bool {
	return slices.ContainsFunc(lines, func(l Line) bool {
		return l.Verdict == Differs || l.Verdict == Reported && math.Abs(l.Difference) > 1
	})
}

// sameModel compares names as people write them: RN50, rn50, ResNet-50.
func sameModel(a, b string) bool { return fold(a) == fold(b) }

func fold(model string) string {
	model = strings.NewReplacer("-", "", "_", "", "/", "", " ", "", "resnet", "rn", "openai", "", "clip", "").Replace(strings.ToLower(model))
	return model
}

// sameK compares K; where the table has none it is the plugin's default, UPL's 16.
func sameK(p Published, k int) bool {
	const uplDefault = 16
	if k == 0 && (p.Method == "upl" || p.Method == "upl*") {
		k = uplDefault
	}
	return p.K == 0 || p.K == k
}

// means are the rows' means over all eleven data sets, where there are all.
func means(rows []row) []row {
	type key struct {
		model, method, strategy string
		variant                 bool
		k                       int
	}
	var order []key
	groups := make(map[key]map[string]row)
	for _, r := range rows {
		k := key{r.model, r.method, r.strategy, r.variant, r.k}
		if groups[k] == nil {
			groups[k] = make(map[string]row)
			order = append(order, k)
		}
		groups[k][r.dataset] = r
	}
	var all []row
	for _, k := range order {
		sum, complete := 0.0, true
		for _, kind := range layout.Kinds() {
			r, there := groups[k][kind]
			complete = complete && there
			sum += r.mean
		}
		if complete {
			all = append(all, row{
				dataset: meanOfAll, model: k.model, method: k.method, strategy: k.strategy, variant: k.variant, k: k.k,
				mean: sum / float64(len(layout.Kinds())), deviation: math.NaN(),
			})
		}
	}
	return all
}

// readTable reads the rows of table.csv. The mean of one without a figure is NaN.
func readTable(path string) ([]row, error) {
	records, err := evaluate.ReadColumns(path, "dataset", "model", "known_method", "method", "strategy", "k",
		"runs", "failed", "waiting", "top1_mean", "top1_deviation")
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(records))
	for i, record := range records {
		if rows[i], err = parseRow(record); err != nil {
			return nil, &evaluate.TableError{Path: path, Line: i + 2, Err: err}
		}
	}
	return rows, nil
}

// parseRow reads a row.
func parseRow(record []string) (row, error) {
	r := row{dataset: record[0], model: record[1], method: record[3], strategy: record[4]}
	r.variant = r.method != record[2] || r.strategy != "" && r.strategy != "top-k"
	var errs []error
	count := func(text string) int {
		if text == "" {
			return 0
		}
		n, err := strconv.Atoi(text)
		errs = append(errs, err)
		return n
	}
	percent := func(text string) float64 {
		if text == "" {
			return math.NaN()
		}
		v, err := strconv.ParseFloat(text, 64)
		errs = append(errs, err)
		return 100 * v
	}
	r.k, r.runs, r.failed, r.waiting = count(record[5]), count(record[6]), count(record[7]), count(record[8])
	r.mean, r.deviation = percent(record[9]), percent(record[10])
	return r, errors.Join(errs...)
}

func (r row) String() string {
	text := strings.Join([]string{r.dataset, r.model, r.method}, ", ")
	if r.strategy != "" {
		text += " by " + r.strategy
	}
	if r.k > 0 {
		text += fmt.Sprintf(", K = %d", r.k)
	}
	return text
}
