package evaluate

import (
	"encoding/json"
	"fmt"
	"math"
	"os"

	"github.com/google/renameio/v2"
)

// Format is that of the files of the evaluation. Runs that were evaluated in another one are
// evaluated anew, so it is counted up with every change of what these files say.
const Format = "evaluation/2"

// Metrics is the content of metrics.json.
type Metrics struct {
	// Labels tells whether any test picture has a label.
	Labels   bool     `json:"labels"`
	Pictures Pictures `json:"pictures"`
	ZeroShot Measures `json:"zero_shot"`
	// Learned is absent where nothing was learnt.
	Learned *Learned `json:"learned,omitempty"`
	// Unlabeled are the zero-shot predictions of the pictures learned from;
	// absent in files of before they were measured.
	Unlabeled *Unlabeled `json:"unlabeled,omitempty"`
	// PseudoLabels is absent where none were made.
	PseudoLabels *PseudoLabelMeasures `json:"pseudo_labels,omitempty"`
	// Rounds are those of a run that selected several times; the last is what
	// Learned and PseudoLabels are of.
	Rounds []Round `json:"rounds,omitempty"`
}

// Round is one of selecting and learning.
type Round struct {
	Round        int                  `json:"round"` // from 1
	PseudoLabels *PseudoLabelMeasures `json:"pseudo_labels"`
	// Learned are the measures of the ensemble of the prompts that were learned from
	// them, on the test pictures.
	Learned Measures `json:"learned"`
}

// Pictures counts those of a run.
type Pictures struct {
	Unlabeled int `json:"unlabeled"`
	Test      int `json:"test"`
	Skipped   int `json:"skipped"`
}

// TaughtFrom are the pseudo labels, where they say something of what was learnt: nil where
// that was learnt from true labels, beside which they were made all the same.
func (m Metrics) TaughtFrom() *PseudoLabelMeasures {
	if m.Learned.Supervised() {
		return nil
	}
	return m.PseudoLabels
}

// Supervised tells whether something was learnt from true labels.
func (l *Learned) Supervised() bool { return l != nil && l.Labels == labelsTrue }

// labelsTrue is learn.labels as metrics.json has it.
const labelsTrue = "true"

// Learned are the measures of the ensemble of what the seeds learnt, prompts or other
// heads, and the accuracy of each alone.
type Learned struct {
	// Method is that of learning (learn.method), Labels what was learnt from: pseudo
	// or true.
	Method string `json:"method"`
	Labels string `json:"labels"`
	// Deterministic methods draw nothing: the one training stands for all seeds.
	Deterministic bool `json:"deterministic,omitempty"`
	Measures
	Seeds []Seed `json:"seeds"`
	// SeedsMean and SeedsDeviation are the mean and the sample standard
	// deviation (n - 1) of the seeds' accuracies; the deviation needs two.
	SeedsMean      *float64 `json:"seeds_mean,omitempty"`
	SeedsDeviation *float64 `json:"seeds_deviation,omitempty"`
	// Ensembles are those of the first n seeds, n from 1 on.
	Ensembles []Ensemble `json:"ensembles,omitempty"`
}

// Noun is what a seed learns.
func (l *Learned) Noun() string {
	switch l.Method {
	case "clip-adapter":
		return "adapter"
	case "tip-adapter", "tip-adapter-f":
		return "cache"
	case "linear-probe":
		return "probe"
	}
	return "prompt"
}

// Seed is what one seed learnt.
type Seed struct {
	Seed uint64   `json:"seed"`
	Top1 *float64 `json:"top1,omitempty"`
}

// Ensemble is that of what the first Size seeds learnt.
type Ensemble struct {
	Size int      `json:"size"`
	Top1 *float64 `json:"top1,omitempty"`
}

// NewLearned puts the seeds' mean and deviation beside the ensemble's measures.
func NewLearned(ensemble Measures, seeds []Seed) *Learned {
	learned := &Learned{Measures: ensemble, Seeds: seeds}
	var values []float64
	for _, seed := range seeds {
		if seed.Top1 != nil {
			values = append(values, *seed.Top1)
		}
	}
	if len(values) == 0 {
		return learned
	}
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(len(values))
	learned.SeedsMean = &mean
	if len(values) > 1 {
		for _, v := range values {
			squares += (v - mean) * (v - mean)
		}
		learned.SeedsDeviation = pointer(math.Sqrt(squares / float64(len(values)-1)))
	}
	return learned
}

// WriteMetrics writes metrics.json, whole or not at all.
func WriteMetrics(path string, metrics Metrics) error {
	data, err := json.MarshalIndent(metrics, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// ReadMetrics reads metrics.json. Keys that it does not know are passed over.
func ReadMetrics(path string) (Metrics, error) {
	var metrics Metrics
	data, err := os.ReadFile(path)
	if err != nil {
		return metrics, fmt.Errorf("reading metrics: %w", err)
	}
	if err := json.Unmarshal(data, &metrics); err != nil {
		return metrics, fmt.Errorf("reading %s: %w", path, err)
	}
	return metrics, nil
}
