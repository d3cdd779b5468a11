package main

import (
	"context"
	"flag"
	"io"
	"regexp"
	"strings"
)

// manual is the frame of the manual page, in the mdoc language. SYNOPSES and
// COMMANDS stand for what the commands say of themselves.
const manual = `.Dd $Mdocdate$
.Dt GATEWAY 1
.Os
.Sh NAME
.Nm gateway
.Nd edge gateway for the ChatShipper API
.Sh SYNOPSIS
SYNOPSES
.Sh DESCRIPTION
.Nm
stands between bots and the ChatShipper HTTP API and enforces its documented
rules: requests per address and per key, identical and consecutive messages of a
bot, the methods, and one JSON shape for every error.
.Pp
The commands are:
.Bl -tag -width healthcheck
COMMANDS
.El
.Pp
While it runs,
.Dv SIGTERM
and
.Dv SIGINT
make it drain and end, a second one makes it end at once, and
.Dv SIGHUP
reloads the configuration.
.Sh ENVIRONMENT
A value of the configuration may name any variable as ${NAME}.
.Bl -tag -width NOTIFY_SOCKET
.It Ev GOMEMLIMIT
memory that the program tries to stay below, such as 230MiB
.It Ev NOTIFY_SOCKET , LISTEN_FDS , WATCHDOG_USEC
set by
systemd
.El
.Sh FILES
.Bl -tag -width /etc/gateway/gateway.yaml
.It Pa /etc/gateway/gateway.yaml
the configuration that the packaged service reads
.El
.Sh EXIT STATUS
.Bl -tag -width 78
.It 0
fine, a drained signal included
.It 1
the run failed, or what was asked for is not the case
.It 2
the command line was wrong
.It 78
the configuration is wrong: starting again will not help
.El
.Sh SEE ALSO
.Lk https://github.com/chatshipper/gateway
`

// runMan prints the manual page.
func runMan(_ context.Context, args []string, c console) error {
	if err := parseFlags(flag.NewFlagSet("man", flag.ContinueOnError), args, c); err != nil {
		return err
	}
	return printManual(c.out)
}

func printManual(w io.Writer) error {
	var synopses, list []string
	for _, cmd := range commands() {
		synopses = append(append(synopses, ".Nm", ".Cm "+cmd.name), macros(cmd.usage)...)
		list = append(list, ".It Cm "+cmd.name, cmd.help)
	}
	frame := strings.NewReplacer("SYNOPSES", strings.Join(synopses, "\n"), "COMMANDS", strings.Join(list, "\n"))
	_, err := frame.WriteString(w, manual)
	return err
}

var usagePart = regexp.MustCompile(`(\[)?--([a-z-]+)(?: ([A-Z]+))?\]?|\|`)

// macros writes a usage such as "[--online] --config FILE" in mdoc.
func macros(usage string) (lines []string) {
	for _, m := range usagePart.FindAllStringSubmatch(usage, -1) {
		line := "Fl -" + m[2]
		switch {
		case m[0] == "|":
			lines = append(lines, `.No \(ba`)
			continue
		case m[3] != "":
			line += " Ar " + strings.ToLower(m[3])
		}
		if m[1] != "" {
			line = "Op " + line
		}
		lines = append(lines, "."+line)
	}
	return lines
}
