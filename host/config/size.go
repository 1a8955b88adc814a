package config

import (
	"fmt"
	"math"
	"math/big"
	"strings"
)

// Size is a number of bytes, written as a number or with a unit: 256MiB, 1.5GB.
type Size int64

// units of a size, the binary ones from the largest.
var units = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
}

// ParseSize reads a size: a decimal number, and a unit or none (bytes).
func ParseSize(text string) (Size, error) {
	number, unit := text, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = strings.TrimRight(rest, " "), u.bytes
			break
		}
	}
	if number == "" || len(number) > 32 || strings.Trim(number, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is no size", text)
	}
	bytes, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, fmt.Errorf("%q is no size", text)
	}
	bytes.Mul(bytes, new(big.Rat).SetInt64(unit))
	if !bytes.IsInt() {
		return 0, fmt.Errorf("%q is no whole number of bytes", text)
	}
	if !bytes.Num().IsInt64() {
		return 0, fmt.Errorf("%q is more than %d bytes", text, int64(math.MaxInt64))
	}
	return Size(bytes.Num().Int64()), nil
}

// String writes the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range units[:4] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%d", int64(s))
}
