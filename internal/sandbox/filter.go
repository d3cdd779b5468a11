package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// filter is one condition: a dotted path, an operator and its operands.
type filter struct {
	path     string
	op       string // =, ~ contains, ^ starts with, >, >=, <, <=
	not      bool
	operands []operand // more than one: any of them
}

// operand is a value of the query, read once in each way it can be meant.
type operand struct {
	text   string
	lower  string
	number float64
	isNum  bool
	date   time.Time
	isDate bool
	stamp  string // the date as the API writes it, "" when it is finer than that
}

func newOperand(s string) operand {
	o := operand{text: s, lower: strings.ToLower(s)}
	n, err := strconv.ParseFloat(s, 64)
	o.number, o.isNum = n, err == nil
	if o.date, o.isDate = parseDate(s); o.isDate && o.date.Nanosecond()%1e6 == 0 {
		o.stamp = stamp(o.date)
	}
	return o
}

// operators, longest first.
var operators = []string{">=", "<=", ">", "<", "~", "^"}

func parseFilter(path, value string) (filter, error) {
	f := filter{path: path, op: "="}
	value, f.not = strings.CutPrefix(value, "!")
	for _, op := range operators {
		if rest, found := strings.CutPrefix(value, op); found {
			f.op, value = op, rest
			break
		}
	}
	if f.op == "=" && strings.HasPrefix(value, "[") && strings.HasSuffix(value, "]") {
		for _, v := range commas(value[1 : len(value)-1]) {
			f.operands = append(f.operands, newOperand(v))
		}
	} else {
		f.operands = []operand{newOperand(value)}
	}
	if path == "createdAt" || path == "updatedAt" {
		for _, o := range f.operands {
			if !o.isDate {
				return f, badRequest("The value of %s must be an ISO 8601 date (encode a + as %%2B)", path)
			}
		}
	}
	return f, nil
}

// matches says whether any value that the path reaches fulfils the condition;
// a negated filter wants none that does.
func (f *filter) matches(doc object) bool {
	if v, simple := doc.simple(f.path); simple {
		return f.fulfilled(v) != f.not
	}
	found := false
	none := each(doc, f.path, func(v any) bool {
		found = true
		return !f.fulfilled(v)
	})
	if !found {
		none = !f.fulfilled(nil) // what is absent is null
	}
	return none == f.not
}

func (f *filter) fulfilled(v any) bool {
	for i := range f.operands {
		if compare(v, f.op, &f.operands[i]) {
			return true
		}
	}
	return false
}

func compare(v any, op string, o *operand) bool {
	switch v := v.(type) {
	case nil:
		return op == "=" && o.text == "null"
	case bool:
		return op == "=" && o.text == strconv.FormatBool(v)
	case int:
		return compareNumber(float64(v), op, o)
	case json.Number:
		n, _ := v.Float64()
		return compareNumber(n, op, o)
	case string:
		return compareText(v, op, o)
	}
	return false // an object equals nothing
}

func compareNumber(n float64, op string, o *operand) bool {
	if !o.isNum {
		return false
	}
	switch {
	case n < o.number:
		return op == "<" || op == "<="
	case n > o.number:
		return op == ">" || op == ">="
	}
	return op == "=" || op == "<=" || op == ">="
}

func compareText(s, op string, o *operand) bool {
	switch op {
	case "~": // whatever the case
		return strings.Contains(strings.ToLower(s), o.lower)
	case "^":
		return strings.HasPrefix(s, o.text)
	}
	order := strings.Compare(s, o.text)
	switch {
	case o.stamp != "" && isStamp(s): // of one length and layout: the texts are in the order of the times
		order = strings.Compare(s, o.stamp)
	case o.isDate:
		if t, ok := parseDate(s); ok {
			order = t.Compare(o.date)
		}
	}
	switch op {
	case "=":
		return order == 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}
