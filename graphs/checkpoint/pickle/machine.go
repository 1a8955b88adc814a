package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Opcodes, named as in pickletools.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opDup             = '2'
	opBinFloat        = 'G'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opNone            = 'N'
	opBinPersID       = 'Q'
	opReduce          = 'R'
	opBinString       = 'T'
	opShortBinString  = 'U'
	opBinUnicode      = 'X'
	opAppend          = 'a'
	opBuild           = 'b'
	opGlobal          = 'c'
	opDict            = 'd'
	opAppends         = 'e'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opList            = 'l'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opSetItems        = 'u'
	opEmptyTuple      = ')'
	opEmptyList       = ']'
	opEmptyDict       = '}'
	opProto           = 0x80
	opNewObj          = 0x81
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
)

const highestProtocol = 5

var (
	errEnd   = errors.New("the pickle ends in the middle of an operation")
	errStack = errors.New("an operation finds too little on the stack")
)

type machine struct {
	data        []byte
	start, next int // of the present operation; of what is to be read
	options     Options

	stack []any
	marks []int // stack heights
	memo  map[uint32]any
}

func (m *machine) execute(op byte) error {
	switch op {
	case opProto:
		version, err := m.byte()
		if err == nil && version > highestProtocol {
			err = fmt.Errorf("protocol %d is unknown", version)
		}
		return err
	case opFrame: // a hint for reading from a pipe
		_, err := m.take(8)
		return err
	case opMark:
		m.marks = append(m.marks, len(m.stack))
		return nil
	case opPop:
		_, err := m.pop()
		return err
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		value, err := m.top()
		if err != nil {
			return err
		}
		m.push(value)
		return nil
	case opBinPersID:
		return m.persistent()
	case opGlobal, opStackGlobal, opReduce, opNewObj, opBuild:
		return m.object(op)
	case opAppend, opAppends, opSetItem, opSetItems:
		return m.fill(op)
	case opBinGet, opLongBinGet, opBinPut, opLongBinPut, opMemoize:
		return m.remember(op)
	case opTuple, opTuple1, opTuple2, opTuple3, opList, opDict:
		return m.collect(op)
	}
	value, err := m.literal(op)
	if err != nil {
		return err
	}
	m.push(value)
	return nil
}

// literal reads a value that stands in the pickle itself.
func (m *machine) literal(op byte) (any, error) {
	switch op {
	case opNone:
		return nil, nil
	case opNewTrue:
		return true, nil
	case opNewFalse:
		return false, nil
	case opEmptyTuple:
		return Tuple{}, nil
	case opEmptyList:
		return &List{}, nil
	case opEmptyDict:
		return &Dict{}, nil
	case opBinInt:
		n, err := m.unsigned(4)
		return int64(int32(n)), err
	case opBinInt1:
		n, err := m.unsigned(1)
		return int64(n), err
	case opBinInt2:
		n, err := m.unsigned(2)
		return int64(n), err
	case opLong1:
		return m.long(1)
	case opLong4:
		return m.long(4)
	case opBinFloat:
		raw, err := m.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(raw)), nil
	case opShortBinString, opShortBinUnicode:
		return m.text(1)
	case opBinString, opBinUnicode:
		return m.text(4)
	case opBinUnicode8:
		return m.text(8)
	case opShortBinBytes:
		return m.counted(1)
	case opBinBytes:
		return m.counted(4)
	case opBinBytes8:
		return m.counted(8)
	}
	return nil, fmt.Errorf("opcode 0x%02x is not one that a checkpoint needs", op)
}

func (m *machine) byte() (byte, error) {
	if m.next >= len(m.data) {
		return 0, errEnd
	}
	m.next++
	return m.data[m.next-1], nil
}

// take returns the next n bytes; they share the pickle's memory.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.next) {
		return nil, errEnd
	}
	from := m.next
	m.next += int(n)
	return m.data[from:m.next:m.next], nil
}

// unsigned reads a little-endian number of size bytes.
func (m *machine) unsigned(size uint64) (uint64, error) {
	raw, err := m.take(size)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], raw)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// counted reads bytes behind their count, itself of size bytes.
