package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/plugins/internal/whole"
	"github.com/upl-host/upl-host/sdk"
)

// language is where a language's files come from, in sdk.Sources, and where its SDK
// goes in a new plugin.
type language struct {
	name     string
	template string
	sdk      string
	into     string
}

// The languages of which sdk.Sources may have a template.
var languages = []language{
	{"go", "template", ".", "upl-plugin"},
	{"rust", "rust/template", "rust", "upl-plugin"},
	{"c", "c/template", "c", "upl-plugin"},
	{"assemblyscript", "assemblyscript/template", "assemblyscript", "upl-plugin"},
	{"python", "python/template", "python/upl_plugin", "upl_plugin"},
}

// Languages are those that a plugin can be begun in.
func Languages() []string {
	var all []string
	for _, l := range languages {
		if _, err := fs.Stat(sdk.Sources, l.template); err == nil {
			all = append(all, l.name)
		}
	}
	return all
}

// LanguageError says that there is no template in a language.
type LanguageError struct{ Language string }

func (e *LanguageError) Error() string {
	return fmt.Sprintf("no template in %q; there are %s", e.Language, strings.Join(Languages(), ", "))
}

// ExistsError says why a folder is not free for a new plugin.
type ExistsError struct{ Path, Reason string }

func (e *ExistsError) Error() string {
	return e.Path + " is " + e.Reason + ": give a new folder with -o"
}

// New writes a plugin into folder, which must not be there or be empty: all of it or
// nothing.
func New(name, lang, folder string) error {
	if err := checkName(name); err != nil {
		return err
	}
	i := slices.IndexFunc(languages, func(l language) bool { return l.name == lang })
	if i < 0 || !slices.Contains(Languages(), lang) {
		return &LanguageError{lang}
	}
	if err := checkFree(folder); err != nil {
		return err
	}
	return whole.Folder(folder, func(partial string) error {
		w := writer{folder: partial}
		w.contents, w.files = names(name)
		err := errors.Join(w.template(languages[i]), w.sdk(languages[i]))
		if lang == "go" {
			err = errors.Join(err, w.goModule(name))
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", folder, err)
		}
		return nil
	})
}

func checkFree(folder string) error {
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !info.IsDir() {
		return &ExistsError{folder, "there and not a folder"}
	}
	// The folder is exchanged for the new one: nobody must stand in it.
	if here, err := os.Stat("."); err == nil && os.SameFile(here, info) {
		return &ExistsError{folder, "the working folder"}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		return &ExistsError{folder, "there and not empty"}
	}
	return nil
}

// writer writes into a folder that nobody else has.
type writer struct {
	folder          string
	contents, files *strings.Replacer
}

// template writes the files that are the author's to change.
func (w *writer) template(l language) error {
	return w.each(l.template, func(name string, text []byte) error {
		to := w.files.Replace(strings.TrimSuffix(name, ".template"))
		if dir, base := path.Split(to); base == "gitignore" {
			to = dir + ".gitignore"
		}
		return w.write(to, []byte(w.contents.Replace(string(text))))
	})
}

// sdk writes the SDK, with its licence.
func (w *writer) sdk(l language) error {
	err := w.each(l.sdk, func(name string, text []byte) error {
		if !isSDK(l, name) {
			return nil
		}
		return w.write(path.Join(l.into, name), text)
	})
	licence, failed := sdk.Sources.ReadFile("LICENSE")
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	return w.write(path.Join(l.into, "LICENSE"), licence)
}

// isSDK leaves out of a language's folder what is not its SDK: the template, tests,
// and for Go the other languages and what embeds them.
func isSDK(l language, name string) bool {
	top, _, _ := strings.Cut(name, "/")
	if path.Join(l.sdk, top) == l.template {
		return false
	}
	if l.name != "go" {
		return true
	}
	other := slices.ContainsFunc(languages, func(l language) bool { return l.name == top })
	return !other && name != "LICENSE" && name != "embed.go" && !strings.HasSuffix(name, "_test.go")
}

// leavings are folders that tools leave in a checkout, and that may have been
// embedded with it.
var leavings = []string{"__pycache__", ".pytest_cache", ".venv", "build", "node_modules", "target"}

// each calls do for every file below a folder of the sources.
func (w *writer) each(folder string, do func(name string, text []byte) error) error {
	below, err := fs.Sub(sdk.Sources, folder)
	if err != nil {
		return err
	}
	return fs.WalkDir(below, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(leavings, entry.Name()):
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		text, err := fs.ReadFile(below, name)
		if err != nil {
			return err
		}
		return do(name, text)
	})
}

// write writes a new file. What begins as a script can be executed: the sources
// have no modes.
func (w *writer) write(name string, text []byte) error {
	file := filepath.Join(w.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if bytes.HasPrefix(text, []byte("#!")) {
		mode = 0o755
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
