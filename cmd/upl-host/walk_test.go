package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestWalk goes a newcomer's way in each language, with its own tools: a new plugin is
// built, tested, locked and used on the demo's pictures.
func TestWalk(t *testing.T) {
	folder := models(t)
	caches := toolCaches(t)
	for name, walk := range map[string]struct{ language, target, plugin, entry string }{
		"go":             {"go", "build", "build", "my-rule.wasm"},
		"go-program":     {"go", "process", "build-process", "my-rule"},
		"rust":           {"rust", "build", "build", "my-rule.wasm"},
		"c":              {"c", "build", "build", "my-rule.wasm"},
		"assemblyscript": {"assemblyscript", "build", "build", "my-rule.wasm"},
		"python":         {"python", "build", "build", "plugin.py"},
	} {
		t.Run(name, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir: "testdata/walk",
				Setup: func(env *testscript.Env) error {
					env.Setenv("PATH", filepath.Dir(absolute(t, program))+string(os.PathListSeparator)+env.Getenv("PATH"))
					env.Setenv("MODELS", folder)
					env.Setenv("DEMO", absolute(t, demo))
					env.Setenv("GLYPHS", filepath.Join(absolute(t, demo), "images", "glyphs", "test"))
					env.Setenv("HOME", env.WorkDir)
					env.Setenv("LANGUAGE", walk.language)
					env.Setenv("TARGET", walk.target)
					env.Setenv("PLUGIN", filepath.Join("my-rule", walk.plugin, "my-rule"))
					env.Setenv("ENTRY", walk.entry)
					for name, value := range caches {
						env.Setenv(name, value)
					}
					return nil
				},
				Cmds: commands(),
			})
		})
	}
}

// toolCaches are where the languages' tools keep what they have fetched: a newcomer
// fetches it once.
func toolCaches(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	caches := map[string]string{
		"GOMODCACHE": lines[0], "GOCACHE": lines[1], "GOPROXY": lines[2], "GOSUMDB": lines[3],
		"CARGO_HOME": filepath.Join(home, ".cargo"), "RUSTUP_HOME": filepath.Join(home, ".rustup"),
		"npm_config_cache": filepath.Join(home, ".npm"), "npm_config_userconfig": filepath.Join(home, ".npmrc"),
		"PIP_CACHE_DIR": filepath.Join(cache, "pip"),
	}
	// How a machine reaches its package registries.
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		upper := strings.ToUpper(name)
		if strings.HasPrefix(upper, "PIP_") || strings.HasPrefix(upper, "NPM_CONFIG_") || strings.HasPrefix(upper, "CARGO_") || strings.HasPrefix(upper, "RUSTUP_") || strings.HasSuffix(upper, "_PROXY") || strings.HasSuffix(upper, "_CERT_FILE") || upper == "NODE_EXTRA_CA_CERTS" || upper == "SSL_CERT_DIR" || upper == "PIP_CONFIG_FILE" {
			caches[name] = value
		}
	}
	return caches
}
