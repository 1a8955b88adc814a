package matrix

import (
	"fmt"
	"strings"
	"time"

	"github.com/upl-host/upl-host/host/config"
)

// clock guesses how long runs will take by how long those before them took.
type clock struct {
	all map[string]mean // by what is alike between runs
}

type mean struct {
	sum time.Duration
	n   int
}

func (m mean) of() time.Duration { return m.sum / time.Duration(max(1, m.n)) }

// kinds are what is alike between runs, the most telling first.
func kinds(r config.MatrixRun) []string {
	return []string{
		strings.Join([]string{r.Dataset, r.Model, r.Method, r.Strategy, fmt.Sprint(r.K)}, "\n"),
		strings.Join([]string{r.Dataset, r.Model, r.Method}, "\n"), r.Method, "",
	}
}

func (c *clock) took(r config.MatrixRun, d time.Duration) {
	if c.all == nil {
		c.all = make(map[string]mean)
	}
	for _, kind := range kinds(r) {
		m := c.all[kind]
		c.all[kind] = mean{m.sum + d, m.n + 1}
	}
}

// left says how long runs will take; nothing where nobody knows.
func (c *clock) left(runs []config.MatrixRun) string {
	if len(c.all) == 0 {
		return ""
	}
	var sum time.Duration
	for _, r := range runs {
		for _, kind := range kinds(r) {
			if m := c.all[kind]; m.n > 0 {
				sum += m.of()
				break
			}
		}
	}
	return fmt.Sprintf(" (about %s left)", max(sum, time.Second).Round(time.Second))
}
