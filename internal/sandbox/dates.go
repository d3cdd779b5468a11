package sandbox

import (
	"strings"
	"time"
)

// stamp writes a time the way the API does: UTC, milliseconds, Z.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// isStamp says whether s is written like that.
func isStamp(s string) bool {
	return len(s) == len("2006-01-02T15:04:05.000Z") && s[4] == '-' && s[10] == 'T' && s[19] == '.' && s[23] == 'Z'
}

// dateLayouts are the ISO 8601 spellings that are understood; one without an
// offset is UTC.
var dateLayouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999Z07",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
}

func parseDate(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02") || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// isDateField says whether a member holds a datetime, by its name: createdAt,
// expiresAt, …
func isDateField(key string) bool { return len(key) > 2 && strings.HasSuffix(key, "At") }

// normaliseDates rewrites the datetimes of a draft in the API's own spelling.
// What is no datetime stays as it is.
func normaliseDates(o object) {
	for i := range o {
		if s, ok := o[i].value.(string); ok && isDateField(o[i].key) {
			if t, ok := parseDate(s); ok {
				o[i].value = stamp(t)
			}
		}
	}
}
