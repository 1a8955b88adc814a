package main_test

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPluginTestWatch saves sources while `plugin test --watch` is at work: a build
// that works, one that does not, one that works again; and ends it by Ctrl-C.
func TestPluginTestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	save := func(makefile string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(makefile), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	policies := filepath.Join(filepath.Dir(absolute(t, program)), "..", "lib", "upl-host", "plugins", "strategies")
	builds := "all:\n\tmkdir -p build/rule && cp '" + policies + "'/* build/rule/\n"
	save(builds)
	c := command(t, "plugin", "test", dir+"#top-k", "--watch")
	output, input := io.Pipe()
	c.Stdout, c.Stderr = input, input
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(output); s.Scan(); {
			lines <- s.Text()
		}
	}()
	await := func(text string) {
		t.Helper()
		late := time.After(2 * time.Minute)
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					t.Fatalf("it ended before saying %q", text)
				}
				if strings.Contains(line, "\x1b") {
					t.Errorf("a control sequence where there is no terminal: %q", line)
				}
				if strings.Contains(line, text) {
					return
				}
			case <-late:
				t.Fatalf("it did not say %q", text)
			}
		}
	}
	await(" passed, 0 failed")
	await("watching " + dir)
	save("all:\n\t@echo main.go:7: no such thing; exit 1\n")
	await("main.go:7: no such thing")
	await("watching " + dir)
	save(builds + "\t# mended\n")
	await(" passed, 0 failed")
	await("watching " + dir)
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if err := input.Close(); err != nil {
		t.Error(err)
	}
}
