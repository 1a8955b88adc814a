package scaffold

import (
	"os/exec"
	"slices"
)

// Tool is a program that a plugin's make runs.
type Tool struct {
	Name    string
	Package string // that has it, on Debian and Ubuntu
}

// tools are those of each language, beside make. What a program alone does not tell
// (Python's venv, Rust's target for modules), the tools themselves say when it is
// missing.
var tools = map[string][]Tool{
	"go":             {{"go", "golang-go"}},
	"rust":           {{"cargo", "cargo"}, {"rustc", "rustc"}},
	"c":              {{"clang", "clang"}, {"wasm-ld", "lld"}},
	"assemblyscript": {{"node", "nodejs"}, {"npm", "npm"}},
	"python":         {{"python3", "python3"}},
}

// Missing are the tools of a language that are not on the PATH.
func Missing(lang string) []Tool {
	all := append([]Tool{{"make", "make"}}, tools[lang]...)
	return slices.DeleteFunc(all, func(t Tool) bool {
		_, err := exec.LookPath(t.Name)
		return err == nil
	})
}
