package load

import (
	"strings"
	"testing"
)

func TestTheResultLineIsFoundAmongWhatWrkPrints(t *testing.T) {
	r, err := parse("Running 2s test\n  Requests/sec: 4\n\nresult {\"requests\":8,\"micros\":2000000,\"p50\":7,\"p999\":9,\"read\":1,\"timeout\":2,\"status\":3}\n")
	if err != nil || r.Requests != 8 || r.PerSecond() != 4 || r.P50 != 7 || r.P999 != 9 || r.Broken() != 3 || r.Status != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestARunWithoutResultIsAnError(t *testing.T) {
	f := func(output string) {
		t.Helper()
		if r, err := parse(output); err == nil {
			t.Errorf("%q gave %+v", output, r)
		}
	}
	f("unable to connect to 127.0.0.1:1 Connection refused")
	f("\nresult {\"requests\":")
	f("\nresult {\"requests\":0,\"micros\":1}\n")
}

// LuaJIT hashes a few bytes of a string. Callers that looked the same there
// would make wrk the bottleneck.
func TestTokensAndTextsDifferAllOver(t *testing.T) {
	signatures, texts := map[string]bool{}, map[string]bool{}
	for n := range Callers {
		token := Token(n, "bot")
		signatures[token[len(token)-20:len(token)-16]] = true
		texts[words(n)] = true
		if len(words(n)) != 80 || len(token) != len(Token(0, "bot")) || strings.Count(token, ".") != 2 {
			t.Fatalf("caller %d: %s %q", n, token, words(n))
		}
	}
	if len(signatures) < Callers*9/10 || len(texts) < Callers*9/10 {
		t.Errorf("%d signatures and %d texts of %d differ", len(signatures), len(texts), Callers)
	}
}
