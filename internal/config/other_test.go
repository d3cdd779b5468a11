package config

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recipe is a file of another kind than a configuration.
type recipe struct {
	Name  string `yaml:"name"`
	Steps []struct {
		At     time.Duration `yaml:"at"`
		Repeat int           `yaml:"repeat"`
	} `yaml:"steps"`
}

func (r *recipe) Validate(report func(path, problem string)) {
	for i := range r.Steps {
		if r.Steps[i].Repeat < 0 {
			report("steps[1].repeat", "must be at least 0")
		}
	}
}

func TestAnotherFileIsReadAsStrictlyAsAConfiguration(t *testing.T) {
	var r recipe
	places, err := Decode("r.yaml", []byte("name: soup\nsteps:\n  - at: 1s\n  - {at: 2s, repeat: 3}\n"), &r, environment())
	if err != nil || r.Name != "soup" || len(r.Steps) != 2 || r.Steps[1].At != 2*time.Second || r.Steps[1].Repeat != 3 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if line := places.Line("steps[1]"); line != 4 {
		t.Errorf("the second step stands on line %d, want 4", line)
	}
	f := func(text, want string) {
		t.Helper()
		var r recipe
		if _, err := Decode("r.yaml", []byte(text), &r, environment()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f("nam: soup\n", `r.yaml:1:1: nam: unknown key; did you mean "name"?`)
	f("per_key: 1\n", "r.yaml:1:1: per_key: unknown key; known here are name, steps")
	f("steps:\n  - at: 3\n", `r.yaml:2:9: steps[0].at: expected a duration such as 3m, got "3"; did you mean 3s?`)
	f("steps:\n  - at: 3s\n  - repeat: -1\n", "r.yaml:3:13: steps[1].repeat: must be at least 0")
	if _, err := DecodeFile(filepath.Join(t.TempDir(), "none.yaml"), &r, environment()); err == nil || !strings.Contains(err.Error(), "cannot read the file: no such file") {
		t.Errorf("a missing file: %v", err)
	}
}
