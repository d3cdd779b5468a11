package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// option is a flag as a command's usage shows it: --config FILE. A test holds the
// usage to the flags that the command takes.
var option = regexp.MustCompile(`--([a-z-]+)( [A-Z]+)?`)

// options lists a command's flags, and whether each takes a value.
func (c command) options() (names []string, takesValue map[string]bool) {
	takesValue = make(map[string]bool)
	for _, m := range option.FindAllStringSubmatch(c.usage, -1) {
		names = append(names, "--"+m[1])
		takesValue["--"+m[1]] = m[2] != ""
	}
	return names, takesValue
}

// runCompletion prints what makes a shell complete commands, flags and files.
func runCompletion(_ context.Context, args []string, c console) error {
	fs := flag.NewFlagSet("completion", flag.ContinueOnError)
	shell := fs.String("shell", "", "the `SHELL`: bash, zsh or fish")
	if err := parseFlags(fs, args, c); err != nil {
		return err
	}
	write, ok := map[string]func(io.Writer) error{"bash": completeBash, "zsh": completeZsh, "fish": completeFish}[*shell]
	if !ok {
		return usageError("gateway completion: --shell bash, zsh or fish is required")
	}
	return write(c.out)
}

func completeBash(w io.Writer) error {
	var names []string
	var cases strings.Builder
	for _, cmd := range commands() {
		names = append(names, cmd.name)
		flags, _ := cmd.options()
		fmt.Fprintf(&cases, "\t%s) words=%q ;;\n", cmd.name, strings.Join(append(flags, "--help"), " "))
	}
	_, err := fmt.Fprintf(w, `# bash completion of gateway
_gateway() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "%s help" -- "$current")
		return
	fi
	case $previous in
	--config) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
	--shell) mapfile -t COMPREPLY < <(compgen -W "bash zsh fish" -- "$current"); return ;;
	esac
	case ${COMP_WORDS[1]} in
%s	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _gateway gateway
`, strings.Join(names, " "), cases.String())
	return err
}

func completeZsh(w io.Writer) error {
	var names, cases strings.Builder
	for _, cmd := range commands() {
		fmt.Fprintf(&names, "\t\t'%s:%s'\n", cmd.name, quoteless(cmd.help))
		flags, takesValue := cmd.options()
		fmt.Fprintf(&cases, "\t%s) _arguments", cmd.name)
		for _, name := range flags {
			fmt.Fprintf(&cases, " '%s%s'", name, map[string]string{"--config": ":file:_files", "--shell": ":shell:(bash zsh fish)"}[name])
			if takesValue[name] && name != "--config" && name != "--shell" {
				cases.WriteString("':value:'")
			}
		}
		cases.WriteString(" '--help' ;;\n")
	}
	_, err := fmt.Fprintf(w, `#compdef gateway
_gateway() {
	local -a commands
	commands=(
%s	)
	if (( CURRENT == 2 )); then
		_describe command commands
		return
	fi
	local command=$words[2]
	(( CURRENT-- ))
	shift words
	case $command in
%s	esac
}
_gateway "$@"
`, names.String(), cases.String())
	return err
}

func completeFish(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# fish completion of gateway\ncomplete -c gateway -f\n")
	for _, cmd := range commands() {
		fmt.Fprintf(&b, "complete -c gateway -n __fish_use_subcommand -a %s -d '%s'\n", cmd.name, quoteless(cmd.help))
		flags, takesValue := cmd.options()
		for _, name := range flags {
			fmt.Fprintf(&b, "complete -c gateway -n '__fish_seen_subcommand_from %s' -l %s", cmd.name, strings.TrimPrefix(name, "--"))
			switch {
			case name == "--config":
				b.WriteString(" -r -F")
			case name == "--shell":
				b.WriteString(" -x -a 'bash zsh fish'")
			case takesValue[name]:
				b.WriteString(" -x")
			}
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quoteless makes a sentence fit for single quotes.
func quoteless(s string) string { return strings.NewReplacer("'", "’", ":", ",").Replace(s) }
