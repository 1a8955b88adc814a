// Package oci shares plugins through OCI registries, the ones that hold container
// images, and through OCI layout folders. Nothing that is pulled is run here.
//
// A plugin is an image manifest of artifact type [ArtifactType]. Its config is the
// plugin's manifest as JSON, so that a registry's pages show it; its layers are
//
//	wasm:     the module (application/wasm) and upl-plugin.yaml
//	process:  the whole folder, one tar with gzip
//
// The same folder gives the same digest: files are sorted, times and owners are
// zero, modes 0644 or 0755, and there is no date of creation.
//
// Errors by type, for errors.As:
//
//	*ReferenceError       a reference that is none
//	*NotFoundError        the registry or folder does not have it
//	*AccessError          the registry refuses
//	*ArtefactError        not a plugin, or one that must not be unpacked
//	*DigestError          what came is not what the digest says
//	*ExistsError          another plugin is in the way
//	*plugins.LimitError   too large
//	*plugins.ManifestError  a folder's upl-plugin.yaml is wrong
package oci

// The media types of a plugin.
const (
	ArtifactType      = "application/vnd.upl-host.plugin.v1"
	MediaTypeConfig   = "application/vnd.upl-host.plugin.manifest.v1+json"
	MediaTypeManifest = "application/vnd.upl-host.plugin.manifest.v1+yaml"
	MediaTypeModule   = "application/wasm"
	MediaTypeFolder   = "application/vnd.upl-host.plugin.folder.v1.tar+gzip"
)

// Limits of what is pushed and pulled; a module's is wasm.MaxModule.
const (
	maxMetadata = 1 << 20 // of the image manifest, the config and upl-plugin.yaml, each
	maxPacked   = 256 << 20
	maxUnpacked = 256 << 20 // as much as can be locked
	maxFiles    = 20_000
)
