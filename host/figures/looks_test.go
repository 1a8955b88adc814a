package figures

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/report/figure"
)

// A method looks the same in every figure, whatever else the figure shows.
func TestLooks(t *testing.T) {
	top1 := 0.5
	var cells []cell
	for _, c := range []struct {
		method, strategy string
		labelled         bool
	}{
		{"zero-shot", "", false},
		{"upl", "top-k", false},
		{"upl", "sinkhorn", false},
		{"upl*", "top-k", false},
		{"coop", "", true},
	} {
		ks := []int{16, 4} // not in the axis's order
		if c.method == zeroShot {
			ks = []int{0}
		}
		for _, k := range ks {
			cells = append(cells, cell{model: "vit", method: c.method, strategy: c.strategy, k: k, seed: "1", top1: &top1, labelled: c.labelled})
		}
	}
	setLooks(cells)
	got := map[string]int{}
	for _, c := range cells {
		got[c.method+" "+c.strategy] = c.look
	}
	want := map[string]int{"zero-shot ": zeroShotLook, "upl top-k": 0, "upl* top-k": 1, "coop ": 2, "upl sinkhorn": 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the looks (-want +got):\n%s", diff)
	}
	shots, why := overShots(cells)
	if why != "" {
		t.Fatal(why)
	}
	ks, why := overK(cells)
	if why != "" {
		t.Fatal(why)
	}
	for _, f := range []struct {
		name string
		keys []figure.Key
		want map[string]int
	}{
		{"over shots", shots.Keys, map[string]int{"coop": 2, "upl": 0, "upl*": 1, "zero-shot": zeroShotLook}},
		{"over K", ks.Keys, map[string]int{"upl, top-k": 0, "upl, sinkhorn": 3, "upl*": 1, "zero-shot": zeroShotLook}},
	} {
		if len(f.keys) != len(f.want) {
			t.Errorf("%s: the keys are %v, want %v", f.name, f.keys, f.want)
		}
		for _, key := range f.keys {
			at, there := f.want[key.Label]
			if color, _ := look(at); !there || key.Color != color {
				t.Errorf("%s: %s is in the colour %s, want %s", f.name, key.Label, key.Color.Name, color.Name)
			}
		}
	}
	// With one model the rows are in the methods' colours, too.
	methods, why := byMethod(cells)
	if why != "" {
		t.Fatal(why)
	}
	drawn := methods.Inline(methods.Width)
	for at, there := range map[int]bool{zeroShotLook: true, 0: true, 1: true, 2: true, 3: true, 4: false} {
		if color, _ := look(at); strings.Contains(drawn, `class="f-`+color.Name+`"`) != there {
			t.Errorf("rows in the colour %s: should be there: %v", color.Name, there)
		}
	}
	if diff := cmp.Diff([]string{"4", "16"}, column(ks.Data.CSV(), 1)[:2]); diff != "" {
		t.Errorf("K is out of order:\n%s", diff)
	}
}

// column is one of a figure's data, without its name.
func column(data []byte, i int) (values []string) {
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		fields := strings.Split(strings.ReplaceAll(line, ", ", " "), ",")
		values = append(values, fields[i])
	}
	return values
}

// Within a figure no two series have one colour while another is free.
func TestApart(t *testing.T) {
	n := figure.SeriesColors
	for _, test := range []struct{ looks, want []int }{
		{[]int{0, 3, zeroShotLook}, []int{0, 3, zeroShotLook}},
		{[]int{n, 0, 1}, []int{n + 2, 0, 1}}, // the method's own colours stay
		{[]int{n - 1, 2*n - 1}, []int{n - 1, 2 * n}},
		{[]int{zeroShotLook, zeroShotLook}, []int{zeroShotLook, zeroShotLook}},
	} {
		if diff := cmp.Diff(test.want, apart(test.looks)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.looks, diff)
		}
	}
	var many []int
	for i := range n + 1 {
		many = append(many, i)
	}
	if diff := cmp.Diff(many, apart(many)); diff != "" {
		t.Errorf("more series than colours (-want +got):\n%s", diff)
	}
}
