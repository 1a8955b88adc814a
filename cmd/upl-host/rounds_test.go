package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn"
)

// guest is the module of the tests of host/arrays, built once.
var guest struct {
	sync.Once
	dir, path string
	err       error
}

func guestModule(t *testing.T) string {
	t.Helper()
	guest.Do(func() {
		if guest.dir, guest.err = os.MkdirTemp("", "upl-host-guest"); guest.err != nil {
			return
		}
		guest.path = filepath.Join(guest.dir, "guest.wasm")
		build := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", guest.path, "../../host/arrays/testdata/guest")
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := build.CombinedOutput(); err != nil {
			guest.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if guest.err != nil {
		t.Fatal(guest.err)
	}
	return guest.path
}

// inRounds is a short run of three rounds by a policy.
func inRounds(t *testing.T, policy, params string) job {
	return short(t).set("label.rounds=3").set("label.selection={plugin: \"" + policy + "\", params: " + params + "}")
}

// sizes are the numbers of pseudo labels of each round, as the manifest and
// metrics.json have them, and the mean confidence of what was learned.
func sizes(t *testing.T, run string) (labels []int, confidence []float64) {
	t.Helper()
	manifest, err := host.ReadManifest(run)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := evaluate.ReadMetrics(filepath.Join(run, "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Rounds) != len(metrics.Rounds) {
		t.Fatalf("%d rounds in the manifest, %d measured", len(manifest.Rounds), len(metrics.Rounds))
	}
	for i, round := range metrics.Rounds {
		if m := manifest.Rounds[i]; m.Round != i+1 || m.PseudoLabels != round.PseudoLabels.Count {
			t.Errorf("round %d: %d pseudo labels in the manifest, %d measured", m.Round, m.PseudoLabels, round.PseudoLabels.Count)
		}
		if round.PseudoLabels.Accuracy == nil || round.Learned.Top1 == nil {
			t.Errorf("round %d is not held against the labels", round.Round)
		}
		labels = append(labels, round.PseudoLabels.Count)
		confidence = append(confidence, *round.Learned.MeanConfidence)
	}
	last := metrics.Rounds[len(metrics.Rounds)-1]
	if diff := cmp.Diff(*metrics.PseudoLabels, *last.PseudoLabels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(metrics.Learned.Measures, last.Learned); diff != "" {
		t.Error(diff)
	}
	return labels, confidence
}

// TestRounds goes through rounds with a policy that knows of them, and with one that
// does not.
func TestRounds(t *testing.T) {
	t.Parallel()
	grows := inRounds(t, guestModule(t)+"#grows", "{k: 2}")
	grows.do(t)
	labels, confidence := sizes(t, grows.run())
	if !slices.IsSorted(labels) || labels[0] == labels[2] {
		t.Errorf("the rounds have %v pseudo labels, want more from round to round", labels)
	}
	if confidence[0] == confidence[1] || confidence[1] == confidence[2] {
		t.Errorf("the rounds' classifiers have mean confidences %v", confidence)
	}
	checkRound(t, grows.run())
	manifest, err := host.ReadManifest(grows.run())
	if err != nil {
		t.Fatal(err)
	}
	var before []float64
	for _, m := range manifest.Metrics {
		before = append(before, m.Value)
	}
	// The policy sees its own last selection.
	if want := []float64{0, float64(labels[0]), float64(labels[1])}; !slices.Equal(before, want) {
		t.Errorf("in the rounds before it saw %v labels, want %v", before, want)
	}
	if seeds := manifest.Rounds; !slices.Equal(seeds[0].Seeds, []uint64{1}) || !slices.Equal(seeds[2].Seeds, []uint64{1, 2}) {
		t.Errorf("rounds of seeds %+v", seeds)
	}
	report, err := os.ReadFile(filepath.Join(grows.run(), "report.html"))
	if err != nil || !strings.Contains(string(report), "The rounds of selecting and learning") {
		t.Errorf("the report does not show the rounds: %v", err)
	}

	asked := inRounds(t, "top-k", "{k: 4}").set("label.round_seeds=2")
	asked.do(t)
	checkRound(t, asked.run())
	if labels, _ := sizes(t, asked.run()); len(labels) != 3 {
		t.Errorf("%d rounds", len(labels))
	}
	found := results(t, asked.run())
	if found["rounds/1/pseudo_labels.csv"] == found["rounds/2/pseudo_labels.csv"] {
		t.Error("the second round selects as the first, though by what was learned")
	}
	if found["rounds/3/pseudo_labels.csv"] != found["pseudo_labels.csv"] {
		t.Error("the run does not learn from its last round")
	}
	// A run of one round is the same as the first round.
	alone := short(t).set("label.selection.params.k=4")
	alone.do(t)
	of := results(t, alone.run())
	for one, first := range map[string]string{
		"pseudo_labels.csv": "rounds/1/pseudo_labels.csv", "contexts/seed-1.safetensors": "rounds/1/contexts/seed-1.safetensors",
		"contexts/classifier.safetensors": "rounds/1/contexts/classifier.safetensors", "probabilities/vit.npy": "probabilities/vit.npy",
	} {
		if of[one] != found[first] {
			t.Errorf("%s of a run of one round is not %s", one, first)
		}
	}
	if name := slices.Sorted(maps.Keys(of)); slices.ContainsFunc(name, func(n string) bool { return strings.HasPrefix(n, "rounds") }) {
		t.Errorf("a run of one round has %v", name)
	}
}

// checkRound holds the probabilities of the second round to what the first learned.
func checkRound(t *testing.T, run string) {
	t.Helper()
	classifier, err := learn.ReadClassifier(filepath.Join(run, "rounds/1/contexts/classifier.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) array.Matrix {
		a, err := array.ReadFile(filepath.Join(run, name))
		if err != nil {
			t.Fatal(err)
		}
		m, err := a.Matrix()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	// All pictures of the short run are unlabeled.
	features, got := read("features/vit.npy"), read("rounds/2/probabilities/vit.npy")
	want := array.NewMatrix(features.Rows, got.Cols)
	label.Probabilities(classifier.Best(), features, want)
	if got.Rows != want.Rows {
		t.Fatalf("%d rows, want %d", got.Rows, want.Rows)
	}
	for i, p := range got.Data {
		if math.Abs(float64(p-want.Data[i])) > 1e-6 {
			t.Fatalf("probability %d is %v, want %v", i, p, want.Data[i])
		}
	}
	if combined := read("rounds/2/probabilities/ensemble.npy"); !slices.Equal(combined.Data, got.Data) {
		t.Error("the ensemble of the one model is not what it learned")
	}
}

// TestRoundsKilled kills runs of rounds, and runs them with other threads.
func TestRoundsKilled(t *testing.T) {
	t.Parallel()
	policy := guestModule(t) + "#grows"
	undisturbed := inRounds(t, policy, "{k: 2}").set("run.threads=2")
	undisturbed.do(t)
	want := results(t, undisturbed.run())
	one := inRounds(t, policy, "{k: 2}").set("run.threads=1")
	one.do(t)
	if diff := cmp.Diff(want, results(t, one.run())); diff != "" {
		t.Errorf("with one thread the results differ:\n%s", diff)
	}
	random := rand.New(rand.NewPCG(8, 15))
	killed := inRounds(t, policy, "{k: 2}")
	stages := map[string]int{}
	for range 5 {
		stage, ok := strikeWithin(t, killed, random, "select", 600*time.Millisecond)
		if !ok {
			break
		}
		stages[stage]++
	}
	killed.do(t)
	t.Logf("killed in %v", stages)
	if stages["select"] == 0 {
		t.Errorf("no kill came while there were rounds: %v", stages)
	}
	if diff := cmp.Diff(want, results(t, killed.run())); diff != "" {
		t.Errorf("after kills the results differ:\n%s", diff)
	}
}

// TestAllKinds learns from all that a policy may emit.
func TestAllKinds(t *testing.T) {
	t.Parallel()
	job := short(t).set("label.selection={plugin: \"" + guestModule(t) + "#kinds\", params: {kinds: \"hard,soft,candidates,drop\"}}")
	job.do(t)
	metrics, err := evaluate.ReadMetrics(filepath.Join(job.run(), "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	n := metrics.Pictures.Unlabeled
	p := metrics.PseudoLabels
	if p.Count != n-n/4 || p.Soft != (n+2)/4 || p.Sets.Count != (n+1)/4 || p.Dropped != n/4 || p.Sets.MeanSize != 2 {
		text, _ := json.Marshal(p)
		t.Errorf("of %d pictures: %s", n, text)
	}
	sets := short(t).set("label.selection={plugin: \"" + guestModule(t) + "#kinds\", params: {kinds: \"candidates\"}}")
	sets.do(t)
	if a, b := results(t, job.run()), results(t, sets.run()); a["contexts/seed-1.safetensors"] == b["contexts/seed-1.safetensors"] {
		t.Error("other kinds of labels learn the same")
	}
}

// TestHeadsOfAllKinds learns heads from all of them.
func TestHeadsOfAllKinds(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"clip-adapter", "tip-adapter", "tip-adapter-f", "linear-probe"} {
		j := short(t).set("learn.method=" + method).set("learn.epochs=2").set("learn.seeds=1").set("report.enabled=false").
			set("label.selection={plugin: \"" + guestModule(t) + "#kinds\", params: {kinds: \"hard,soft,candidates,drop\"}}")
		j.do(t)
		metrics, err := evaluate.ReadMetrics(filepath.Join(j.run(), "metrics.json"))
		if err != nil {
			t.Fatal(err)
		}
		n := metrics.Pictures.Unlabeled
		if p := metrics.PseudoLabels; p.Soft != (n+2)/4 || p.Sets.Count != (n+1)/4 || p.Dropped != n/4 {
			t.Errorf("%s: of %d pictures: %+v", method, n, p)
		}
		if results(t, j.run())["heads/seed-1.safetensors"] == "" {
			t.Errorf("%s has learnt no head", method)
		}
	}
}

// TestRoundsOfHeads learns heads in between: the second round selects by them, and kills
// and threads change no byte.
func TestRoundsOfHeads(t *testing.T) {
	t.Parallel()
	for _, set := range [][]string{
		{"learn.method=tip-adapter", "learn.views=2"},
		{"learn.method=clip-adapter", "learn.epochs=40", "learn.learning_rate=0.02"},
		{"learn.method=linear-probe"},
	} {
		t.Run(set[0], func(t *testing.T) {
			t.Parallel()
			rounds := func(more ...string) job {
				j := inRounds(t, "top-k", "{k: 4}")
				for _, assignment := range append(set, more...) {
					j = j.set(assignment)
				}
				return j
			}
			whole := rounds("run.threads=2")
			whole.do(t)
			checkRound(t, whole.run())
			sizes(t, whole.run())
			want := results(t, whole.run())
			if want["rounds/1/pseudo_labels.csv"] == want["rounds/2/pseudo_labels.csv"] {
				t.Error("the second round selects as the first, though by what was learnt")
			}
			for _, name := range []string{"rounds/1/heads/seed-1.safetensors", "rounds/2/heads/seed-1.safetensors", "heads/seed-1.safetensors"} {
				if want[name] == "" {
					t.Errorf("there is no %s", name)
				}
			}
			one := rounds("run.threads=1")
			one.do(t)
			if diff := cmp.Diff(want, results(t, one.run())); diff != "" {
				t.Errorf("with one thread the results differ:\n%s", diff)
			}
			killed := rounds()
			random := rand.New(rand.NewPCG(8, 16))
			stages := map[string]int{}
			for range 3 {
				stage, ok := strikeWithin(t, killed, random, "select", 150*time.Millisecond)
				if !ok {
					break
				}
				stages[stage]++
			}
			killed.do(t)
			t.Logf("killed in %v", stages)
			if diff := cmp.Diff(want, results(t, killed.run())); diff != "" {
				t.Errorf("after kills the results differ:\n%s", diff)
			}
		})
	}
}

// TestRoundsOfRules goes through rounds with each rule that ships, by what learns in no
// time.
func TestRoundsOfRules(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	for _, rule := range []string{
		"top-k-column, params: {k: 4}", "threshold, params: {t: 0.5}", "flexmatch, params: {}", "leaderboard, params: {}",
		"sinkhorn, params: {}", "sinkhorn, params: {output: soft}", "prior-corrected, params: {}", "agreement, params: {k: 4}",
	} {
		j := short(t).set("learn.method=tip-adapter").set("learn.views=1").set("label.rounds=2").set("report.enabled=false").
			set("label.selection={plugin: " + rule + "}").set("cache.dir=" + cache)
		j.do(t)
		if labels, _ := sizes(t, j.run()); len(labels) != 2 || labels[0] == 0 || labels[1] == 0 {
			t.Errorf("%s: the rounds have %v pseudo labels", rule, labels)
		}
	}
	j := short(t).set("learn.epochs=1").set("label.rounds=2").set("report.enabled=false").set("label.selection={plugin: candidates, params: {}}").set("cache.dir=" + cache)
	j.do(t)
	if labels, _ := sizes(t, j.run()); len(labels) != 2 || labels[0] == 0 || labels[1] == 0 {
		t.Errorf("candidates: the rounds have %v pseudo labels", labels)
	}
}
