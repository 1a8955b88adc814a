// Package layout holds what is known of the eleven data sets that UPL is measured
// on, in CoOp's layout: where their pictures and splits lie, how their classes are
// called, how a prompt speaks of them. It reads nothing.
package layout

import (
	"fmt"
	"slices"
)

// Layout is one data set as CoOp lays it out.
type Layout struct {
	Kind string // dataset.kind, and the name of CoOp's loader
	Name string // what papers call it
	// Folder is its folder within the one that holds all data sets.
	Folder string
	// Images is the folder of its pictures, from its own; empty: that one itself.
	Images string
	// Split is the file of the official split; empty where the pictures' folders, or
	// lists of its own, are the split.
	Split string
	// Download is where Split is to be had.
	Download string
	// Classes, and the pictures of each split, are those of the official split.
	Classes, Train, Val, Test int
	// Template is CoOp's prompt of the data set.
	Template string
	// ClassName is how CoOp calls the class that the data set calls raw; nil: the
	// same. It leaves alone what it has returned.
	ClassName func(raw string) string
	// Tree says how a random split may be made of the pictures' folder.
	Tree Tree
	// Ignored are folders that are no classes.
	Ignored []string
}

// Tree is where the class of a picture stands.
type Tree string

// The trees. Of the sets without one, labels stand in MATLAB files alone.
const (
	TreeNone    Tree = ""
	TreeFolder  Tree = "folder"  // a folder per class
	TreeLetters Tree = "letters" // the same below a folder for its first letter, and deep: a/abbey, b/barn/outdoor
	TreeStem    Tree = "stem"    // the files' names: great_pyrenees_12.jpg
)

// Instructions are CoOp's, for all eleven.
const Instructions = "https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md"

const (
	drive = "https://drive.google.com/file/d/"
	plain = "a photo of a {}."
)

// all are in the order of the paper's tables.
var all = []Layout{
	{
		Kind: "imagenet", Name: "ImageNet", Folder: "imagenet", Images: "images", Download: drive + "1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF",
		Classes: 1000, Train: 1_281_167, Test: 50_000, Template: plain,
	},
	{
		Kind: "caltech101", Name: "Caltech101", Folder: "caltech-101", Images: "101_ObjectCategories",
		Split: "split_zhou_Caltech101.json", Download: drive + "1hyarUivQE36mY6jSomru6Fjd-JzwcCzN",
		Classes: 100, Train: 4128, Val: 1649, Test: 2465, Template: plain,
		ClassName: renamed(map[string]string{"airplanes": "airplane", "Faces": "face", "Leopards": "leopard", "Motorbikes": "motorbike"}),
		Tree:      TreeFolder, Ignored: []string{"BACKGROUND_Google", "Faces_easy"},
	},
	{
		Kind: "dtd", Name: "DTD", Folder: "dtd", Images: "images",
		Split: "split_zhou_DescribableTextures.json", Download: drive + "1u3_QfB467jqHgNXC00UIzbLZRQCg2S7x",
		Classes: 47, Train: 2820, Val: 1128, Test: 1692, Template: "{} texture.", Tree: TreeFolder,
	},
	{
		Kind: "eurosat", Name: "EuroSAT", Folder: "eurosat", Images: "2750",
		Split: "split_zhou_EuroSAT.json", Download: drive + "1Ip7yaCWFi0eaOFUGga0lUdVi_DDQth1o",
		Classes: 10, Train: 13_500, Val: 5400, Test: 8100, Template: "a centered satellite photo of {}.",
		ClassName: renamed(map[string]string{
			"AnnualCrop": "Annual Crop Land", "HerbaceousVegetation": "Herbaceous Vegetation Land", "Highway": "Highway or Road",
			"Industrial": "Industrial Buildings", "Pasture": "Pasture Land", "PermanentCrop": "Permanent Crop Land",
			"Residential": "Residential Buildings", "SeaLake": "Sea or Lake",
		}),
		Tree: TreeFolder,
	},
	{
		Kind: "fgvc_aircraft", Name: "FGVCAircraft", Folder: "fgvc_aircraft", Images: "images",
		Download: "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz",
		Classes:  100, Train: 3334, Val: 3333, Test: 3333, Template: "a photo of a {}, a type of aircraft.",
	},
	{
		Kind: "food101", Name: "Food101", Folder: "food-101", Images: "images",
		Split: "split_zhou_Food101.json", Download: drive + "1QK0tGi096I0Ba6kggatX1ee6dJFIcEJl",
		Classes: 101, Train: 50_500, Val: 20_200, Test: 30_300, Template: "a photo of {}, a type of food.", Tree: TreeFolder,
	},
	{
		Kind: "oxford_flowers", Name: "Flowers102", Folder: "oxford_flowers", Images: "jpg",
		Split: "split_zhou_OxfordFlowers.json", Download: drive + "1Pp0sRXzZFZq15zVOzKjKBu4A9i01nozT",
		Classes: 102, Train: 4093, Val: 1633, Test: 2463, Template: "a photo of a {}, a type of flower.",
	},
	{
		Kind: "oxford_pets", Name: "OxfordPets", Folder: "oxford_pets", Images: "images",
		Split: "split_zhou_OxfordPets.json", Download: drive + "1501r8Ber4nNKvmlFVQZ8SeUHTcdTTEqs",
		Classes: 37, Train: 2944, Val: 736, Test: 3669, Template: "a photo of a {}, a type of pet.", ClassName: lower, Tree: TreeStem,
	},
	{
		Kind: "sun397", Name: "SUN397", Folder: "sun397", Images: "SUN397",
		Split: "split_zhou_SUN397.json", Download: drive + "1y2RD81BYuiyvebdN-JymPfyWYcd8_MUq",
		Classes: 397, Train: 15_880, Val: 3970, Test: 19_850, Template: plain, ClassName: reversed, Tree: TreeLetters,
	},
	{
		Kind: "stanford_cars", Name: "StanfordCars", Folder: "stanford_cars",
		Split: "split_zhou_StanfordCars.json", Download: drive + "1ObCFbaAgVu0I-k_Au-gIUcefirdAuizT",
		Classes: 196, Train: 6509, Val: 1635, Test: 8041, Template: plain, ClassName: yearInFront,
	},
	{
		Kind: "ucf101", Name: "UCF101", Folder: "ucf101", Images: "UCF-101-midframes",
		Split: "split_zhou_UCF101.json", Download: drive + "1I0S0q91hJfsV9Gf4xDIjgDq4AqBNJb1y",
		Classes: 101, Train: 7639, Val: 1898, Test: 3783, Template: "a photo of a person doing {}.", ClassName: separated, Tree: TreeFolder,
	},
}

// ByKind returns the layout of a dataset.kind.
func ByKind(kind string) (Layout, bool) {
	if i := slices.IndexFunc(all, func(l Layout) bool { return l.Kind == kind }); i >= 0 {
		return all[i], true
	}
	return Layout{}, false
}

// Kinds are those of all layouts, in the order of the paper's tables.
func Kinds() []string {
	kinds := make([]string, len(all))
	for i, l := range all {
		kinds[i] = l.Kind
	}
	return kinds
}

// Call applies the rule for class names.
func (l Layout) Call(raw string) string {
	if l.ClassName == nil {
		return raw
	}
	return l.ClassName(raw)
}

// Official says what the official split holds.
func (l Layout) Official() string {
	return fmt.Sprintf("%d classes, %d training, %d validation, %d test pictures", l.Classes, l.Train, l.Val, l.Test)
}
