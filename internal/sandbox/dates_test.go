package sandbox

import "testing"

func TestDatetimes(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got := ""
		if d, ok := parseDate(in); ok {
			got = stamp(d)
		}
		equal(t, in, got, want)
	}
	f("2025-03-01T08:00:00.123Z", "2025-03-01T08:00:00.123Z")
	f("2025-03-01T08:00:00Z", "2025-03-01T08:00:00.000Z")
	f("2025-03-01T08:00:00", "2025-03-01T08:00:00.000Z")
	f("2025-03-01T08:00", "2025-03-01T08:00:00.000Z")
	f("2025-03-01T08:00Z", "2025-03-01T08:00:00.000Z")
	f("2025-03-01", "2025-03-01T00:00:00.000Z")
	f("2025-03-01T10:00:00+02:00", "2025-03-01T08:00:00.000Z")
	f("2025-03-01T10:00:00+0200", "2025-03-01T08:00:00.000Z")
	f("2025-03-01T10:00:00+02", "2025-03-01T08:00:00.000Z")
	f("2025-03-01T08:00:00.123456789Z", "2025-03-01T08:00:00.123Z")
	f("2025-02-30", "")
	f("yesterday", "")
	f("2025", "")
	f("", "")
}

func TestDatetimesOfADraft(t *testing.T) {
	w := newWorld(t)
	o := w.as("bot").post("/v2/contacts", `{"birthdayAt":"1990-05-01","seenAt":"2025-03-01T10:00:00+02:00","madeAt":"soon","name":"2025-03-01"}`).must(201).object()
	equal(t, "date only", o["birthdayAt"], "1990-05-01T00:00:00.000Z")
	equal(t, "an offset", o["seenAt"], "2025-03-01T08:00:00.000Z")
	equal(t, "no date", o["madeAt"], "soon")
	equal(t, "no field for dates", o["name"], "2025-03-01")
}
