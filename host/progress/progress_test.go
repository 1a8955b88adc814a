package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestLinesAreQuiet(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	display := &lines{w: &out, every: 5 * time.Second, now: func() time.Time { return clock }}
	task := display.Start("learn", 100, "steps")
	for done := range 100 {
		clock = clock.Add(100 * time.Millisecond)
		task.Set(done + 1)
	}
	task.End()
	want := []string{"learn: 50 of 100 steps, about 5s left", "learn: 100 of 100 steps in 10s"}
	if got := strings.Split(strings.TrimSpace(out.String()), "\n"); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestBarsEnd(t *testing.T) {
	var out bytes.Buffer
	display := New(&out, true)
	whole, half, none := display.Start("whole", 2, "x"), display.Start("half", 2, "x"), display.Start("none", 0, "x")
	whole.Set(2)
	half.Set(1)
	whole.End()
	half.End()
	none.End()
	display.Close() // a display that waited for the half-done bar would hang here
}
