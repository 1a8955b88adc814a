package matrix

import (
	"testing"

	"github.com/upl-host/upl-host/host/config"
)

// The cells that the runs with a fault alone have are named, outer axes first.
func TestWhose(t *testing.T) {
	run := func(name string, cells ...string) config.MatrixRun {
		return config.MatrixRun{Name: name, Cells: cells}
	}
	runs := []config.MatrixRun{
		run("a-zero-shot", "1: a", "2: zero-shot"), run("a-upl-1", "1: a", "2: upl", "3: 1"), run("a-upl-2", "1: a", "2: upl", "3: 2"),
		run("b-zero-shot", "1: b", "2: zero-shot"), run("b-upl-1", "1: b", "2: upl", "3: 1"), run("b-upl-2", "1: b", "2: upl", "3: 2"),
	}
	for _, test := range []struct {
		faulty []int
		want   string
	}{
		{[]int{0, 1, 2}, "1: a: a-zero-shot and 2 more"},
		{[]int{1, 2, 4, 5}, "2: upl: a-upl-1 and 3 more"},
		{[]int{2, 5}, "3: 2: a-upl-2 and 1 more"},
		{[]int{5}, "b-upl-2"},                               // no cell alone
		{[]int{0, 1, 2, 3, 4, 5}, "a-zero-shot and 5 more"}, // what all share
	} {
		if got := whose(runs, test.faulty); got != test.want {
			t.Errorf("%v: %q, want %q", test.faulty, got, test.want)
		}
	}
	two := []config.MatrixRun{run("zero-shot", "1: zero-shot"), run("upl", "1: upl", "2: top")}
	if got := whose(two, []int{1}); got != "1: upl: 2: top: upl" {
		t.Errorf("either of two cells: %q", got)
	}
}
