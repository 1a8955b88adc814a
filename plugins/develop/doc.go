// Package develop is for authors at work on a plugin: where a source folder's build
// is, building it, and running something again whenever a source is saved.
package develop
