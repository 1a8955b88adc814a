package dataset

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxObject bounds a line of a JSONL table, in bytes; other keys may be long.
const maxObject = 1 << 20

// parseObjects reads a JSONL table, {"path": …, "label": …, "split": …} a line;
// other keys and blank lines are left out.
func parseObjects(file string, r io.Reader, found *faults) (all []listed, split bool) {
	lines := bufio.NewScanner(skipByteOrderMark(r))
	lines.Buffer(nil, maxObject)
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		var object struct {
			Path, Split *string
			Label       json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			found.add(at(file, number), `want an object {"path": "a.jpg", "label": "cat"} of one line: %s`, objectFault(line, err))
			continue
		}
		label, ok := labelText(object.Label)
		switch {
		case object.Path == nil:
			found.add(at(file, number), "has no key %s", pathColumn)
			continue
		case !ok:
			found.add(at(file, number), "the label %s is neither a string nor a whole number", object.Label)
			continue
		}
		l := listed{line: number, path: *object.Path, label: strings.TrimSpace(label)}
		if object.Split != nil {
			l.split, split = *object.Split, true
		}
		all = append(all, l)
	}
	if err := lines.Err(); err != nil {
		found.add(at(file, number+1), "%v", err)
	}
	return all, split
}

// objectFault says what is wrong with a line, in terms of JSON and not of the program.
func objectFault(line string, err error) string {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Sprintf("its %s is of type %s", strings.ToLower(wrong.Field), wrong.Value)
	case strings.HasPrefix(line, "["):
		return "this begins an array"
	case errors.As(err, &wrong):
		return fmt.Sprintf("this is of type %s", wrong.Value)
	}
	return err.Error()
}

// labelText is a label as its text; numbers are taken as they are written.
func labelText(value json.RawMessage) (text string, ok bool) {
	switch {
	case len(value) == 0 || string(value) == "null":
		return "", true
	case value[0] == '"':
		return text, json.Unmarshal(value, &text) == nil
	}
	return string(value), strings.Trim(string(value), "0123456789") == ""
}
