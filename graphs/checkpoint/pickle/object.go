package pickle

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// object carries out the operations that would name, call and fill objects.
func (m *machine) object(op byte) error {
	switch op {
	case opGlobal:
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.global(module, name)
	case opStackGlobal:
		names, err := m.popN(2)
		if err != nil {
			return err
		}
		module, isText := names[0].(string)
		name, isAlsoText := names[1].(string)
		if !isText || !isAlsoText {
			return errors.New("the name of a class is not a string")
		}
		return m.global(module, name)
	case opBuild:
		return m.build()
	}
	operands, err := m.popN(2) // REDUCE and NEWOBJ: a class and its arguments
	if err != nil {
		return err
	}
	class, isClass := operands[0].(Global)
	args, isTuple := operands[1].(Tuple)
	if !isClass || !isTuple {
		return fmt.Errorf("a %T is called with a %T", operands[0], operands[1])
	}
	m.push(&Object{Class: class, Args: args})
	return nil
}

func (m *machine) global(module, name string) error {
	global := Global{Module: module, Name: name}
	if m.options.Allow == nil || !m.options.Allow(global) {
		return &GlobalError{Module: module, Name: name, Offset: m.start}
	}
	m.push(global)
	return nil
}

func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	object, ok := target.(*Object)
	if !ok {
		return fmt.Errorf("a %T is given the state of an object", target)
	}
	if object.State != nil {
		return errors.New("an object is given its state twice")
	}
	object.State = state
	return nil
}

// line reads text up to the end of the line.
func (m *machine) line() (string, error) {
	rest := m.data[m.next:]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		return "", errEnd
	}
	m.next += n + 1
	if !utf8.Valid(rest[:n]) {
		return "", errors.New("a name is not UTF-8")
	}
	return string(rest[:n]), nil
}
