//go:build !wasip1

package sdk

import "embed"

// Sources are the SDKs of all languages and the templates of new plugins: what
// upl-host plugin new writes. Modules have no use for them, nor for the packages
// behind them: hence the build tag.
//
// A language's line names its sources, without tests and what tools leave behind,
// and its template. Names that begin with a dot or an underscore need all: or a
// pattern of their own.
//
//go:embed LICENSE
//go:embed go.mod go.sum *.go elementary/*.go serve/*.go session/*.go session/*.s sdktest/*.go wire/*.go all:template
//go:embed c/upl_plugin.h c/upl_test.h all:c/template
//go:embed rust/Cargo.toml rust/README.md rust/plugin.mk rust/wasm.sh rust/src all:rust/template
//go:embed assemblyscript/package.json assemblyscript/asconfig.json assemblyscript/README.md assemblyscript/assembly assemblyscript/testing all:assemblyscript/template
//go:embed python/upl_plugin/*.py python/upl_plugin/*.pyi python/upl_plugin/py.typed python/upl_plugin/testing/*.py all:python/template
var Sources embed.FS
