package host

import (
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/host/evaluate"
)

// Summary is what a run ends with.
type Summary struct {
	Folder   string           `json:"folder"`
	Report   string           `json:"report,omitempty"`
	Metrics  evaluate.Metrics `json:"metrics"`
	Manifest *Manifest        `json:"manifest"`
}

func (r *run) summary() (*Summary, error) {
	metrics, err := evaluate.ReadMetrics(r.folder.Join(metricsName))
	if err != nil {
		return nil, err
	}
	s := &Summary{Folder: r.folder.Path, Metrics: metrics, Manifest: r.manifest}
	if r.config.Report.Enabled {
		s.Report = r.folder.Join(reportName)
	}
	return s, nil
}

// Where says where the results are.
func (s *Summary) Where() string {
	if s.Report == "" {
		return "run folder: " + s.Folder
	}
	return "report: " + s.Report
}

// Row is a line of the closing table.
type Row struct{ System, Top1, Detail string }

// Rows are the lines of the closing table: zero-shot, what one seed learnt, the ensemble.
// Without labels there is no accuracy, and the table says so.
func (s *Summary) Rows() []Row {
	m := s.Metrics
	rows := []Row{{"zero-shot", percent(m.ZeroShot.Top1), confidence(m.ZeroShot)}}
	if l := m.Learned; l != nil && l.Deterministic {
		rows = append(rows, Row{l.Method, percent(l.Top1), confidence(l.Measures) + "; nothing is drawn, all seeds are the same"})
	} else if l != nil {
		deviation := ""
		if l.SeedsDeviation != nil {
			deviation = fmt.Sprintf(" ± %.1f", 100**l.SeedsDeviation)
		}
		rows = append(rows,
			Row{"one " + l.Noun(), percent(l.SeedsMean) + deviation, over(len(l.Seeds))},
			Row{"ensemble of " + counted(len(l.Seeds), l.Noun(), l.Noun()+"s"), percent(l.Top1), confidence(l.Measures)})
	}
	if p := m.TaughtFrom(); p != nil {
		right := counted(p.Count, "picture", "pictures")
		if n := len(p.EmptyClasses); n > 0 {
			right += ", " + counted(n, "class", "classes") + " without"
		}
		accuracy := percent(p.Accuracy)
		if p.Count == 0 {
			accuracy = "" // of none, labels or not
		}
		rows = append(rows, Row{"pseudo labels", accuracy, right})
	}
	return rows
}

// over says what a mean is taken over.
func over(seeds int) string {
	if seeds == 1 {
		return "of one seed"
	}
	return fmt.Sprintf("mean and deviation over %d seeds", seeds)
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func percent(share *float64) string {
	if share == nil {
		return "no labels"
	}
	return fmt.Sprintf("%.1f %%", 100**share)
}

func confidence(m evaluate.Measures) string {
	if m.MeanConfidence == nil {
		return ""
	}
	return fmt.Sprintf("mean confidence %.2f", *m.MeanConfidence)
}

// OtherConfigurationError says that a run folder belongs to another configuration.
type OtherConfigurationError struct {
	Path        string
	Differences []string // key: value, was value
}

func (e *OtherConfigurationError) Error() string {
	return fmt.Sprintf("%s holds a run of another configuration; choose another folder with --out, or remove this one:\n  %s",
		e.Path, strings.Join(e.Differences, "\n  "))
}
