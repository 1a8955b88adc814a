package matrix

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/folder"
)

// Describe checks a matrix and says what it would do, without TensorFlow and without
// touching its folder.
func Describe(ctx context.Context, m *config.Matrix, o Options) (_ string, err error) {
	o.Shared = host.NewShared()
	defer func() { err = errors.Join(err, o.Shared.Close()) }()
	if err := check(ctx, m, o); err != nil {
		return "", err
	}
	var b strings.Builder
	done, widest := 0, 0
	for _, r := range m.Runs {
		widest = max(widest, len(r.Name))
	}
	fmt.Fprintf(&b, "matrix %s, %d runs in %s\n\n", m.Name, len(m.Runs), m.Out)
	for i, r := range m.Runs {
		summary, err := host.Finished(ctx, r.Config, o.Options)
		if err != nil {
			return "", err
		}
		state := "to do"
		if begun, err := folder.At(r.Config.Run.Out).Exists("stages"); err != nil {
			return "", err
		} else if begun {
			state = "begun"
		}
		if summary != nil {
			state = "done"
			done++
		}
		fmt.Fprintf(&b, "%4d  %-*s  %-5s  %s\n", i+1, widest, r.Name, state, work(r.Config))
	}
	fmt.Fprintf(&b, "\n%d done, %d to do. Pictures and class names are encoded once for all runs.\n", done, len(m.Runs)-done)
	return b.String(), nil
}

// work says what a run learns.
func work(c *config.Config) string {
	models := make([]string, len(c.Models))
	for i, m := range c.Models {
		models[i] = m.Name
	}
	of := strings.Join(models, ", ")
	if c.Learn.Method == config.MethodZeroShot {
		return of + ": nothing is learnt"
	}
	labels := "pseudo labels by " + c.Label.Selection.Plugin
	if c.Learn.Labels == "true" {
		labels = fmt.Sprintf("%d true labels a class", c.Learn.Shots)
	}
	return fmt.Sprintf("%s: %s on %s, seeds %v", of, c.Learn.Method, labels, c.Learn.Seeds)
}
