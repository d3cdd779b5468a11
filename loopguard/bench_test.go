package loopguard

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatshipper/gateway/internal/digest"
)

// typical is a message as ChatShipper's SDK sends it, about 200 bytes.
const typical = `{"conversation":"65aa0e00aabbccddeeff0001","type":"chat","role":"agent","text":"Your order left the depot this morning and will be with you before noon.","touchpoint":"whatsapp","delay":1500,"meta":{}}`

func BenchmarkRead(b *testing.B) {
	long := strings.Repeat("Your order left the depot this morning. ", 100)
	for _, c := range []struct{ name, body string }{
		{"typical", typical},
		{"spaced", strings.NewReplacer(`,"`, ",\n    \"", `":`, `": `).Replace(typical)},
		{"text4k", `{"text":"` + long + `","role":"bot"}`},
		{"escaped4k", `{"text":"` + strings.ReplaceAll(long, "or", `\"\n`) + `","role":"bot"}`},
		{"cyrillic4k", `{"text":"` + strings.Repeat("Ваш заказ в пути. ", 130) + `","role":"bot"}`},
		{"array20", "[" + strings.Repeat(typical+",", 19) + typical + "]"},
		{"actions", `{"type":"chat","text":"Choose","actions":[` + strings.Repeat(`{"type":"reply","text":"Yes","payload":"yes"},`, 19) +
			`{"type":"reply","text":"No","payload":"no"}],"meta":{"price":12.5,"count":3,"paid":true}}`},
	} {
		b.Run(fmt.Sprintf("%s-%d", c.name, len(c.body)), func(b *testing.B) {
			r := NewReader(DefaultConfig(), digest.NewHasher("bench"))
			body := []byte(c.body)
			var batch Batch
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Read(&batch, body, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReserveAndKeep(b *testing.B) {
	for _, conversations := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(conversations), func(b *testing.B) {
			guard, rules := NewMemory(256<<20), Compile(DefaultConfig())
			messages := make([][]Message, conversations)
			for i := range messages {
				messages[i] = []Message{{Conversation: numbered('c', i), Content: idOf("hello")}}
			}
			var res Reservation
			now, i := int64(0), 0
			b.ReportAllocs()
			for b.Loop() {
				now += int64(10*time.Minute) / int64(conversations)
				if i++; i == conversations {
					i = 0
				}
				if !guard.Reserve(now, rules, bot, messages[i], &res).Admitted {
					b.Fatal("refused")
				}
				guard.Keep(&res)
			}
		})
	}
}

func BenchmarkRefuse(b *testing.B) {
	guard, rules := NewMemory(16<<20), Compile(DefaultConfig())
	messages := to("c", "a")
	var res Reservation
	b.ReportAllocs()
	for b.Loop() {
		guard.Reserve(0, rules, bot, messages, &res)
		guard.Keep(&res)
	}
}

func BenchmarkReserveAndKeepParallel(b *testing.B) {
	guard, rules := NewMemory(256<<20), Compile(DefaultConfig())
	var number atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		messages := []Message{{Conversation: numbered('c', int(number.Add(1))), Content: idOf("hello")}}
		var res Reservation
		now := int64(0)
		for pb.Next() {
			now += int64(10 * time.Minute)
			guard.Reserve(now, rules, bot, messages, &res)
			guard.Keep(&res)
		}
	})
}

// A stranger's batch that can never pass must not keep others waiting.
func BenchmarkRefuseHugeBatch(b *testing.B) {
	guard, rules := NewMemory(16<<20), Compile(DefaultConfig())
	messages := make([]Message, 80_000)
	for i := range messages {
		messages[i] = Message{Conversation: idOf("c"), Content: numbered('m', i)}
	}
	var res Reservation
	for b.Loop() {
		if guard.Reserve(0, rules, bot, messages, &res).Admitted {
			b.Fatal("admitted")
		}
	}
}
