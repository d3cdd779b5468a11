package main

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// flagsOf runs a command's --help and returns the flags that it names.
func flagsOf(t *testing.T, cmd command) []string {
	t.Helper()
	var out bytes.Buffer
	err := cmd.run(t.Context(), []string{"--help"}, console{&out, &out})
	if err == nil || err.Error() != "" {
		t.Fatalf("gateway %s --help: %v", cmd.name, err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(out.String(), -1) {
		names = append(names, "--"+m[1])
	}
	slices.Sort(names)
	return names
}

// Help, completions and the manual page are all made of the usage.
func TestTheUsageOfEveryCommandIsItsFlags(t *testing.T) {
	for _, cmd := range commands() {
		names, _ := cmd.options()
		slices.Sort(names)
		if want := flagsOf(t, cmd); !slices.Equal(names, want) {
			t.Errorf("gateway %s takes %v, but its usage says %v", cmd.name, want, names)
		}
	}
}

// complete asks bash what it would offer for a line.
func complete(t *testing.T, line string) string {
	t.Helper()
	var script bytes.Buffer
	if err := completeBash(&script); err != nil {
		t.Fatal(err)
	}
	script.WriteString(`
read -ra COMP_WORDS <<<"$LINE"
[[ $LINE == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_gateway
echo "${COMPREPLY[@]}"
`)
	cmd := exec.Command("bash", "-eu")
	cmd.Stdin, cmd.Env = &script, []string{"LINE=" + line, "PATH=/usr/bin:/bin"}
	cmd.Dir = "testdata"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestBashCompletes(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		if got := complete(t, line); got != want {
			t.Errorf("%q is completed with %q, want %q", line, got, want)
		}
	}
	f("gateway ch", "check")
	f("gateway h", "healthcheck help")
	f("gateway check --o", "--online")
	f("gateway check ", "--online --config --help")
	f("gateway run --config scr", "script")
	f("gateway completion --shell z", "zsh")
	f("gateway nothing ", "")
}

func TestEveryShellKnowsEveryCommand(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out bytes.Buffer
		if err := runCompletion(t.Context(), []string{"--shell", shell}, console{&out, &out}); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range commands() {
			names, _ := cmd.options()
			for _, word := range append(names, cmd.name) {
				if !strings.Contains(out.String(), strings.TrimPrefix(word, "--")) {
					t.Errorf("%s knows nothing of %s", shell, word)
				}
			}
		}
	}
}

// mandoc prints nothing about a page that is right.
func TestTheManualPageIsRight(t *testing.T) {
	var page bytes.Buffer
	if err := printManual(&page); err != nil {
		t.Fatal(err)
	}
	lint := exec.Command("mandoc", "-Tlint", "-Wwarning")
	lint.Stdin = bytes.NewReader(page.Bytes())
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
	for _, cmd := range commands() {
		if !strings.Contains(page.String(), "\n.It Cm "+cmd.name+"\n") {
			t.Errorf("the page says nothing of %s", cmd.name)
		}
	}
}
