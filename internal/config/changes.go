package config

import "reflect"

// Changes lists the paths of the values in which two configurations differ, in
// the order of the documentation. A list counts as one value.
func (c *Config) Changes(other *Config) []string {
	var paths []string
	changes(reflect.ValueOf(c).Elem(), reflect.ValueOf(other).Elem(), "", &paths)
	return paths
}

func changes(a, b reflect.Value, path string, into *[]string) {
	for i, key := range keysOf(a.Type()) {
		x, y, at := a.Field(i), b.Field(i), join(path, key)
		if x.Kind() == reflect.Struct {
			changes(x, y, at, into)
		} else if !reflect.DeepEqual(x.Interface(), y.Interface()) {
			*into = append(*into, at)
		}
	}
}
