package host

import (
	"os"
	"path/filepath"
)

// PluginFolders are where plugins are looked for, first come first served: the
// folders of UPL_PLUGINS, the project's .upl-host/plugins, the user's data
// folder, and what came with the program.
func PluginFolders() []string {
	folders := filepath.SplitList(os.Getenv("UPL_PLUGINS"))
	folders = append(folders, filepath.Join(".upl-host", "plugins"))
	if folder := UserPlugins(); folder != "" {
		folders = append(folders, folder)
	}
	if program, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(program); err == nil {
			program = real
		}
		// bin/upl-host, and its twin, which lies in lib/upl-host itself.
		for _, place := range []string{"../lib/upl-host/plugins", "plugins"} {
			folder := filepath.Join(filepath.Dir(program), filepath.FromSlash(place))
			if info, err := os.Stat(folder); err == nil && info.IsDir() {
				folders = append(folders, folder)
			}
		}
	}
	return folders
}

// PluginCache is where compiled plugins are kept, a folder of the user's own;
// empty where there is no place for it.
func PluginCache() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "upl-host", "plugins")
}

// ClassifierPath is where a run folder has its classifier.
func ClassifierPath(run string) string { return filepath.Join(run, filepath.FromSlash(classifierName)) }

// UserPlugins is the user's own folder of plugins; empty where there is no place
// for it.
func UserPlugins() string {
	if data := os.Getenv("XDG_DATA_HOME"); data != "" {
		return filepath.Join(data, "upl-host", "plugins")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "upl-host", "plugins")
}
