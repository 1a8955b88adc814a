package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/upl-host/upl-host/plugins"
)

// PluginOptions are where plugins are on this machine, and where what is made of
// them is kept. Which of them may run, a lock says: see ReadLock.
func PluginOptions() plugins.Options {
	return plugins.Options{
		Folders: PluginFolders(), Trusted: shippedPlugins(),
		CacheDir: PluginCache(), StoreDir: userCache("programs"), Self: isolatedCommand(),
	}
}

// PluginFolders are where plugins are looked for, first come first served: the
// folders of UPL_PLUGINS, the project's .upl-host/plugins, the user's data
// folder, and what came with the program.
func PluginFolders() []string {
	folders := filepath.SplitList(os.Getenv("UPL_PLUGINS"))
	folders = append(folders, filepath.Join(".upl-host", "plugins"))
	if folder := UserPlugins(); folder != "" {
		folders = append(folders, folder)
	}
	return distinct(append(folders, shippedPlugins()...))
}

// distinct leaves out folders that are there before, by another name too: what is in
// them would be found twice, and be ambiguous.
func distinct(folders []string) []string {
	var places, kept []string
	for _, folder := range folders {
		place, err := filepath.Abs(folder)
		if err != nil {
			place = folder
		}
		if real, err := filepath.EvalSymlinks(place); err == nil {
			place = real
		}
		if !slices.Contains(places, place) {
			places, kept = append(places, place), append(kept, folder)
		}
	}
	return kept
}

// shippedPlugins are the folders that came with the program: those of bin/upl-host,
// and of its twin, which lies in lib/upl-host itself.
func shippedPlugins() []string {
	program := programFolder()
	if program == "" {
		return nil // and nothing of the working folder
	}
	var folders []string
	for _, place := range []string{"../lib/upl-host/plugins", "plugins"} {
		folder := filepath.Join(program, filepath.FromSlash(place))
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			folders = append(folders, folder)
		}
	}
	return folders
}

// programFolder is where this program lies; empty where nobody knows.
func programFolder() string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	return filepath.Dir(program)
}

// isolatedCommand is the command line of a child process for a module. The pure-Go
// program makes it where there is one: its twin would load TensorFlow for it.
func isolatedCommand() []string {
	program, err := os.Executable()
	if err != nil {
		return nil // starting a child then fails, and says so
	}
	if folder := programFolder(); folder != "" {
		pure := filepath.Join(folder, "..", "..", "bin", "upl-host")
		if info, err := os.Stat(pure); err == nil && info.Mode().IsRegular() {
			program = pure
		}
	}
	return []string{program, "plugin", "isolated", PluginCache()}
}

// ReadLock reads the lock of plugins: the file, or, where none is named, upl.lock of
// the working folder, which need not be there. path is where it is, or would be.
func ReadLock(file string) (lock *plugins.Lock, path string, err error) {
	path = file
	if path == "" {
		path = plugins.LockName
	}
	lock, err = plugins.ReadLock(path)
	if file == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, path, nil
	}
	return lock, path, err
}

// PluginCache is where compiled plugins are kept, a folder of the user's own;
// empty where there is no place for it.
func PluginCache() string { return userCache("plugins") }

// userCache is a folder of the user's cache; empty where there is no such place.
func userCache(name string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "upl-host", name)
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
