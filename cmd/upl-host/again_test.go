package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// openedModels are those that the log of a run says were opened.
func openedModels(t *testing.T, run string) (names []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(run, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var entry struct{ Msg, Model string }
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == "model is open" {
			names = append(names, entry.Model)
		}
	}
	return names
}

// TestSecondRun runs a configuration in a second folder: what the first has
// encoded, pictures and texts, and learned, is the same bytes from the cache, and opens no
// model but for the classes' features of the prompts.
func TestSecondRun(t *testing.T) {
	t.Parallel()
	first := long(t).set("learn.epochs=2").set("run.batch_size=32")
	first.do(t)
	want := results(t, first.run())
	if diff := cmp.Diff(2, len(openedModels(t, first.run()))); diff != "" {
		t.Error("models that the first run opened:", diff)
	}
	again := first.in(t.TempDir()).set("cache.dir=" + first.cache())
	again.do(t)
	if diff := cmp.Diff(want, results(t, again.run())); diff != "" {
		t.Errorf("the results differ (- cold, + warm):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"vit"}, openedModels(t, again.run())); diff != "" {
		t.Error("models that the second run opened, where one learns:", diff)
	}
	log, err := os.ReadFile(filepath.Join(again.run(), "log.jsonl"))
	if plan := regexp.MustCompile(`"msg":"learning","plan":"[^"]*, (\d+) steps in all, (\d+) of them done"`).FindSubmatch(log); err != nil || plan == nil || !bytes.Equal(plan[1], plan[2]) {
		t.Errorf("what was learned is learned again: %v\n%s", err, log)
	}
	zeroShot := again.in(t.TempDir()).set("learn.method=zero-shot")
	zeroShot.do(t)
	if names := openedModels(t, zeroShot.run()); names != nil {
		t.Errorf("models that a run without learning opened: %v", names)
	}
}
