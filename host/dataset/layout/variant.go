package layout

// Variant is another set of pictures of ImageNet's classes, which serves as a test
// of what was learnt on others.
type Variant struct {
	Name   string // of dataset.variant
	Title  string // what papers call it
	Folder string // within the one that holds all data sets
	Images string // from Folder
	// Numbered: folders are called by the class's place in classnames.txt, from 0,
	// and not by its wnid.
	Numbered bool
	Classes  int
}

var variants = []Variant{
	{Name: "v2", Title: "ImageNetV2", Folder: "imagenetv2", Images: "imagenetv2-matched-frequency-format-val", Numbered: true, Classes: 1000},
	{Name: "sketch", Title: "ImageNet-Sketch", Folder: "imagenet-sketch", Images: "images", Classes: 1000},
	{Name: "a", Title: "ImageNet-A", Folder: "imagenet-adversarial", Images: "imagenet-a", Classes: 200},
	{Name: "r", Title: "ImageNet-R", Folder: "imagenet-rendition", Images: "imagenet-r", Classes: 200},
}

// VariantByName returns the variant that dataset.variant names.
func VariantByName(name string) (Variant, bool) {
	for _, v := range variants {
		if v.Name == name {
			return v, true
		}
	}
	return Variant{}, false
}
