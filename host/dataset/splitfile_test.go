package dataset

import (
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// Whatever a split file says, its classes are as many as its labels, its labels are
// classes, and what is refused is refused in few words.
func FuzzSplitFile(f *testing.F) {
	f.Add(`{"train": [["a/1.jpg", 0, "a"], ["b/1.jpg", 1, "b"]], "val": [], "test": [["a/2.jpg", 0, "a"]]}`)
	f.Add(`{"train": [["a", 4000000000, "a"]], "test": null}`)
	f.Add(`{"train": [["a", 1e3, "a"], ["a", -1, "a"], [], 3], "x": []}`)
	f.Add(`[[["a", 0, "a"]]]`)
	f.Fuzz(func(t *testing.T, text string) {
		var found faults
		split := parseSplit("s.json", []byte(text), &found)
		classes := split.classes("s.json", layout.Layout{}, &found)
		items := 0
		for _, name := range splitNames {
			items += len(split[name])
			for _, item := range split[name] {
				if item.label < 0 || strings.TrimSpace(item.name) == "" {
					t.Errorf("item %+v", item)
				}
				if found.err() == nil && classes[item.label].Folder != item.name {
					t.Errorf("item %+v is of class %+v", item, classes[item.label])
				}
			}
		}
		if len(classes) > items {
			t.Errorf("%d classes of %d items", len(classes), items)
		}
		if err := found.err(); err != nil && len(err.Error()) > 1<<14 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}
