package bench

import (
	"fmt"
	"strings"
)

// Names that are made have one to three words, as ImageNet's do: an animal, one
// with how it looks, one with where it lives.
const (
	looks   = "arctic banded bearded black blue brown crested dwarf giant golden great grey hooded little long-tailed painted red ringed silver spotted striped tufted white yellow"
	places  = "african alpine american asian atlantic australian chinese coastal desert european forest himalayan indian island japanese mountain northern pacific river southern"
	animals = "albatross alligator antelope badger barracuda bat bear beaver bison boar buffalo bullfrog butterfly buzzard camel capybara cheetah chimpanzee cobra cockatoo " +
		"cormorant coyote crab crane cricket crocodile crow deer dingo dolphin dragonfly duck eagle elephant elk falcon ferret finch flamingo fox gazelle gecko giraffe goose " +
		"gorilla grasshopper grouse hare hawk hedgehog heron hippopotamus hornbill hummingbird hyena ibex iguana jackal jaguar jay jellyfish kangaroo kingfisher koala lemur " +
		"leopard lizard llama lobster lynx macaw magpie mongoose moose octopus orangutan osprey ostrich otter owl panther parrot partridge pelican penguin porcupine puffin " +
		"python rabbit raccoon salamander scorpion seal shark squirrel stork tortoise toucan turtle viper vulture walrus weasel wolf woodpecker zebra"
)

// ClassNames makes n different names, always the same ones.
func ClassNames(n int) ([]string, error) {
	looks, places, animals := strings.Fields(looks), strings.Fields(places), strings.Fields(animals)
	// The i-th of each kind; neighbours in a list share no word.
	kinds := [3]struct {
		there, taken int
		name         func(i int) string
	}{
		{len(animals), 0, func(i int) string { return animals[i] }},
		{len(animals) * len(looks), 0, func(i int) string {
			return looks[(i+i/len(animals))%len(looks)] + " " + animals[i%len(animals)]
		}},
		{len(animals) * len(looks) * len(places), 0, func(i int) string {
			animal, rest := i%len(animals), i/len(animals)
			return places[(animal+rest)%len(places)] + " " + looks[(animal+rest/len(places))%len(looks)] + " " + animals[animal]
		}},
	}
	most := kinds[0].there + kinds[1].there + kinds[2].there
	if n < 1 || n > most {
		return nil, fmt.Errorf("%d class names cannot be made, want 1 to %d", n, most)
	}
	names := make([]string, n)
	for i := range names {
		k := [8]int{0, 1, 0, 1, 1, 0, 1, 2}[i%8]
		for kinds[k].taken == kinds[k].there {
			k = (k + 1) % len(kinds)
		}
		names[i] = kinds[k].name(kinds[k].taken)
		kinds[k].taken++
	}
	return names, nil
}

// Templates makes n different templates, always the same ones, as those that CLIP
// was published with; the first is its "a photo of a {}.".
func Templates(n int) ([]string, error) {
	kinds := strings.Fields("photo picture drawing painting sketch sculpture rendering print close-up cartoon")
	kind := func(i int) string { return kinds[i%len(kinds)] }
	looks := strings.Fields("good bad small large blurry bright dark")
	most := len(kinds) * (1 + len(looks))
	if n < 1 || n > most {
		return nil, fmt.Errorf("%d templates cannot be made, want 1 to %d", n, most)
	}
	templates := make([]string, n)
	for i := range templates {
		if i < len(kinds) {
			templates[i] = "a " + kind(i) + " of a {}."
		} else {
			templates[i] = "a " + looks[i/len(kinds)-1] + " " + kind(i) + " of a {}."
		}
	}
	return templates, nil
}