func (m *machine) counted(size uint64) ([]byte, error) {
	n, err := m.unsigned(size)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

func (m *machine) text(size uint64) (string, error) {
	raw, err := m.counted(size)
	if err == nil && !utf8.Valid(raw) {
		err = errors.New("a string is not UTF-8")
	}
	return string(raw), err
}

// long reads a number in two's complement; int64 if it fits.
func (m *machine) long(size uint64) (any, error) {
	raw, err := m.counted(size)
	if err != nil {
		return nil, err
	}
	if len(raw) > 8 {
		return Long(raw), nil
	}
	var wide [8]byte
	if len(raw) > 0 && raw[len(raw)-1]&0x80 != 0 {
		wide = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	copy(wide[:], raw)
	return int64(binary.LittleEndian.Uint64(wide[:])), nil
}

func (m *machine) push(value any) { m.stack = append(m.stack, value) }

// floor is the height below which the stack belongs to an open mark.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, errStack
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *machine) pop() (any, error) {
	value, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return value, err
}

// popMark takes what lies above the last mark, and the mark. The values stay
// valid until the next push.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("an operation finds no mark")
	}
	height := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	items := m.stack[height:]
	m.stack = m.stack[:height]
	return items, nil
}

// popN takes the n topmost values.
func (m *machine) popN(n int) ([]any, error) {
	height := len(m.stack) - n
	if height < m.floor() {
		return nil, errStack
	}
	items := m.stack[height:]
	m.stack = m.stack[:height]
	return items, nil
}

func (m *machine) persistent() error {
	id, err := m.pop()
	if err != nil {
		return err
	}
	if m.options.Persistent == nil {
		return errors.New("a persistent id where none belongs")
	}
	value, err := m.options.Persistent(id)
	if err != nil {
		return errForeign{err}
	}
	m.push(value)
	return nil
}

// collect makes a container of the values above a mark, or of a few.
func (m *machine) collect(op byte) error {
	var items []any
	var err error
	switch op {
	case opTuple1:
		items, err = m.popN(1)
	case opTuple2:
		items, err = m.popN(2)
	case opTuple3:
		items, err = m.popN(3)
	default:
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	switch op {
	case opList:
		m.push(&List{Items: slices.Clone(items)})
		return nil
	case opDict:
		entries, err := pairs(nil, items)
		if err != nil {
			return err
		}
		m.push(&Dict{Entries: entries})
		return nil
	}
	m.push(append(Tuple{}, items...))
	return nil
}

func pairs(entries []Entry, items []any) ([]Entry, error) {
	if len(items)%2 != 0 {
		return nil, errors.New("a key without a value")
	}
	for i := 0; i < len(items); i += 2 {
		entries = append(entries, Entry{Key: items[i], Value: items[i+1]})
	}
	return entries, nil
}

// fill puts values into the container below them.
func (m *machine) fill(op byte) error {
	var items []any
	var err error
	switch op {
	case opAppend:
		items, err = m.popN(1)
	case opSetItem:
		items, err = m.popN(2)
	default:
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	container, err := m.top()
	if err != nil {
		return err
	}
	if op == opAppend || op == opAppends {
		list, ok := container.(*List)
		if !ok {
			return fmt.Errorf("items are appended to a %T", container)
		}
		list.Items = append(list.Items, items...)
		return nil
	}
	switch container := container.(type) {
	case *Dict:
		container.Entries, err = pairs(container.Entries, items)
	case *Object:
		container.Items, err = pairs(container.Items, items)
	default:
		err = fmt.Errorf("items are set in a %T", container)
	}
	return err
}

func (m *machine) remember(op byte) error {
	var index uint64
	var err error
	switch op {
	case opBinGet, opBinPut:
		index, err = m.unsigned(1)
	case opLongBinGet, opLongBinPut:
		index, err = m.unsigned(4)
	default:
		index = uint64(len(m.memo))
	}
	if err != nil {
		return err
	}
	if op == opBinGet || op == opLongBinGet {
		value, ok := m.memo[uint32(index)]
		if !ok {
			return fmt.Errorf("value %d is recalled and was never remembered", index)
		}
		m.push(value)
		return nil
	}
	value, err := m.top()
	if err != nil {
		return err
	}
	m.memo[uint32(index)] = value
	return nil
}
