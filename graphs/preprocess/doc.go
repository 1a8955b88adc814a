// Package preprocess is the room where a picture's file becomes the numbers
// that an image encoder sees: decoding, then resizing, cropping, colour
// conversion and normalisation, as open_clip does them with Pillow and
// torchvision in its evaluation transform.
//
// Every step is Pillow's own arithmetic, because a model's published accuracy
// was measured behind it. Three habits of that transform are easy to miss:
//
//   - The picture is resized in the mode that its file has, and converted to
//     RGB only afterwards. So a palette picture is resized by nearest neighbour,
//     one with alpha premultiplied, CMYK as four inks, 16-bit grey in 16 bits.
//   - convert("RGB") drops alpha (nothing is composited) and clips 16-bit grey
//     at 255 (nothing is scaled).
//   - EXIF orientation is ignored; only TIFF's own orientation tag is heeded.
//
// # What equals Pillow 13
//
// Bit for bit: PNG of every colour type and depth, GIF (first frame), BMP, TIFF,
// WebP (lossy, lossless, with alpha; of an animation the first frame), resizing
// and normalising; and, in the build with TensorFlow, JPEG: grey, YCbCr and RGB,
// baseline and progressive, at every subsampling.
//
// Not bit for bit:
//
//   - CMYK and YCCK JPEG: inverse DCT by image/jpeg, everything behind it (chroma
//     upsampling, YCCK, inks) as in libjpeg-turbo. Some 3 % of the samples differ,
//     by at most 2 of 255 levels.
//   - Every JPEG in the build without TensorFlow: the same, by at most 3 levels.
//   - Big-endian 16-bit grey TIFF: Pillow swaps its bytes while resizing, which is
//     not copied.
//   - Pillow before 13, for pictures about twice as tall as wide: it resized them
//     horizontally first, Pillow 13 does vertically; up to 3 levels lie between.
//
// Not read: JPEG with other than 8 bits a sample, four-component JPEG whose inks
// are subsampled otherwise than the middle two by halves both ways, TIFF in CMYK,
// YCbCr or separate planes, run-length and 16-bit BMP. These are ErrUnsupported.
//
// A damaged JPEG is decoded, or refused, just as by Pillow. Of the other formats
// some damage is refused that Pillow lives with, as a PNG without its last chunk.
package preprocess
