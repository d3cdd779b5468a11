package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	getenv := environment("NAME", "value", "EMPTY", "", "_N1", "one", "NESTED", "${NAME}")

	success := func(text, want string, names ...string) {
		t.Helper()
		e := expand(text, getenv)
		if e.text != want || !reflect.DeepEqual(e.names, names) || e.problems != nil {
			t.Errorf("unexpected expansion of %q: %+v", text, e)
		}
	}
	success("", "")
	success("plain", "plain")
	success("${NAME}", "value", "NAME")
	success("<${NAME}/${_N1}>", "<value/one>", "NAME", "_N1")
	success("${EMPTY}", "", "EMPTY")
	success("${NAME:-other}", "value", "NAME")
	success("${NONE:-other}", "other")
	success("${EMPTY:-other}", "other")
	success("${NONE:-}", "")
	success("${NONE:-a:-b $ {c}", "a:-b $ {c")
	success("${NONE:-two\nlines}", "two\nlines")
	success("$${NAME}", "${NAME}")
	success("$$$$", "$$")
	success("$$${NAME}", "$value", "NAME")
	success("$NAME $ 5$", "$NAME $ 5$")
	success("{NAME}", "{NAME}")
	success("${NESTED}", "${NAME}", "NESTED") // what a variable holds is never expanded again

	failure := func(text string, problems ...string) {
		t.Helper()
		e := expand(text, getenv)
		if len(e.problems) != len(problems) {
			t.Errorf("unexpected problems of %q: %q", text, e.problems)
			return
		}
		for i, want := range problems {
			if !strings.Contains(e.problems[i], want) {
				t.Errorf("unexpected problem of %q: %q does not say %q", text, e.problems[i], want)
			}
		}
	}
	failure("${NONE}", "NONE is not set")
	failure("${NONE} ${NOR_THIS}", "NONE is not set", "NOR_THIS is not set")
	failure("${NAME", "never closed")
	failure("${", "never closed")
	failure("${}", "expected ${NAME}")
	failure("${1A}", "expected ${NAME}")
	failure("${NAME-x}", "expected ${NAME}")
	failure("${NAME:?x}", "expected ${NAME}")
	failure("${ NAME }", "expected ${NAME}")
	failure("${NONE:-${NAME}}", "expected ${NAME}")
}

// Whatever a variable holds is the value of its key: it can't end the value,
// begin a comment or add a key.
func TestAVariableCannotInjectYAML(t *testing.T) {
	for _, value := range []string{
		"a: b", "a # b", "# a", "a\nadmin:\n  pprof: true", "a\r\nb", `"`, "'", "[a, b]", "{a: b}", "*a", "&a", "!a",
		"- a", "|", ">", "%", "@", "`", "---", "...", "null", "~", "true", "020", "a, pprof: true}", "${NAME}", "$$", "\t", "\u2028", "",
	} {
		getenv := environment("VALUE", value)
		for _, text := range []string{
			"${VALUE}", `"${VALUE}"`, "'${VALUE}'", "&anchor ${VALUE}", "|-\n      ${VALUE}",
		} {
			c := parse(t, smallest+"store:\n  redis:\n    username: "+text+"\n", getenv)
			if c.Store.Redis.Username != value || c.Admin.Pprof {
				t.Errorf("unexpected value of %s with %q: %q", text, value, c.Store.Redis.Username)
			}
		}
	}
}

func TestAVariableBecomesWhatItsKeyHolds(t *testing.T) {
	getenv := environment("N", "7", "B", "true", "D", "90s", "S", "2MiB", "M", "shadow", "F", "0.5")
	c := parse(t, smallest+`
listen: {max_connections: "${N}", max_body_bytes: "${S}", idle_timeout: "${D}"}
admin: {pprof: "${B}"}
limits: {per_ip: {mode: "${M}", requests: "1${N}"}}
tracing: {sample_ratio: "${F}"}
methods: {allow: ["${METHOD:-GET}", POST]}
`, getenv)
	if c.Listen.MaxConnections != 7 || c.Listen.MaxBodyBytes != 2<<20 || duration(c.Listen.IdleTimeout) != "90s" ||
		!c.Admin.Pprof || c.Limits.PerIP.Mode.String() != "shadow" || c.Limits.PerIP.Requests != 17 ||
		c.Tracing.SampleRatio != 0.5 || !reflect.DeepEqual(c.Methods.Allow, []string{"GET", "POST"}) {
		t.Errorf("unexpected configuration: %+v", c)
	}
}
