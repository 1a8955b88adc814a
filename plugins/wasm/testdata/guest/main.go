// Command guest is a plugin of policies that misbehave in ways that a Go program
// can, and one that uses what the sandbox leaves of the standard library.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/upl-host/upl-host/sdk"
)

var plugin = sdk.Serve(
	selection("panics", func(*sdk.Round) error { panic("on purpose") }),
	selection("indexes", func(r *sdk.Round) error { return r.Emit(make([]sdk.Label, 1)[r.Rows]) }),
	selection("allocates", allocates),
	selection("recurses", func(*sdk.Round) error { _, err := fmt.Println(recurses(1)); return err }),
	selection("floods", floods),
	selection("sleeps", sleeps),
	selection("looks-around", looksAround),
	selection("refuses", func(*sdk.Round) error { return sdk.Unusable("k", "is too odd") }),
	selection("undeclared", func(*sdk.Round) error { return nil }),
)

func main() { plugin.Main() }

func selection(name string, end func(*sdk.Round) error) sdk.Policy {
	return sdk.Policy{
		Name: name, Version: "1.0.0", Parameters: `{"type": "object"}`,
		Selection: func() sdk.Selection { return &policy{name, end} },
	}
}

type policy struct {
	name string
	end  func(*sdk.Round) error
}

func (p *policy) Configure(s *sdk.Setup) error {
	if p.name == "undeclared" {
		_, err := s.OpenRows(sdk.Ensemble)
		return err
	}
	return nil
}

func (p *policy) EndRound(r *sdk.Round) (bool, error) { return false, p.end(r) }

func allocates(*sdk.Round) error {
	var all [][]byte
	for {
		all = append(all, make([]byte, 1<<20))
		all[len(all)-1][0] = 1
	}
}

//go:noinline
func recurses(n int) int { return 1 + recurses(n+1) }

func floods(*sdk.Round) error {
	for {
		if _, err := fmt.Println("and another thing"); err != nil {
			return err
		}
	}
}

// sleeps waits for an hour of its own time.
func sleeps(r *sdk.Round) error {
	began := time.Now()
	time.Sleep(time.Hour)
	return r.Metric("slept", time.Since(began).Round(time.Minute).Minutes())
}

// looksAround reports what it can see of the world, and draws random numbers.
func looksAround(r *sdk.Round) error {
	seen, err := json.Marshal(map[string]any{
		"args": len(os.Args), "environment": len(os.Environ()),
	})
	if err != nil {
		return err
	}
	r.Log(sdk.LevelInfo, string(seen)+"\x1b[2J")
	b := make([]byte, 4)
	if err := r.Random(b); err != nil {
		return err
	}
	r.Log(sdk.LevelDebug, fmt.Sprint(b))
	if n, err := os.Stdout.WriteString("half a line"); n == 0 || err != nil {
		return errors.Join(err, errors.New("nothing written"))
	}
	return nil
}
