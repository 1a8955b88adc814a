package report

import (
	"encoding/base64"

	"github.com/upl-host/upl-host/graphs/preprocess"
)

// ThumbnailSide is the longer side of the gallery's pictures, in pixels: twice
// what they are shown at, for fine screens.
const ThumbnailSide = 160

// Thumbnails returns the gallery's way from an encoded picture to a small one:
// decoded as the model sees it, within limits, and embedded as a JPEG.
func Thumbnails(limits preprocess.Limits) func(picture []byte) (dataURI string, err error) {
	return func(data []byte) (string, error) {
		picture, err := preprocess.Decode(data, limits)
		if err != nil {
			return "", err
		}
		small, err := preprocess.Thumbnail(picture, ThumbnailSide)
		if err != nil {
			return "", err
		}
		return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(small), nil
	}
}
