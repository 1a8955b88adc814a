package report

import (
	"encoding/base64"
	"fmt"
	"os"

	"github.com/upl-host/upl-host/graphs/preprocess"
)

// ThumbnailSide is the longer side of the gallery's pictures, in pixels: twice
// what they are shown at, for fine screens.
const ThumbnailSide = 160

// Thumbnails returns the gallery's way to a picture: decoded as the model sees
// it, within limits, and embedded as a small JPEG.
func Thumbnails(limits preprocess.Limits) func(file string) (dataURI string, err error) {
	return func(file string) (string, error) {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("reading a picture: %w", err)
		}
		picture, err := preprocess.Decode(data, limits)
		if err != nil {
			return "", fmt.Errorf("decoding %s: %w", file, err)
		}
		small, err := preprocess.Thumbnail(picture, ThumbnailSide)
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(small), nil
	}
}
