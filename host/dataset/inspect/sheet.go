package inspect

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/report"
)

// How many pictures a contact sheet shows: of a class, of those without labels, and
// in all, as long as each class has one.
const (
	shownOfClass    = 8
	shownUnlabelled = 48
	shownInAll      = 2000
)

// WriteSheet writes a contact sheet: some pictures of each class, at even distances.
// It returns how many of them could not be shown.
func WriteSheet(ctx context.Context, d *dataset.Dataset, truth *dataset.Truth, limits preprocess.Limits, file string) (failed int, err error) {
	all := union(d, splits(d))
	byClass := make([][]int, len(d.Classes))
	var unlabelled []int
	index := make(map[string]int, len(all))
	for _, i := range all {
		index[d.Pictures[i].ID] = i
		if label := truth.Label(i); label >= 0 {
			byClass[label] = append(byClass[label], i)
		} else {
			unlabelled = append(unlabelled, i)
		}
	}
	sheet := report.Sheet{
		Title: filepath.Base(d.Root), Lede: fmt.Sprintf("%d pictures, %d classes. Some of each class, at even distances.", len(all), len(d.Classes)),
	}
	add := func(name string, pictures []int, most int) {
		row := report.SheetClass{Name: name, Count: len(pictures)}
		for _, i := range spread(pictures, most) {
			row.Paths = append(row.Paths, d.Pictures[i].ID)
		}
		sheet.Classes = append(sheet.Classes, row)
	}
	if truth.Has() {
		most := min(shownOfClass, max(1, shownInAll/len(d.Classes)))
		for c, class := range d.Classes {
			add(class.Name, byClass[c], most)
		}
	}
	if len(unlabelled) > 0 {
		add("without labels", unlabelled, shownUnlabelled)
	}
	return sheet.Write(ctx, file, report.Options{
		Read:      func(id string) ([]byte, error) { return d.Pictures[index[id]].Read() },
		Thumbnail: report.Thumbnails(limits),
	})
}
