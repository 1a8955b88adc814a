package learn

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

func TestBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		settings := Settings{BatchSize: rapid.IntRange(1, 64).Draw(t, "batch size")}
		n := rapid.IntRange(1, 1000).Draw(t, "pictures")
		size, steps := settings.batches(n)
		dropped := n - size*steps
		switch {
		case n < settings.BatchSize:
			if size != n || steps != 1 {
				t.Fatalf("%d steps of %d, want 1 of all", steps, size)
			}
		case size != settings.BatchSize || steps < 1 || dropped < 0 || dropped >= size:
			t.Fatalf("%d steps of %d out of %d pictures", steps, size, n)
		}
	})
}

func TestPace(t *testing.T) {
	var p pace
	start := time.Unix(100, 0)
	if left := p.step(start, 9); left != 0 {
		t.Errorf("%v are left after one step, want unknown", left)
	}
	p.step(start.Add(2*time.Second), 8)
	if left := p.step(start.Add(6*time.Second), 7); left != 21*time.Second {
		t.Errorf("%v are left, want 7 steps of 3 s", left)
	}
}

// Each picture of an epoch is seen in one of its views, each as often over epochs;
// other epochs and seeds draw otherwise.
func TestSeenIn(t *testing.T) {
	const pictures, views, epochs = 50, 4, 100
	data := Data{Features: array.NewMatrix(pictures, 1)}
	for v := range views {
		view := array.NewMatrix(pictures, 1)
		for i := range view.Data {
			view.Data[i] = float32(v*pictures + i)
		}
		data.Views = append(data.Views, view)
	}
	counts := make([]int, views)
	drawn := func(seed uint64, epoch int) (all []int) {
		seen := data.SeenIn(seed, epoch)
		for i := range pictures {
			value := int(seen(i)[0])
			if value%pictures != i {
				t.Fatalf("picture %d is seen as %d", i, value%pictures)
			}
			all = append(all, value/pictures)
		}
		return all
	}
	for epoch := range epochs {
		for _, v := range drawn(1, epoch) {
			counts[v]++
		}
	}
	for v, n := range counts { // within 5 deviations
		if math.Abs(float64(n-pictures*epochs/views)) > 5*math.Sqrt(pictures*epochs*0.25*0.75) {
			t.Errorf("view %d is seen %d times", v, n)
		}
	}
	if slices.Equal(drawn(1, 0), drawn(1, 1)) || slices.Equal(drawn(1, 0), drawn(2, 0)) || !slices.Equal(drawn(1, 3), drawn(1, 3)) {
		t.Error("draws do not go by seed and epoch")
	}
	data.Views = nil
	if got := data.SeenIn(1, 0)(3); &got[0] != &data.Features.Row(3)[0] {
		t.Error("without views the features themselves are seen")
	}
}

func FuzzDecodeContext(f *testing.F) {
	add := func(shape []int, values []float32, metadata map[string]string) {
		var file bytes.Buffer
		if err := safetensors.Encode(&file, []safetensors.Tensor{safetensors.Float32(contextTensor, shape, values)}, metadata); err != nil {
			f.Fatal(err)
		}
		f.Add(file.Bytes())
	}
	metadata := map[string]string{
		formatKey: contextFormat, versionKey: formatVersion, "model": "m", "model_hash": "h", "logit_scale": "100",
		"class_names": `["a","b"]`, "context_length": "1", "class_token_position": "end", "class_specific": "true",
		"initial_words": "", "seed": "1", "epochs": "1", "batch_size": "1", "learning_rate": "1", "warmup_epochs": "0",
		"warmup_rate": "0", "momentum": "0", "weight_decay": "0", "inputs": "", "software": "",
	}
	add([]int{2, 1, 2}, []float32{1, 2, 3, 4}, metadata)
	metadata["class_specific"] = "false"
	add([]int{1, 4}, []float32{1, 2, 3, 4}, metadata)
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := safetensors.New(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		c, err := decodeContext(file)
		if err != nil {
			return
		}
		if c.Vectors.Rows != c.Rows() || len(c.Vectors.Data) != c.Rows()*c.Width || c.Vectors.CheckFinite() != nil {
			t.Fatalf("a context of %d x %d was taken for %v", c.Vectors.Rows, c.Vectors.Cols, c.Prompt)
		}
	})
}

