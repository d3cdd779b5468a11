package config

import (
	"reflect"
)

// Places knows where the values of a file stand.
type Places struct{ origins origins }

// Line is the line, from 1, of the value at a path such as cases[2].timeline[0],
// or of the block that it belongs to.
func (p Places) Line(path string) int { return p.origins.nearest(path).line }

// Decode reads another YAML file of the gateway's, such as the cases of
// `gateway test`, as strictly as a configuration: into points to a struct of
// the kinds that a configuration is made of, filled with its defaults. When it
// has a method Validate, as the blocks of a configuration have, that is asked
// too. The name stands for the file in mistakes; every error is a *Mistakes.
func Decode(name string, data []byte, into any, getenv func(string) (string, bool)) (Places, error) {
	l := &loader{file: name, getenv: getenv, origins: make(origins), given: make(map[string]string)}
	if root, ok := l.document(data); ok {
		l.decode(root, reflect.ValueOf(into).Elem())
		if block, ok := into.(room); ok {
			block.Validate(l.report)
		}
	}
	if len(l.list) > 0 {
		return Places{}, l.mistakes()
	}
	return Places{l.origins}, nil
}

// DecodeFile is Decode for the file at path.
func DecodeFile(path string, into any, getenv func(string) (string, bool)) (Places, error) {
	data, err := readFile(path)
	if err != nil {
		return Places{}, &Mistakes{List: []Mistake{{File: path, Problem: "cannot read the file: " + err.Error()}}}
	}
	return Decode(path, data, into, getenv)
}
