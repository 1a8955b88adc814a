package wasm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/upl-host/upl-host/plugins/internal/private"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// Options are how modules are loaded.
type Options struct {
	// CacheDir keeps compiled code across runs of the program. It is native code
	// that nothing but the folder protects: it has to be the user's own, of mode
	// 0700, and is made so if it is missing. Empty: nothing is kept.
	CacheDir string
	// Describe is how long a module may take to say what it is; 0: 10 seconds.
	Describe time.Duration
}

// Module is a compiled module. Its methods may be called concurrently; every run
// has an instance of its own.
type Module struct {
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	outline  outline
	describe time.Duration
}

// signature is a function's type.
type signature struct{ params, results []api.ValueType }

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
	f64 = api.ValueTypeF64
)

// exports are the functions that the host calls.
var exports = map[string]signature{
	"_initialize":     {},
	"upl_abi_version": {nil, []api.ValueType{i32}},
	"upl_describe":    {nil, []api.ValueType{i32}},
	"upl_configure":   {nil, []api.ValueType{i32}},
	"upl_begin_round": {[]api.ValueType{i32}, []api.ValueType{i32}},
	"upl_observe":     {[]api.ValueType{i64, i32}, []api.ValueType{i32}},
	"upl_end_round":   {[]api.ValueType{i32}, []api.ValueType{i32}},
	"upl_combine":     {[]api.ValueType{i64, i32}, []api.ValueType{i32}},
}

// Load checks and compiles a module; none of its code runs. Errors:
// *session.ProtocolError, *session.LimitError, or of CacheDir.
func Load(ctx context.Context, code []byte, options Options) (_ *Module, err error) {
	outline, err := inspect(code)
	if err != nil {
		return nil, err
	}
	config := wazero.NewRuntimeConfig().
		// A stack trace has the functions' names without it, and a stranger's debugging
		// information need not be parsed.
		WithDebugInfoEnabled(false).
		WithCloseOnContextDone(true).
		// Without table.grow, nothing but linear memory can grow.
		WithCoreFeatures(api.CoreFeaturesV2 &^ api.CoreFeatureReferenceTypes)
	m := &Module{outline: outline, describe: cmp.Or(options.Describe, 10*time.Second)}
	if options.CacheDir != "" {
		if m.cache, err = openCache(options.CacheDir); err != nil {
			return nil, err
		}
		config = config.WithCompilationCache(m.cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	defer func() {
		if fault := recover(); fault != nil {
			err = refused("the compiler cannot take it: %v", fault)
		}
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	m.compiled, err = m.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), code)
	if err != nil {
		return nil, refused("it does not compile: %v", err)
	}
	if err := m.checkSignatures(); err != nil {
		return nil, err
	}
	return m, link(ctx, m.runtime)
}

// openCache opens the folder of compiled code, if it is safe to.
func openCache(dir string) (wazero.CompilationCache, error) {
	if err := private.Folder(dir); err != nil {
		return nil, fmt.Errorf("keeping compiled plugins: %w; or set XDG_CACHE_HOME to a folder of your own", err)
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of compiled plugins: %w", err)
	}
	return cache, nil
}

// Close frees the compiled code; no instance may be running.
func (m *Module) Close() error {
	ctx := context.Background()
	err := m.runtime.Close(ctx)
	if m.cache != nil {
		err = errors.Join(err, m.cache.Close(ctx))
	}
	return err
}

func (m *Module) checkSignatures() error {
	for _, f := range m.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		for _, host := range hostFunctions {
			if host.module == module && host.name == name && !host.equal(f) {
				return refused("it imports %s of %s with another signature than %v -> %v", name, module, host.params, host.results)
			}
		}
	}
	exported := m.compiled.ExportedFunctions()
	for name, want := range exports {
		if f, ok := exported[name]; ok && !want.equal(f) {
			return refused("it exports %s with another signature than the contract's", name)
		}
	}
	if _, ok := m.compiled.ExportedMemories()["memory"]; !ok {
		return refused("it does not export its memory")
	}
	return m.require("upl_abi_version", "upl_describe", "upl_configure")
}

func (s signature) equal(f api.FunctionDefinition) bool {
	return slices.Equal(s.params, f.ParamTypes()) && slices.Equal(s.results, f.ResultTypes())
}

func (m *Module) require(names ...string) error {
	for _, name := range names {
		if _, ok := m.compiled.ExportedFunctions()[name]; !ok {
			return refused("it does not export %s", name)
		}
	}
	return nil
}

// Describe asks the module which policies it has.
func (m *Module) Describe(ctx context.Context) ([]session.Description, error) {
	const name = "upl_describe"
	ctx, cancel := context.WithTimeoutCause(ctx, m.describe, &session.LimitError{
		Limit: session.LimitTime, Detail: fmt.Sprintf("%s took more than %v", name, m.describe),
	})
	defer cancel()
	i, err := m.instantiate(ctx, nil, session.Limits{Memory: 64 << 20})
	if err != nil {
		return nil, err
	}
	defer i.Close()
	if err := i.call(ctx, name); err != nil {
		return nil, err
	}
	if i.manifest == nil {
		return nil, refused("%s gave no manifest", name)
	}
	return session.ParseDescriptions(i.manifest)
}

// Start makes an instance for a run of one of the module's policies.
func (m *Module) Start(ctx context.Context, host sdk.Host, policy session.Description, limits session.Limits) (session.Guest, error) {
	needed := "upl_end_round"
	if policy.Kind == sdk.KindEnsemble {
		needed = "upl_combine"
	}
	if err := m.require(needed); err != nil {
		return nil, err
	}
	return m.instantiate(ctx, host, limits)
}
