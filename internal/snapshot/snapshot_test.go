package snapshot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

const begin = int64(1_790_000_000) * int64(time.Second)

// life is a process that keeps its counts in a file.
type life struct {
	t        *testing.T
	file     *File
	damaged  error
	hasher   *digest.Hasher
	limits   *limiter.Memory
	messages *loopguard.Memory
	now      int64
}

func live(t *testing.T, path string, now int64) *life {
	t.Helper()
	l := &life{t: t, limits: limiter.NewMemory(8 << 20), messages: loopguard.NewMemory(8 << 20), now: now}
	var err error
	if l.file, l.damaged, err = Open(path); err != nil {
		t.Fatal(err)
	}
	l.hasher = digest.NewHasher(l.file.Key())
	if err := l.file.Restore(l.limits, l.messages, now); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *life) id(name string) digest.ID { return l.hasher.Sum([]byte(name)) }

func (l *life) save() {
	l.t.Helper()
	if err := l.file.Save(l.now); err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) take(window time.Duration) limiter.State {
	ip, key := limiter.Hit{}, limiter.Hit{ID: l.id("key"), Limit: limiter.Limit{Requests: 20, Window: window}}
	return l.limits.Take(l.now, ip, key).States[limiter.PerKey]
}

func (l *life) send(rules *loopguard.Rules, text string, keep bool) loopguard.Decision {
	from := loopguard.Sender{Bot: l.id("bot"), Token: l.id("token")}
	var res loopguard.Reservation
	d := l.messages.Reserve(l.now, rules, from, []loopguard.Message{{Conversation: l.id("c"), Content: l.id(text)}}, &res)
	if keep {
		l.messages.Keep(&res)
	}
	return d
}

func rulesOf(change func(*loopguard.Config)) *loopguard.Rules {
	cfg := loopguard.DefaultConfig()
	change(&cfg)
	return loopguard.Compile(cfg)
}

func documented(*loopguard.Config) {}

func TestCountsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	rules := rulesOf(documented)
	first := live(t, path, begin)
	for range 15 {
		first.take(time.Minute)
	}
	for range 8 {
		first.now += int64(time.Second)
		first.send(rules, "loop", true)
	}
	first.send(rules, "unknown", false) // in flight for ever
	first.save()

	second := live(t, path, begin+int64(20*time.Second))
	if s := second.take(time.Minute); s.Used != 16 || (s.Reset-40*time.Second).Abs() > time.Microsecond {
		t.Errorf("requests: %+v", s)
	}
	if d := second.send(rules, "loop", true); d.Admitted || d.Refused != loopguard.Identical || (d.Wait-(3*time.Minute-19*time.Second)).Abs() > time.Microsecond {
		t.Errorf("identical messages: %+v", d)
	}
	if d := second.send(rules, "another", true); d.States[loopguard.Consecutive].Used != 10 {
		t.Errorf("consecutive messages: %+v", d)
	}
	second.now = begin + int64(time.Hour)
	second.save()
	third := live(t, path, begin+int64(time.Hour+8*time.Second))
	if d := third.send(rules, "later", true); d.States[loopguard.Consecutive].Used != 2 {
		t.Errorf("after an hour only the message at 20 s counts: %+v", d)
	}
}

func TestRepliesSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	rules := rulesOf(documented)
	first := live(t, path, begin)
	other := first.id("integration")
	first.send(rules, "a", true)
	first.now += int64(time.Second)
	first.messages.Reply(first.now, loopguard.Reply{Conversation: first.id("c"), At: first.now})
	first.now += int64(time.Second)
	first.send(rules, "b", true)
	first.now += int64(time.Second)
	first.messages.Reply(first.now, loopguard.Reply{Conversation: first.id("c"), Author: first.id("bot"), At: first.now})
	first.messages.Reply(first.now, loopguard.Reply{Conversation: first.id("d"), Author: other, At: first.now})
	first.save()
	second := live(t, path, first.now+int64(time.Second))
	if d := second.send(rules, "c", true); d.States[loopguard.Consecutive].Used != 2 {
		t.Errorf("the person's reply clears a, the bot's own clears nothing: %+v", d)
	}
	if second.messages.Reply(second.now, loopguard.Reply{Conversation: second.id("d"), Author: other, At: first.now}) {
		t.Error("a reply that is heard of again is news after a restart")
	}
}

// Windows of a day and limits that were changed in between: the counts are older
// than the documented windows.
func TestLongWindowsSurviveAndAChangedLimitApplies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	day := rulesOf(func(c *loopguard.Config) { c.Identical.Window, c.Consecutive.Window = 24*time.Hour, 24*time.Hour })
	first := live(t, path, begin)
	for range 5 {
		first.send(day, "a", true)
		first.take(24 * time.Hour)
	}
	first.now += int64(10 * time.Hour)
	first.save()
	second := live(t, path, begin+int64(20*time.Hour))
	if s := second.take(24 * time.Hour); s.Used != 6 {
		t.Errorf("requests: %+v", s)
	}
	if d := second.send(day, "a", true); d.States[loopguard.Identical].Used != 6 || d.States[loopguard.Consecutive].Used != 6 {
		t.Errorf("messages: %+v", d)
	}
	third := live(t, path, begin+int64(20*time.Hour))
	if d := third.send(rulesOf(documented), "a", true); d.States[loopguard.Consecutive].Used != 1 {
		t.Errorf("a window of an hour, put in force by the restart: %+v", d)
	}
}

