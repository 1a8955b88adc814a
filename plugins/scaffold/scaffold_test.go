package scaffold_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/scaffold"
)

// tools are what each language's make and make test need.
var tools = map[string]func() bool{
	"go": func() bool { return found("go") },
	"rust": func() bool {
		return found("cargo") && slices.ContainsFunc([]string{"rustc", "/usr/bin/rustc"}, func(compiler string) bool {
			out, err := exec.Command(compiler, "--print", "target-libdir", "--target", "wasm32-unknown-unknown").Output()
			if err != nil {
				return false
			}
			_, err = os.Stat(strings.TrimSpace(string(out)))
			return err == nil
		})
	},
	"c":              func() bool { return found("clang", "wasm-ld") },
	"assemblyscript": func() bool { return found("node", "npm") },
	"python":         func() bool { return found("python3") },
}

func found(programs ...string) bool {
	return !slices.ContainsFunc(programs, func(p string) bool { _, err := exec.LookPath(p); return err != nil })
}

func TestNew(t *testing.T) {
	t.Parallel()
	languages := scaffold.Languages()
	if !slices.Contains(languages, "go") {
		t.Fatalf("languages: %v", languages)
	}
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			// A name of two words, one of which a keyword is, and with a digit.
			const name = "for-top5"
			folder := filepath.Join(t.TempDir(), "deeper", name)
			if err := scaffold.New(name, lang, folder); err != nil {
				t.Fatal(err)
			}
			for file, text := range contents(t, folder) {
				if !strings.HasPrefix(file, "upl-plugin/") && !strings.HasPrefix(file, "upl_plugin/") {
					if left := placeholder.FindString(text); left != "" {
						t.Errorf("%s: %s is left", file, left)
					}
				}
				if strings.Contains(file, "__name__") || strings.Contains(file, "__ident__") || strings.HasSuffix(file, ".template") || filepath.Base(file) == "gitignore" {
					t.Errorf("%s has the template's name", file)
				}
			}
			for _, file := range []string{"Makefile", "README.md", ".gitignore", "upl-plugin.yaml"} {
				if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
					t.Error(err)
				}
			}
			if testing.Short() || !tools[lang]() {
				t.Skip("not built: -short, or the language's tools are missing")
			}
			makes(t, folder)
			makes(t, folder, "test")
			loads(t, filepath.Join(folder, "build", name), name)
		})
	}
}

var placeholder = regexp.MustCompile(`\{\{\w+\}\}`)

func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// makes runs make as an author does who has no upl-host.
func makes(t *testing.T, folder string, targets ...string) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "make", append(targets, "UPL_HOST=no-upl-host")...)
	build.Dir = folder
	// Not what the make around these tests hands down.
	build.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "MAKE") || strings.HasPrefix(variable, "MFLAGS=") ||
			strings.HasPrefix(variable, "GOFLAGS=") || strings.HasPrefix(variable, "CGO_")
	})
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build.Args, err, out)
	}
}

// loads reads what was built as the host does; a module's policies have to be those
// that its manifest lists.
func loads(t *testing.T, folder, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, plugins.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := plugins.ParseManifest(text)
	if err != nil || manifest.Name != name || manifest.Policies[0].Name != name {
		t.Fatalf("manifest %+v: %v", manifest, err)
	}
	if manifest.Runtime != "wasm" {
		if _, err := os.Stat(filepath.Join(folder, manifest.Entry)); err != nil {
			t.Error(err)
		}
		return
	}
	catalogue := plugins.NewCatalogue(plugins.Options{})
	defer catalogue.Close()
	if policy, err := catalogue.Find(t.Context(), folder); err != nil || policy.Name != name {
		t.Errorf("%+v: %v", policy, err)
	}
}

// TestGo holds the Go template to more: its code and go.mod are as the tools write
// them, and the same source is a program.
func TestGo(t *testing.T) {
	t.Parallel()
	const name = "top-margin"
	folder := filepath.Join(t.TempDir(), name)
	if err := scaffold.New(name, "go", folder); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"gofmt", "-l", "."}, {"go", "mod", "tidy", "-diff"}, {"go", "vet", "./..."}} {
		check := exec.CommandContext(t.Context(), command[0], command[1:]...)
		check.Dir = folder
		if out, err := check.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("%v: %v\n%s", command, err, out)
		}
	}
	if testing.Short() {
		t.Skip("-short")
	}
	makes(t, folder, "process")
	built := filepath.Join(folder, "build-process", name)
	loads(t, built, name)
	// Without a host it says what it is.
	if out, err := exec.CommandContext(t.Context(), filepath.Join(built, name)).Output(); err != nil || !bytes.Contains(out, []byte(`"name":"top-margin"`)) {
		t.Errorf("the program prints %q: %v", out, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "Top", "top_k", "top k", "-top", "top-", "top--k", "5-top", "../top", "top/k", "für", "top.k", ".",
		"match", "class", "int", "test", "upl-plugin", strings.Repeat("n", 65),
	} {
		var wrong *scaffold.NameError
		folder := filepath.Join(t.TempDir(), "new")
		if err := scaffold.New(name, "go", folder); !errors.As(err, &wrong) {
			t.Errorf("%q: want a NameError, got %v", name, err)
		}
		if _, err := os.Stat(folder); err == nil {
			t.Errorf("%q: the folder is there", name)
		}
	}
	var unknown *scaffold.LanguageError
	if err := scaffold.New("top", "cobol", filepath.Join(t.TempDir(), "new")); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "there are go") {
		t.Errorf("want a LanguageError that lists languages, got %v", err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	empty, full, file := filepath.Join(parent, "empty"), filepath.Join(parent, "full"), filepath.Join(parent, "file")
	err := errors.Join(os.Mkdir(empty, 0o755), os.Mkdir(full, 0o755), os.WriteFile(filepath.Join(full, "mine"), nil, 0o644), os.WriteFile(file, nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if err := scaffold.New("top", "go", empty); err != nil {
		t.Error(err)
	}
	for _, folder := range []string{full, file, empty, "."} { // empty is full now
		before := contents(t, parent)
		var exists *scaffold.ExistsError
		if err := scaffold.New("top", "go", folder); !errors.As(err, &exists) {
			t.Errorf("%s: want an ExistsError, got %v", folder, err)
		}
		if after := contents(t, parent); len(after) != len(before) {
			t.Errorf("%s: %d files were %d", folder, len(after), len(before))
		}
	}
}
