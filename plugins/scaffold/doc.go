// Package scaffold writes new plugins: a folder that builds and passes its test as
// it is, with the SDK inside, as the SDKs are in no public registry.
//
// The files come from the SDKs' templates. In their contents {{name}}, {{ident}} and
// {{Type}} stand for the plugin's name as top-k, top_k and TopK, in their names
// __name__ and __ident__. A name's ending .template is dropped: it hides go.mod and
// Go files from the go command.
package scaffold