func TestStateOfOtherInputs(t *testing.T) {
	job := Job{
		Folder: t.TempDir(), Prompt: Prompt{ClassNames: []string{"a"}, Length: 1, Width: 2, LogitScale: 1, Position: "end"},
		Data:     Data{Features: array.NewMatrix(1, 2), Targets: numeric.NewTargets(1, 1, false)},
		Settings: DefaultSettings(),
	}
	path := ContextPath(job.Folder, 1)
	if err := makeFolders(path); err != nil {
		t.Fatal(err)
	}
	group := []uint64{1, 2}
	resumed := func(job Job, group ...uint64) []state {
		t.Helper()
		if err := job.digestInputs(); err != nil {
			t.Fatal(err)
		}
		s, err := job.resume(group)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := job.digestInputs(); err != nil {
		t.Fatal(err)
	}
	want := []state{{
		vectors:  array.Matrix{Rows: 1, Cols: 2, Data: []float32{1, 2}},
		velocity: array.Matrix{Rows: 1, Cols: 2, Data: []float32{3, 4}},
		curve:    []Epoch{{Epoch: 0, Rate: 1e-5, Loss: 1.0 / 3, Accuracy: 0.1}},
	}, {
		vectors:  array.Matrix{Rows: 1, Cols: 2, Data: []float32{5, 6}},
		velocity: array.Matrix{Rows: 1, Cols: 2, Data: []float32{7, 8}},
		curve:    []Epoch{{Epoch: 0, Rate: 1e-5, Loss: 2.0 / 3, Accuracy: 0.2}},
	}}
	if err := job.save(job.statePath(group), group, want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, resumed(job, group...), cmp.AllowUnexported(state{})); diff != "" {
		t.Error(diff)
	}
	for _, other := range [][]uint64{{1}, {1, 3}, {1, 2, 3}} {
		if s := resumed(job, other...); len(s) != len(other) || len(s[0].curve) != 0 {
			t.Errorf("seeds %v go on where %v were", other, group)
		}
	}
	others := map[string]func(*Job){
		"features":      func(j *Job) { j.Data.Features = j.Data.Features.Clone(); j.Data.Features.Data[1] = 1 },
		"targets":       func(j *Job) { j.Data.Targets.Matrix = array.Matrix{Rows: 1, Cols: 1, Data: []float32{1}} },
		"model":         func(j *Job) { j.Prompt.ModelHash = "other" },
		"class names":   func(j *Job) { j.Prompt.ClassNames = []string{"b"} },
		"learning rate": func(j *Job) { j.Settings.LearningRate = 1 },
		"epochs":        func(j *Job) { j.Settings.Epochs = 7 },
		"group size":    func(j *Job) { j.Settings.Together = 3 },
		"first context": func(j *Job) { j.Initial = &array.Matrix{Rows: 1, Cols: 2, Data: []float32{0, 0}} },
	}
	for name, change := range others {
		other := job
		change(&other)
		if s := resumed(other, group...); len(s[0].curve) != 0 || slices.Equal(s[0].vectors.Data, want[0].vectors.Data) {
			t.Errorf("a training of another %s went on", name)
		}
	}
	same := job
	same.Settings.CheckpointEvery = time.Hour
	if s := resumed(same, group...); len(s[0].curve) != 1 {
		t.Error("a training does not go on with rarer checkpoints")
	}
}

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		together int
		want     [][]uint64
	}{
		{1, [][]uint64{{7}, {8}, {9}, {10}, {11}}},
		{2, [][]uint64{{7, 8}, {9, 10}, {11}}},
		{3, [][]uint64{{7, 8, 9}, {10, 11}}},
		{4, [][]uint64{{7, 8, 9}, {10, 11}}},
		{99, [][]uint64{{7, 8, 9, 10, 11}}},
	} {
		s := Settings{Seeds: []uint64{7, 8, 9, 10, 11}, Together: c.together}
		if diff := cmp.Diff(c.want, s.groups()); diff != "" {
			t.Errorf("%d together: %s", c.together, diff)
		}
	}
}
