package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// accounts are the files of a run that tell of its way: times, attempts, paths.
// All others are results, the same bytes however a run came to them.
var accounts = regexp.MustCompile(`^(run\.yaml|manifest\.json|log\.jsonl|report\.html|\.lock|stages/.*)$`)

// results are the hashes of a run's results, by name.
func results(t *testing.T, run string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(run, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(run, path)
		if err != nil || accounts.MatchString(filepath.ToSlash(name)) {
			return err
		}
		data, err := os.ReadFile(path)
		found[filepath.ToSlash(name)] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"predictions.csv", "metrics.json", "pseudo_labels.csv", "contexts/classifier.safetensors", "features/vit.npy"} {
		if found[name] == "" {
			t.Fatalf("the run %s has no %s", run, name)
		}
	}
	return found
}

// job is a command line that runs a configuration in a folder of its own.
type job struct {
	folder    string // of the run and the cache
	arguments []string
	environ   []string
}

// long takes some seconds both to encode and to learn.
func long(t *testing.T) job {
	folder := models(t)
	return job{arguments: []string{
		"run", "-c", filepath.Join(demo, "glyphs.yaml"),
		"--set", fmt.Sprintf("models=[{path: %s}, {path: %s}]", filepath.Join(folder, "vit"), filepath.Join(folder, "rn")),
		"--set", "run.batch_size=1", "--set", "learn.epochs=30", "--set", "learn.seeds=2",
	}}.in(t.TempDir())
}

// undisturbed are the results of the long job, run once for all tests.
var undisturbed struct {
	sync.Once
	results map[string]string
}

func longResults(t *testing.T) map[string]string {
	t.Helper()
	undisturbed.Do(func() {
		job := long(t)
		job.do(t)
		undisturbed.results = results(t, job.run())
	})
	if undisturbed.results == nil {
		t.Fatal("the undisturbed run failed, in another test")
	}
	return undisturbed.results
}

// short is done within a few seconds.
func short(t *testing.T) job {
	return job{arguments: []string{
		"run", "-c", filepath.Join(demo, "glyphs-alone.yaml"), "--set", "models=[{path: " + filepath.Join(models(t), "vit") + "}]",
		"--set", "dataset.unlabeled=test", "--set", "learn.epochs=3", "--set", "learn.seeds=2",
	}}.in(t.TempDir())
}

func (j job) run() string   { return filepath.Join(j.folder, "run") }
func (j job) cache() string { return filepath.Join(j.folder, "cache") }

// in is the job in another folder.
func (j job) in(folder string) job {
	j.folder = folder
	return j
}

// set is the job with another value of a key.
func (j job) set(assignment string) job {
	j.arguments = append(slices.Clone(j.arguments), "--set", assignment)
	return j
}

// do runs a job to its good end.
func (j job) do(t *testing.T) {
	t.Helper()
	j.start(t).succeed(t)
}

// process is a job at work.
type process struct {
	*exec.Cmd
	out  bytes.Buffer // what it prints, to be read when it has ended
	done chan struct{}
	err  error // how it ended, when it has
}

func (j job) start(t *testing.T) *process {
	t.Helper()
	arguments := append([]string{j.arguments[0], "--out", j.run(), "--set", "cache.dir=" + j.cache()}, j.arguments[1:]...)
	p := &process{Cmd: command(t, arguments...), done: make(chan struct{})}
	p.Env = append(p.Env, j.environ...)
	p.Stdout, p.Stderr = &p.out, &p.out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.Wait()
		close(p.done)
	}()
	return p
}

// ends waits for the end, at most so long; it reports whether it has come.
func (p *process) ends(within time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(within):
		return false
	}
}

// succeed waits for a good end.
func (p *process) succeed(t *testing.T) {
	t.Helper()
	if <-p.done; p.err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(p.Args, " "), p.err, &p.out)
	}
}

// fail waits for an end with an exit code.
func (p *process) fail(t *testing.T, code int) {
	t.Helper()
	<-p.done
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) || exit.ExitCode() != code {
		t.Fatalf("%s ended with %v, want %d\n%s", strings.Join(p.Args, " "), p.err, code, &p.out)
	}
}

// begun lists the stages that the log of a run says have begun, one entry a time.
func begun(t *testing.T, run string) (stages []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "log.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var entry struct{ Msg, Stage string }
		// A killed program's last line may be cut off.
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "stage begins" {
			stages = append(stages, entry.Stage)
		}
	}
	return stages
}

