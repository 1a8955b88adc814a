package verify_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/verify"
)

// published are the figures as papers print them: a method and its K a row, the data
// sets in the columns, and at the end their mean.
const (
	publishedSets = "imagenet caltech101 dtd eurosat fgvc_aircraft food101 oxford_flowers oxford_pets sun397 stanford_cars ucf101 mean"
	published     = `
zero-shot 0 58.18 86.29 42.32 37.56 17.28 77.31 66.14 85.77 58.52 55.61 61.46 58.77
zero-shot 0 60.32 85.92 42.20 37.52 17.10 77.32 66.02 85.83 58.52 55.74 61.35 58.89
zero-shot 0 60.34 86.09 41.61 38.23 16.92 77.33 66.06 85.83 60.18 55.64 62.70 59.18
upl 16 60.51 89.94 46.57 54.83 17.34 77.58 68.90 88.28 63.98 62.13 67.17 63.38
upl* 16 61.09 91.40 55.08 71.04 21.75 77.93 76.65 89.51 66.42 70.97 70.18 68.37
coop 2 57.81 87.93 45.15 61.50 18.68 72.49 77.51 82.64 59.48 58.28 64.09 62.32
coop 8 61.56 90.21 59.97 76.73 26.13 71.82 91.18 85.32 65.52 68.43 71.94 69.89
tip-adapter 8 61.45 89.83 58.63 67.95 25.59 77.76 87.98 87.03 65.62 62.93 68.68 68.50`
	// By shots: 1, 2, 4, 8, 16. What the rows above have as well stands once.
	publishedMeans = `
coop 59.59 62.32 66.77 69.89 73.42
clip-adapter 62.67 65.55 68.61 71.40 74.44
tip-adapter 62.33 64.62 66.54 68.50 70.32
tip-adapter-f 64.60 66.65 69.67 72.45 75.83`
)

// What is embedded is what is printed, and nothing else.
func TestPublishedFigures(t *testing.T) {
	want := make(map[string]int)
	add := func(dataset, method, k, top1 string) {
		v, err := strconv.ParseFloat(top1, 64)
		must(t, err)
		want[fmt.Sprintf("%s %s %s %.2f", dataset, method, k, v)]++
	}
	for line := range strings.Lines(strings.TrimSpace(published)) {
		fields := strings.Fields(line)
		for i, dataset := range strings.Fields(publishedSets) {
			add(dataset, fields[0], fields[1], fields[2+i])
		}
	}
	for line := range strings.Lines(strings.TrimSpace(publishedMeans)) {
		fields := strings.Fields(line)
		for i, k := range []string{"1", "2", "4", "8", "16"} {
			if key := fmt.Sprintf("mean %s %s %s", fields[0], k, fields[1+i]); want[key] == 0 {
				add("mean", fields[0], k, fields[1+i])
			}
		}
	}
	all, err := verify.AllPublished()
	must(t, err)
	for _, p := range all {
		key := fmt.Sprintf("%s %s %d %.2f", p.Dataset, p.Method, p.K, p.Top1)
		if want[key]--; want[key] < 0 || p.Model != "RN50" {
			t.Errorf("%s of %s is not published", key, p.Model)
		}
	}
	for key, n := range want {
		if n > 0 {
			t.Errorf("%s is missing", key)
		}
	}
}
