// Package encode is the stage that turns pictures into features. Each picture
// is read and decoded once for all models; features are cached across runs
// under a key of model, preprocessing, device and picture content.
package encode