// reaches waits until the process begins a stage, or any where the name is
// empty; before is how many the run's log had. It reports whether that came
// before the process's end.
func (p *process) reaches(t *testing.T, run string, before int, stage string) bool {
	t.Helper()
	for {
		if stages := begun(t, run)[before:]; len(stages) > 0 && (stage == "" || slices.Contains(stages, stage)) {
			return true
		}
		if p.ends(10 * time.Millisecond) {
			return false
		}
	}
}

// TestKilled kills runs again and again, with SIGKILL, and starts them again:
// what comes out in the end are the bytes of a run that nothing disturbed.
func TestKilled(t *testing.T) {
	t.Parallel()
	// A strike comes once the run has begun with any stage, with learning, or before.
	moments := []string{"", "", "", "", "early", "", "learn", "learn", "early", "learn", "", "learn"}
	kills := len(moments)
	random := rand.New(rand.NewPCG(4, 2204))
	want := longResults(t)
	killed := map[string]int{} // by the stage at work
	for n, round := 0, 1; n < kills; round++ {
		job := long(t)
		// Where there is no folder for temporary files, they lie beside what they become.
		job.environ = []string{"TMPDIR=" + filepath.Join(job.folder, "nowhere")}
		for ; n < kills; n++ {
			stage, ok := strike(t, job, random, moments[n])
			if !ok { // it was done before: the next one is to be a fresh run
				break
			}
			killed[stage]++
		}
		job.do(t)
		if diff := cmp.Diff(want, results(t, job.run())); diff != "" {
			t.Fatalf("round %d: the results of the killed run differ (- undisturbed, + killed):\n%s", round, diff)
		}
	}
	t.Logf("killed %d times: %v", kills, killed)
	if killed["encode"] == 0 || killed["learn"] == 0 {
		t.Errorf("killed in %v, want some kills in encode and some in learn", killed)
	}
}

// strike starts a job and kills it at a random moment after it has begun with a
// stage, any where the name is empty; one that comes early does not wait for that.
// It reports which stage was at work, and whether the job was not done by then.
func strike(t *testing.T, job job, random *rand.Rand, moment string) (stage string, ok bool) {
	t.Helper()
	return strikeWithin(t, job, random, moment, 3500*time.Millisecond)
}

// strikeWithin is strike, at most so long after that stage has begun.
func strikeWithin(t *testing.T, job job, random *rand.Rand, moment string, patience time.Duration) (stage string, ok bool) {
	t.Helper()
	before := len(begun(t, job.run()))
	p := job.start(t)
	if moment == "early" {
		patience = time.Second
	} else if !p.reaches(t, job.run(), before, moment) {
		p.succeed(t)
		return "", false
	}
	if p.ends(time.Duration(random.Int64N(int64(patience)))) {
		p.succeed(t)
		return "", false
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	stage = "start"
	if stages := begun(t, job.run()); len(stages) > before {
		stage = stages[len(stages)-1]
	}
	return stage, true
}

// learns reports whether the debug log of a run tells of an epoch.
func learns(t *testing.T, run string) bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(data, []byte(`"msg":"epoch"`))
}

// TestInterrupted stops a run by Ctrl-C while it encodes, and while it learns.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	job := long(t).set("log.level=debug")
	for _, stage := range []string{"encode", "learn"} {
		before := len(begun(t, job.run()))
		p := job.start(t)
		if !p.reaches(t, job.run(), before, stage) {
			t.Fatalf("the run ended before %s: %v\n%s", stage, p.err, &p.out)
		}
		p.ends(500 * time.Millisecond)
		for stage == "learn" && !learns(t, job.run()) && !p.ends(10*time.Millisecond) {
			continue // until an epoch is done
		}
		if p.ends(0) {
			t.Fatalf("%s is over too soon for this test: %v\n%s", stage, p.err, &p.out)
		}
		signalled := time.Now()
		if err := p.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		p.fail(t, 130)
		t.Logf("it stopped within %v of Ctrl-C in %s", time.Since(signalled).Round(time.Millisecond), stage)
		if !strings.Contains(p.out.String(), "the same command goes on from there") {
			t.Errorf("interrupted in %s it says\n%s", stage, &p.out)
		}
		manifest, err := os.ReadFile(filepath.Join(job.run(), "manifest.json"))
		if err != nil || !bytes.Contains(manifest, []byte(`"status": "interrupted"`)) {
			t.Errorf("interrupted in %s: manifest %s, %v", stage, manifest, err)
		}
	}
	p := job.start(t)
	p.succeed(t)
	if !regexp.MustCompile(`steps in all, [1-9]\d* of them done`).MatchString(p.out.String()) {
		t.Errorf("it began the interrupted learning anew:\n%s", &p.out)
	}
	if diff := cmp.Diff(longResults(t), results(t, job.run())); diff != "" {
		t.Errorf("the results of the interrupted run differ (- undisturbed, + interrupted):\n%s", diff)
	}
}

