package plugins

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/sdk"
)

// State is what lock and search path have to say of a plugin.
type State string

// The states of a plugin. Those of the first group may run.
const (
	StateLocked   State = "locked"   // in the lock, and as it is pinned there
	StateUnlocked State = "unlocked" // not in the lock; without any lock a module may run all the same
	StateBuiltIn  State = "built-in" // not in the lock; it came with the program

	StateUnchecked State = "unchecked" // in the lock; its files have not been looked at

	StateChanged     State = "changed"      // other bytes than the lock's, or another version
	StateRenamed     State = "renamed"      // the lock has these bytes by another name
	StateMoved       State = "moved"        // the lock has this policy of another plugin
	StateNotGranted  State = "not granted"  // it needs what the lock does not grant
	StateCopyChanged State = "copy changed" // the private copy that would run was edited
	StateMissing     State = "missing"      // in the lock, and not found
	StateBroken      State = "broken"       // it cannot be read, or not be pinned
)

// judge says whether a plugin may run: its entry in the lock, nil where it needs
// none; a *TrustError where it may not.
func (c *Catalogue) judge(b *bundle) (State, *LockEntry, error) {
	lock := c.options.Lock
	entry := lock.Entry(b.name())
	switch {
	case entry != nil:
		if err := c.compare(entry, b); err != nil {
			return err.State, entry, err
		}
		return StateLocked, entry, nil
	case lock.byHash(b.hash) != nil:
		return StateRenamed, nil, c.renamed(b, lock.byHash(b.hash).Name)
	case c.options.Trial:
		return StateUnlocked, nil, nil
	case b.runtime() == RuntimeWASM && c.builtIn(b.dir):
		return StateBuiltIn, nil, nil
	case b.runtime() == RuntimeWASM && lock == nil:
		return StateUnlocked, nil, nil
	}
	reason := "it is not in " + c.LockPath()
	if b.runtime() == RuntimeProcess {
		reason = "it is a program, which runs with your rights, and " + c.LockPath() + " does not pin it"
	}
	return StateUnlocked, nil, &TrustError{
		Plugin: b.name(), Path: b.path, State: StateUnlocked, Reason: reason, Command: c.lockCommand(argument(b.path)),
	}
}

// compare holds a plugin against its entry.
func (c *Catalogue) compare(e *LockEntry, b *bundle) *TrustError {
	what := b.file
	if b.runtime() == RuntimeProcess {
		what = b.path // all of it
	}
	refused := &TrustError{Plugin: b.name(), Path: b.path, State: StateChanged, Command: c.lockCommand(argument(b.path), e.Grants...)}
	switch {
	case e.Hash != b.hash:
		refused.Err = &IntegrityError{what, e.Hash, b.hash}
		refused.Reason = fmt.Sprintf("%s is not what %s pins: it has %s, and pinned is %s%s; look at what changed before you accept it",
			what, c.LockPath(), b.hash, e.Hash, c.changedFiles(e, b))
	case e.Version != b.version():
		refused.Reason = fmt.Sprintf("its manifest says version %s, and %s has %s", orNone(b.version()), c.LockPath(), orNone(e.Version))
	default:
		return nil
	}
	return refused
}

// changedFiles names what differs from the pinned program, where the store still
// has that.
func (c *Catalogue) changedFiles(e *LockEntry, b *bundle) string {
	if b.tree == nil || !strings.HasPrefix(e.Hash, "h1:") {
		return ""
	}
	pinned, err := readTree(store{c.options.StoreDir}.entry(e.Hash), nil)
	if err != nil || pinned.hash() != e.Hash {
		return "" // there is none, or not that one any more
	}
	return " (changed: " + shortList(pinned.differences(b.tree)) + ")"
}

// grant gives the views that a policy is granted of those that need it.
func (c *Catalogue) grant(b *bundle, e *LockEntry, policy string, needs []string) ([]string, error) {
	if !slices.Contains(needs, sdk.ViewFeatures.String()) {
		return nil, nil
	}
	if c.options.Trial || slices.Contains(c.options.Grants, GrantFeatures) || e != nil && slices.Contains(e.Grants, GrantFeatures) {
		return []string{GrantFeatures}, nil
	}
	return nil, &TrustError{
		Plugin: b.name(), Path: b.path, State: StateNotGranted,
		Reason:  fmt.Sprintf("its policy %s needs to see features, which %s does not grant", policy, c.LockPath()),
		Command: c.lockCommand(argument(b.path), GrantFeatures),
	}
}

// settle refuses a policy found by its name alone that the lock has of another
// plugin: who can put a plugin into an earlier folder could take over the name.
func (c *Catalogue) settle(found Plugin, policy string) error {
	owners := c.options.Lock.owners(policy)
	choices := make([]string, 0, len(owners))
	for _, e := range owners {
		choices = append(choices, e.Name+"#"+policy)
	}
	switch {
	case len(owners) > 1:
		return &AmbiguousError{Name: policy, Choices: choices}
	case len(owners) == 1 && owners[0].Name != found.Manifest.Name:
		return &TrustError{
			Plugin: found.Manifest.Name, Path: found.Folder, State: StateMoved,
			Reason: fmt.Sprintf("%s has policy %s as plugin %s's, and this one's is found first: say which is meant, %s or, once it is locked too, %s#%[2]s",
				c.LockPath(), policy, owners[0].Name, choices[0], found.Manifest.Name),
			Command: c.lockCommand(argument(found.Folder)),
		}
	}
	return nil
}

// renamed refuses what the lock has by another name: which of the two the operator
// trusts is not for the plugin to say.
func (c *Catalogue) renamed(b *bundle, other string) error {
	return &TrustError{
		Plugin: b.name(), Path: b.path, State: StateRenamed,
		Reason:  fmt.Sprintf("%s has the same bytes by the name of %s", c.LockPath(), other),
		Command: c.lockCommand("--remove "+other) + " && " + c.lockCommand(argument(b.path)),
	}
}

// builtIn says whether a plugin's folder lies, itself, in one that came with the
// program.
func (c *Catalogue) builtIn(dir string) bool {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	parent, err := os.Stat(filepath.Dir(real))
	return err == nil && slices.ContainsFunc(c.options.Trusted, func(folder string) bool {
		info, err := os.Stat(folder)
		return err == nil && os.SameFile(info, parent)
	})
}

// lockCommand is the command that changes the lock in use.
func (c *Catalogue) lockCommand(what string, grants ...string) string {
	command := "upl-host plugin lock " + what
	if len(grants) > 0 {
		command += " --grant " + strings.Join(grants, ",")
	}
	here, err := filepath.Abs(LockName)
	if there, err2 := filepath.Abs(c.LockPath()); errors.Join(err, err2) == nil && there != here {
		command += " --lock " + quote(c.LockPath())
	}
	return command
}

// argument is a plugin's path as a shell reads it, and as no plugin's name.
func argument(path string) string {
	if !isPath(path) {
		path = "." + string(filepath.Separator) + path
	}
	return quote(path)
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote writes a word as a shell reads it.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}
