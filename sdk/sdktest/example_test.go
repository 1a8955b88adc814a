package sdktest_test

import (
	"context"
	"fmt"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// decided labels every image whose first class leads by a margin.
var decided = sdk.Policy{
	Name:    "decided",
	Version: "1.0.0",
	Summary: "every image whose first class leads by a margin",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {"lead": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewStats},
	Selection: func() sdk.Selection { return &margin{} },
}

type margin struct {
	lead  float64
	kept  int
	stats *sdk.View[sdk.Stats]
}

func (m *margin) Configure(s *sdk.Setup) (err error) {
	if m.lead, err = s.Float("lead"); err != nil {
		return err
	}
	m.stats, err = s.OpenStats(sdk.Ensemble, sdk.FlagNoEntropy)
	return err
}

func (m *margin) Observe(b *sdk.Batch) error {
	stats, err := m.stats.Batch(b)
	if err != nil {
		return err
	}
	for i, s := range stats {
		if float64(s.Margin) < m.lead {
			continue
		}
		m.kept++
		if err := b.Emit(sdk.Label{Row: uint64(b.First + i), Class: s.Class, Weight: 1}); err != nil {
			return err
		}
	}
	return nil
}

func (m *margin) EndRound(r *sdk.Round) (bool, error) {
	return false, r.Metric("kept", float64(m.kept))
}

// A policy, and a test of it. Its plugin is a main package with
// var plugin = serve.Policies(decided) and func main() { plugin.Main() }.
func Example() {
	p := sdktest.Matrix{C: 2, Values: []float32{
		0.9, 0.1,
		0.6, 0.4,
		0.2, 0.8,
	}}
	result, err := sdktest.Select(context.Background(), decided, session.Input{
		Ensemble:   p,
		Models:     []session.Probabilities{p},
		ClassNames: []string{"cat", "dog"},
		Params:     []byte(`{"lead": 0.25}`),
	})
	fmt.Println(result.Labels, result.Metrics, err)
	// Output: [{0 0 1} {2 1 1}] [{kept 0 2}] <nil>
}
