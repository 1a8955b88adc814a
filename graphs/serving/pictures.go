package serving

import (
	"fmt"

	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"

	"github.com/upl-host/upl-host/graphs"
)

// What a file's first bytes say about how it is decoded and resized. open_clip
// resizes a picture before it converts it to RGB, so that the kind of the file
// decides: Pillow takes the nearest of a palette's pixels, and weighs colours
// with their alpha. The expressions are RE2's, over headBytes; \C is any byte.
const (
	headBytes = 26
	// GIF; PNG of one bit or with a palette.
	indexedHead = `GIF8\C*|\CPNG\C{20}(\x01\x00|\C\x03)`
	// PNG of colour type 4 or 6; WebP whose header has the alpha flag (0x10, of
	// flags up to 0x3f), or lossless, after 14 bits each of width and height.
	alphaHead = `\CPNG\C{21}[\x04\x06]|RIFF\C{4}WEBP(VP8X\C{4}[\x10-\x1f\x30-\x3f]|VP8L\C{8}[\x10-\x1f])\C*`
)

// pictureFunctions are TensorFlow functions that turn one encoded picture, a
// string, into the square that the model sees, uint8 [S, S, 3]. The last one is
// called, the others it calls.
//
// They follow package preprocess as closely as TensorFlow's decoders allow.
func pictureFunctions(c graphs.Config) ([]*functionpb.FunctionDef, error) {
	resampling := map[string]string{"bicubic": "keyscubic", "bilinear": "triangle"}[c.Interpolation]
	if resampling == "" {
		return nil, fmt.Errorf("interpolation %q cannot be served; bicubic and bilinear can", c.Interpolation)
	}
	anyFormat := func(channels int) attributes {
		return attributes{"channels": channels, "dtype": uint8s, "expand_animations": false}
	}
	var functions []*functionpb.FunctionDef
	var names []functionName
	for _, kind := range []struct {
		name, decoder string
		attributes    attributes
		square        func(picture, tensor) tensor
	}{
		{"upl_picture", "DecodeImage", anyFormat(3), picture.opaque},
		// DecodeImage takes the fast cosine transform for JPEG, some levels off.
		{"upl_jpeg", "DecodeJpeg", attributes{"channels": 3, "dct_method": "INTEGER_ACCURATE"}, picture.opaque},
		{"upl_indexed", "DecodeImage", anyFormat(3), picture.indexed},
		{"upl_transparent", "DecodeImage", anyFormat(4), picture.transparent},
	} {
		p := picture{nodes: &nodes{body: true}, Config: c, resampling: resampling}
		file := tensor{"bytes", text}
		square := kind.square(p, p.op(kind.decoder, "image", uint8s, kind.attributes, file))
		f, err := p.function(kind.name, file, p.reshape(p.cast(square, uint8s), p.size(), p.size(), 3))
		if err != nil {
			return nil, err
		}
		functions, names = append(functions, f), append(names, functionName(f.GetSignature().GetName()))
	}
	whole, err := dispatch(names, c.ImageSize)
	return append(functions, whole), err
}

// dispatch is the function that calls the one for a file's kind: opaque, JPEG,
// indexed or transparent. It is the decoders' affair to refuse what is no picture.
func dispatch(kinds []functionName, size int) (*functionpb.FunctionDef, error) {
	n := &nodes{body: true}
	file := tensor{"bytes", text}
	head := func(length int32) tensor {
		return n.op("Substr", "output", text, attributes{"T": int32s}, file, n.constant(scalar(int32(0))), n.constant(scalar(length)))
	}
	matches := func(pattern string) tensor {
		return n.op("StaticRegexFullMatch", "output", boolean, attributes{"pattern": pattern}, head(headBytes))
	}
	isJPEG := n.op("Equal", "z", boolean, attributes{"T": text}, head(3), n.constant(scalar("\xff\xd8\xff")))
	index := n.cast(isJPEG, int32s)
	for i, is := range []tensor{matches(indexedHead), matches(alphaHead)} {
		index = n.binary("AddV2", index, n.binary("Mul", n.cast(is, int32s), n.constant(scalar(int32(i+2)))))
	}
	square := n.op("StatelessCase", "output", uint8s, attributes{
		"Tin": []kind{text}, "Tout": []kind{uint8s}, "branches": kinds,
		"output_shapes": []*shapepb.TensorShapeProto{shape(size, size, 3)},
	}, index, file)
	return n.function("upl_square", file, square)
}