// A clock that was set back must not stop time until it has caught up.
func TestACountFromTheFutureIsOneOfNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	rules := rulesOf(documented)
	first := live(t, path, begin+int64(10*time.Hour))
	first.take(time.Minute)
	first.send(rules, "a", true)
	first.save()
	second := live(t, path, begin)
	if s := second.take(time.Minute); s.Used != 2 || s.Reset > time.Minute {
		t.Errorf("requests: %+v", s)
	}
	if d := second.send(rules, "a", true); d.States[loopguard.Consecutive].Used != 2 || d.States[loopguard.Consecutive].Reset > time.Hour {
		t.Errorf("messages: %+v", d)
	}
}

func TestWhatIsNoSnapshotIsSetAside(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "counts")
	first := live(t, path, begin)
	first.take(time.Minute)
	first.save()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(string(whole))
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string]string{
		"empty": "", "foreign": "upstream: {url: https://api.chatshipper.com}\n" + strings.Repeat("x", 200),
		"cut off": string(whole[:len(whole)-1]), "a bit flipped": string(flipped), "longer": string(whole) + "x",
		"of another version": strings.Replace(string(whole), "v1", "v2", 1),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		l := live(t, path, begin)
		if l.damaged == nil || !strings.Contains(l.damaged.Error(), path) {
			t.Errorf("%s: reported as %v", name, l.damaged)
		}
		if s := l.take(time.Minute); s.Used != 1 {
			t.Errorf("%s: the counts do not begin empty: %+v", name, s)
		}
		if there, err := os.ReadFile(path); err != nil || string(there) != content {
			t.Errorf("%s: it was touched before there is another: %v", name, err)
		}
		l.save()
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != content {
			t.Errorf("%s: it was not set aside: %v", name, err)
		}
		if again := live(t, path, begin); again.damaged != nil || again.take(time.Minute).Used != 2 {
			t.Errorf("%s: the next snapshot is no good: %v", name, again.damaged)
		}
	}
}

// `gateway check` opens the file of the gateway that runs, at any moment.
func TestOpeningDisturbsNobodyWhoWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	writing := path + ".new"
	if err := os.WriteFile(writing, []byte("half of the next snapshot"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, damaged, err := Open(path); damaged != nil || err != nil {
		t.Fatal(damaged, err)
	}
	if there, err := os.ReadFile(writing); err != nil || string(there) != "half of the next snapshot" {
		t.Errorf("the file that is being written holds %q: %v", there, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%v lie in the folder, %v", entries, err)
	}
}

func TestAFileForItsOwnerOnlyAndNothingBesideIt(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "counts")
	l := live(t, path, begin)
	for i := range 3 {
		l.now += int64(i)
		l.take(time.Minute)
		l.save()
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v lie in the folder, %v", entries, err)
	}
	if _, _, err := Open(filepath.Join(folder, "missing", "counts")); err == nil {
		t.Error("a folder that is not there is no error at the start")
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := l.file.Save(l.now); err == nil {
		t.Error("a snapshot that was not written is no error")
	}
}

// What stands in the file by chance or by malice is an error, never a fault.
func FuzzPieces(f *testing.F) {
	l := limiter.NewMemory(1 << 20)
	l.Take(begin, limiter.Hit{}, limiter.Hit{ID: digest.ID{Hi: 1}, Limit: limiter.Limit{Requests: 20, Window: time.Minute}})
	m := loopguard.NewMemory(1 << 20)
	m.Charge(begin, rulesOf(documented), loopguard.Sender{}, []loopguard.Message{{Conversation: digest.ID{Hi: 1}}})
	m.Reply(begin, loopguard.Reply{Conversation: digest.ID{Hi: 1}, At: begin})
	for i := range l.Shards() {
		f.Add(l.AppendShard(nil, i, begin))
	}
	f.Add(m.AppendShard(nil, 1, begin))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = limiter.NewMemory(1<<20).Restore(data, begin)
		_ = loopguard.NewMemory(1<<20).Restore(data, begin)
		_, _ = parse(data)
	})
}

func BenchmarkSave(b *testing.B) {
	for _, keys := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			f, _, err := Open(filepath.Join(b.TempDir(), "counts"))
			if err != nil {
				b.Fatal(err)
			}
			limits, messages := limiter.NewMemory(1<<30), loopguard.NewMemory(1<<30)
			if err := f.Restore(limits, messages, begin); err != nil {
				b.Fatal(err)
			}
			h := digest.NewHasher("bench")
			for i := range keys {
				id := h.Sum([]byte(fmt.Sprint(i)))
				for range 20 {
					limits.Take(begin, limiter.Hit{}, limiter.Hit{ID: id, Limit: limiter.Limit{Requests: 20, Window: time.Minute}})
				}
			}
			for b.Loop() {
				if err := f.Save(begin); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
