package learn

import (
	"fmt"
	"time"
)

// Plan is the work that a training is, known before it begins.
type Plan struct {
	Prompts       int // contexts to be learned
	Epochs        int // of each
	StepsPerEpoch int
	// Done counts the steps of all prompts that an earlier, interrupted training left.
	Done int
}

// StepsPerPrompt is the number of steps that learn one context.
func (p Plan) StepsPerPrompt() int { return p.Epochs * p.StepsPerEpoch }

// Steps is the number of steps in all, those that are Done included.
func (p Plan) Steps() int { return p.Prompts * p.StepsPerPrompt() }

// String says it in words.
func (p Plan) String() string {
	s := fmt.Sprintf("%d steps a prompt, %s, %d steps in all", p.StepsPerPrompt(), counted(p.Prompts, "prompt"), p.Steps())
	if p.Done > 0 {
		s += fmt.Sprintf(", %d of them done", p.Done)
	}
	return s
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// pace estimates the time that steps still take, from those taken. The first
// one does not count: in it TensorFlow prepares the graph.
type pace struct {
	first time.Time
	steps int // after the first
}

func (p *pace) step(now time.Time, left int) time.Duration {
	if p.first.IsZero() {
		p.first = now
		return 0
	}
	p.steps++
	return now.Sub(p.first) / time.Duration(p.steps) * time.Duration(left)
}
