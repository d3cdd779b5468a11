package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const exampleFile = "../../config.example.yaml"

func example(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// withURL gives the example the one value that it leaves open.
func withURL(text string) string {
	return strings.Replace(text, `url: ""`, `url: "https://api.chatshipper.com"`, 1)
}

func TestTheExampleShowsTheDefaults(t *testing.T) {
	c, want := parse(t, withURL(example(t)), environment()), Default()
	want.Upstream.URL = "https://api.chatshipper.com"
	if !reflect.DeepEqual(values(c), want) {
		t.Errorf("the example shows other values than the defaults:\n got %+v\nwant %+v", values(c), want)
	}
}

func TestTheExampleHasEveryKeyInOrder(t *testing.T) {
	var got, want []string
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(example(t)), &root); err != nil {
		t.Fatal(err)
	}
	nodePaths(root.Content[0], "", &got)
	typePaths(reflect.TypeFor[Config](), "", &want)
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("the example has other keys than the code:\n got\n%s\n\nwant\n%s", g, w)
	}
}

func nodePaths(node *yaml.Node, path string, into *[]string) {
	for i := 0; node.Kind == yaml.MappingNode && i < len(node.Content); i += 2 {
		at := join(path, node.Content[i].Value)
		*into = append(*into, at)
		nodePaths(node.Content[i+1], at, into)
	}
}

func typePaths(of reflect.Type, path string, into *[]string) {
	if of.Kind() != reflect.Struct {
		return
	}
	for i, key := range keysOf(of) {
		at := join(path, key)
		*into = append(*into, at)
		typePaths(of.Field(i).Type, at, into)
	}
}

// Every key of the example is explained on its own line.
func TestTheExampleExplainsEveryKey(t *testing.T) {
	value := regexp.MustCompile(`^ *[a-z0-9_]+: [^#]`)
	for i, line := range strings.Split(example(t), "\n") {
		if value.MatchString(line) && !strings.Contains(line, " # ") {
			t.Errorf("line %d has no explanation: %s", i+1, line)
		}
	}
}

var (
	listLine = regexp.MustCompile(`^( *)([a-z_]+:) \[.*\] *#`)
	itemLine = regexp.MustCompile(`^ *# - `)
)

// uncomment turns every list of the example into one of the items that stand in
// the comments below it.
func uncomment(text string) (yes string, items int) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		list := listLine.FindStringSubmatch(lines[i])
		if list == nil || i+1 >= len(lines) || !itemLine.MatchString(lines[i+1]) {
			continue
		}
		lines[i] = list[1] + list[2]
		for ; itemLine.MatchString(lines[i+1]); i++ {
			lines[i+1] = strings.Replace(lines[i+1], "# - ", "- ", 1)
			items++
		}
	}
	return strings.Join(lines, "\n"), items
}

// The items of lists, which stand in comments, are right too, and together they
// show every key of an item.
func TestTheExampleShowsWhatListsHold(t *testing.T) {
	text, items := uncomment(example(t))
	if shown := strings.Count(example(t), "# - {") + strings.Count(example(t), "# - 1") + strings.Count(example(t), "# - redis"); items != shown {
		t.Errorf("%d items stand below a list, but %d in all", items, shown)
	}
	c := parse(t, withURL(text), environment())
	itemsOf(t, reflect.ValueOf(c).Elem(), "")
}

func itemsOf(t *testing.T, block reflect.Value, path string) {
	t.Helper()
	for i, key := range keysOf(block.Type()) {
		field, at := block.Field(i), join(path, key)
		switch {
		case field.Kind() == reflect.Struct:
			itemsOf(t, field, at)
		case field.Kind() == reflect.Slice && field.Len() == 0:
			t.Errorf("no item of %s is shown", at)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for j, name := range keysOf(field.Type().Elem()) {
				if !shownInSome(field, j) {
					t.Errorf("no item of %s shows the key %s", at, name)
				}
			}
		}
	}
}

func shownInSome(list reflect.Value, field int) bool {
	for i := range list.Len() {
		if !list.Index(i).Field(field).IsZero() {
			return true
		}
	}
	return false
}
