package clip

import (
	"fmt"
	"math"
)

// ImageOperations counts the floating-point operations that the features of one
// picture take at least, two a multiply-add: convolutions, without the zeros
// around the picture, and matrix products. Norms, activations, pooling and softmax
// are left out, and so is what nothing depends on: behind the last attention only
// one row goes on, which alone has a query there, and keys and values need not be
// made for it (see pooling.attend).
func (a Architecture) ImageOperations() int64 {
	if a.ViT != nil {
		return 2 * a.ViT.multiplyAdds(a.ImageSize, a.EmbeddingWidth)
	}
	return 2 * a.ResNet.multiplyAdds(a.ImageSize, a.EmbeddingWidth)
}

func (v ViT) multiplyAdds(size, embedding int) int64 {
	grid := size / v.Patch
	patches := int64(grid * grid)
	rows, width, mlp := patches+1, int64(v.Width), int64(v.MLPWidth)
	// Behind the attention a row has the output projection and the MLP.
	behind := width*width + 2*width*mlp
	layer := rows * (3*width*width + 2*rows*width + behind)
	last := pooled(rows, width) + behind
	return patches*int64(3*v.Patch*v.Patch)*width + int64(v.Layers-1)*layer + last + width*int64(embedding)
}

func (r ResNet) multiplyAdds(size, embedding int) int64 {
	half := r.Width / 2
	n := convolved(size, 3, 2, 3, half)
	size /= 2
	n += convolved(size, 3, 1, half, half) + convolved(size, 3, 1, half, r.Width)
	size /= 2 // pooled
	for _, b := range r.bottlenecks() {
		n += convolved(size, 1, 1, b.in, b.width) + convolved(size, 3, 1, b.width, b.width)
		size /= b.stride
		n += convolved(size, 1, 1, b.width, b.out())
		if b.downsample() {
			n += convolved(size, 1, 1, b.in, b.out())
		}
	}
	rows, width := int64(size*size+1), int64(r.AttentionPoolWidth())
	return n + pooled(rows, width) + width*int64(embedding)
}

// pooled counts the attention of one row to all: three projections of one row, all
// rows' scores and their weighted sum.
func pooled(rows, width int64) int64 { return 3*width*width + 2*rows*width }

// convolved counts a convolution's multiply-adds over a square of a size, padded
// as graph.convolution pads it.
func convolved(size, kernel, stride, in, out int) int64 {
	taps := 0 // along one side: positions that the kernel sees within the picture
	for at := 0; at < size; at += stride {
		for k := at - kernel/2; k <= at+kernel/2; k++ {
			if k >= 0 && k < size {
				taps++
			}
		}
	}
	return int64(taps) * int64(taps) * int64(in) * int64(out)
}

// ImageTower tells the image tower of a model of ours by its variables' shapes,
// as Variables lists them: what ImageOperations needs, heads left open. Of other
// variables the second result is false.
func ImageTower(shapes map[string][]int) (Architecture, bool) {
	known := true
	size := func(name string, axis int) int {
		shape := shapes[name]
		if axis >= len(shape) {
			known = false
			return 0
		}
		return shape[axis]
	}
	count := func(pattern string) int {
		n := 0
		for shapes[fmt.Sprintf(pattern, n)] != nil {
			n++
		}
		known = known && n > 0
		return n
	}
	grid := func(name string) int { return int(math.Round(math.Sqrt(float64(size(name, 0) - 1)))) }
	var a Architecture
	if shapes["visual.proj"] != nil {
		patch := size("visual.conv1.weight", 0)
		a.ViT = &ViT{
			Width: size("visual.proj", 0), Layers: count("visual.transformer.resblocks.%d.ln_1.weight"), Patch: patch,
			MLPWidth: size("visual.transformer.resblocks.0.mlp.c_fc.weight", 0),
		}
		a.ImageSize, a.EmbeddingWidth = patch*grid("visual.positional_embedding"), size("visual.proj", 1)
		return a, known
	}
	a.ResNet = &ResNet{Width: size("visual.conv3.weight", 3)}
	for stage := range a.ResNet.Layers {
		a.ResNet.Layers[stage] = count(fmt.Sprintf("visual.layer%d.", stage+1) + "%d.conv1.weight")
	}
	a.ImageSize, a.EmbeddingWidth = 32*grid("visual.attnpool.positional_embedding"), size("visual.attnpool.c_proj.weight", 0)
	return a, known
}