// TestTwoAtOnce starts a second run in a folder where one is at work.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	job, alone := short(t), short(t)
	alone.do(t)
	first := job.start(t)
	if !first.reaches(t, job.run(), 0, "encode") {
		t.Fatalf("the first run ended: %v\n%s", first.err, &first.out)
	}
	second := job.start(t)
	second.fail(t, 2)
	if first.ends(0) {
		t.Fatal("the first run is over too soon for this test")
	}
	if !strings.Contains(second.out.String(), "another run is at work in "+job.run()) {
		t.Errorf("the second run says\n%s", &second.out)
	}
	first.succeed(t)
	if diff := cmp.Diff(results(t, alone.run()), results(t, job.run())); diff != "" {
		t.Errorf("the second run disturbed the first (- alone, + first):\n%s", diff)
	}
}

// TestViews learns from augmented views: the same from any number of threads, and
// after a kill, and something else than from the pictures as they are.
func TestViews(t *testing.T) {
	t.Parallel()
	augmented := func(threads string) job { return short(t).set("learn.views=5").set("run.threads=" + threads) }
	plain, two, one, killed := short(t), augmented("2"), augmented("1"), augmented("2")
	plain.do(t)
	two.do(t)
	one.do(t)
	want := results(t, two.run())
	if diff := cmp.Diff(want, results(t, one.run())); diff != "" {
		t.Errorf("one thread: the results differ:\n%s", diff)
	}
	const context, labels = "contexts/seed-1.safetensors", "pseudo_labels.csv"
	if as := results(t, plain.run()); as[context] == want[context] || as[labels] != want[labels] {
		t.Error("views change more, or less, than what is learnt")
	}
	strike(t, killed, rand.New(rand.NewPCG(1, 2)), "learn")
	killed.do(t)
	if diff := cmp.Diff(want, results(t, killed.run())); diff != "" {
		t.Errorf("after a kill the results differ:\n%s", diff)
	}
	again := two.in(t.TempDir()).set("cache.dir=" + two.cache())
	again.do(t)
	log, err := os.ReadFile(filepath.Join(again.run(), "log.jsonl"))
	if err != nil || !regexp.MustCompile(`"msg":"views encoded","model":"vit","view":4,"new":0,`).Match(log) {
		t.Errorf("with a warm cache views are encoded anew: %v\n%s", err, log)
	}
}

// TestSameBytes runs one configuration in several circumstances that must not matter.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	cold := short(t).set("run.threads=2")
	cold.do(t)
	want := results(t, cold.run())
	same := func(name string, job job) {
		t.Helper()
		job.do(t)
		if diff := cmp.Diff(want, results(t, job.run())); diff != "" {
			t.Errorf("%s: the results differ (- before, + now):\n%s", name, diff)
		}
	}
	warm := func() job { return cold.in(t.TempDir()).set("cache.dir=" + cold.cache()) }

	same("one thread", short(t).set("run.threads=1"))
	same("a warm cache", warm())
	partly := short(t).set("learn.method=zero-shot").set("dataset.unlabeled=test/bird").set("dataset.test=test/bird").set("dataset.kind=list")
	partly.do(t)
	same("a cache that has some of the pictures", short(t).set("cache.dir="+partly.cache()))

	shards, err := filepath.Glob(filepath.Join(cold.cache(), "features", "*", "*.npy"))
	if err != nil || len(shards) == 0 { // one, or more on a slow machine
		t.Fatalf("the cache has no shard: %v", err)
	}
	whole, err := os.ReadFile(shards[0])
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string][]byte{
		"a flipped bit": flipped, "a cut end": whole[:len(whole)/2], "an empty file": {}, "no array": []byte("none of ours"),
	} {
		job := cold.in(t.TempDir())
		shard := filepath.Join(job.cache(), strings.TrimPrefix(shards[0], cold.cache()))
		if err := os.MkdirAll(filepath.Dir(shard), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(shard, content, 0o600); err != nil {
			t.Fatal(err)
		}
		same(name+" in the cache", job)
		log, err := os.ReadFile(filepath.Join(job.run(), "log.jsonl"))
		if err != nil || !bytes.Contains(log, []byte("a shard of the feature cache is unreadable")) {
			t.Errorf("%s in the cache: no warning in the log: %v\n%s", name, err, log)
		}
		if left, err := os.ReadFile(shard); err == nil && bytes.Equal(left, content) {
			t.Errorf("%s in the cache: it is left there", name)
		}
	}
}
