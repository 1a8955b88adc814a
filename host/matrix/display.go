package matrix

import (
	"fmt"
	"sync"
	"time"

	"github.com/upl-host/upl-host/host/progress"
)

// patience is how long a stage works before it is shown: most stages of most runs
// are done within it, their features being there.
const patience = 2 * time.Second

// display shows the runs of a matrix: of each what takes long, and what has not been
// said of one before.
type display struct {
	progress.Display
	now func() time.Time

	mutex sync.Mutex
	said  map[string]bool
}

func newDisplay(d progress.Display) *display {
	if d == nil {
		d = progress.Silent
	}
	return &display{Display: d, now: time.Now, said: make(map[string]bool)}
}

func (d *display) Say(format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	d.mutex.Lock()
	again := d.said[text]
	d.said[text] = true
	d.mutex.Unlock()
	if !again {
		d.Display.Say("%s", text)
	}
}

func (d *display) Start(name string, total int, unit string) progress.Task {
	return &task{display: d, began: d.now(), show: func() progress.Task { return d.Display.Start(name, total, unit) }}
}

// task is shown once it has taken long.
type task struct {
	display *display
	began   time.Time
	show    func() progress.Task

	mutex sync.Mutex
	shown progress.Task
}

func (t *task) Set(done int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.shown == nil && t.display.now().Sub(t.began) >= patience {
		t.shown = t.show()
	}
	if t.shown != nil {
		t.shown.Set(done)
	}
}

func (t *task) End() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.shown != nil {
		t.shown.End()
	}
}
