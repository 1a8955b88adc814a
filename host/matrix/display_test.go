package matrix

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/host/progress"
)

// noted is a display that notes what it is told.
type noted struct{ lines []string }

func (n *noted) Say(format string, arguments ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, arguments...))
}

func (n *noted) Start(name string, total int, _ string) progress.Task {
	n.Say("start %s of %d", name, total)
	return notedTask{n, name}
}
func (n *noted) Close() {}

type notedTask struct {
	*noted
	name string
}

func (t notedTask) Set(done int) { t.Say("%s %d", t.name, done) }
func (t notedTask) End()         { t.Say("end %s", t.name) }

// What is short is not shown, what was said is not said again.
func TestDisplay(t *testing.T) {
	n := &noted{}
	d := newDisplay(n)
	clock := time.Unix(0, 0)
	d.now = func() time.Time { return clock }
	d.Say("warning: %d classes", 3)
	short := d.Start("encode", 9, "pictures")
	short.Set(9)
	short.End()
	d.Say("warning: %d classes", 3)
	long := d.Start("learn", 100, "steps")
	long.Set(1)
	clock = clock.Add(patience)
	long.Set(50)
	long.End()
	d.Say("100 %%")
	const want = "warning: 3 classes|start learn of 100|learn 50|end learn|100 %"
	if got := strings.Join(n.lines, "|"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
