package sandbox

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestObjectsKeepTheirOrderAndNumbers(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		v, err := decode([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendJSON(nil, v)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	f(`{"z":1,"a":{"y":[],"b":{}}}`, `{"z":1,"a":{"y":[],"b":{}}}`)
	f(`[1.0, 1e400, -0, 12345678901234567890]`, `[1.0,1e400,-0,12345678901234567890]`)
	f(`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`)
	f(`"\u00e9\n\t\"\\\/ \u2028"`, "\"é\\n\\u0009\\\"\\\\/ \u2028\"")
	f(`[true,false,null,""]`, `[true,false,null,""]`)
}

func FuzzDecodeAndEncode(f *testing.F) {
	f.Add(`{"a":[1,{"b":"\u0000\ud800x"}],"a":null}`)
	f.Add(`[1e5,-0.0,"é",true]`)
	f.Add(`{"a":[1,]}`)
	f.Add("\"\xff\"")
	f.Fuzz(func(t *testing.T, in string) {
		v, err := decode([]byte(in))
		if (err == nil) != json.Valid([]byte(in)) {
			t.Fatalf("%q: decode says %v", in, err)
		}
		if err != nil || strings.Contains(in, "e") || strings.Contains(in, "E") { // 1e400 overflows in encoding/json
			return
		}
		var want, got any
		if err := json.Unmarshal([]byte(in), &want); err != nil {
			return
		}
		if err := json.Unmarshal(appendJSON(nil, v), &got); err != nil {
			t.Fatalf("%q: wrote invalid JSON: %v", in, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %v, want %v", in, got, want)
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("sort=-a,b.c&limit=1&offset=0&select=a.b,c&populate=x.y&a.b=~c&d=![e,f]&createdAt=>=2025-03-01")
	f.Add("a=[&b=]&=c&d=!&;=,&name=%5B%5D")
	s := New(Options{})
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			return
		}
		for _, kind := range []string{"users", "conversations"} {
			for _, d := range q.sorted(q.matching(s.store.collections[kind].order)) {
				if s.store.render(kind, d, q).text("id") == "" {
					t.Errorf("%q: the id is missing", raw)
				}
			}
		}
		next, err := parseQuery(q.next(7))
		if err != nil || next.offset != 7 || len(next.filters) != len(q.filters) {
			t.Errorf("%q: the next page's query %q is another: %v", raw, q.next(7), err)
		}
	})
}
