package loopguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// FuzzRead holds the reader to what it promises of any bytes: it accepts nothing
// that is no JSON, refuses JSON only for a reason that it documents, never reads
// the same body in two ways, and is blind to white space.
func FuzzRead(f *testing.F) {
	for _, body := range corpus() {
		f.Add([]byte(body))
	}
	f.Add([]byte(typical))
	documented := []string{"duplicate key", "invalid UTF-8", "nested deeper", "expected a message", "the conversation is"}
	f.Fuzz(func(t *testing.T, body []byte) {
		var batch, again Batch
		err := testReader.Read(&batch, body, nil)
		isJSON := json.Valid(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")))
		if err == nil && !isJSON {
			t.Fatalf("accepts %q", body)
		}
		if err != nil {
			var fault *ReadError
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset > len(body) {
				t.Fatalf("%q: the error %v is misplaced", body, err)
			}
			for _, reason := range documented {
				isJSON = isJSON && !strings.HasPrefix(err.Error(), reason)
			}
			if isJSON {
				t.Fatalf("refuses %q: %v", body, err)
			}
			return
		}
		spaced := new(bytes.Buffer)
		if err := json.Indent(spaced, bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")), " ", "\t"); err != nil {
			t.Fatal(err)
		}
		if err := testReader.Read(&again, spaced.Bytes(), nil); err != nil {
			t.Fatalf("refuses %q indented: %v", body, err)
		}
		if len(again.Messages) != len(batch.Messages) {
			t.Fatalf("%q indented has %d messages, not %d", body, len(again.Messages), len(batch.Messages))
		}
		for i := range batch.Messages {
			if again.Messages[i] != batch.Messages[i] {
				t.Fatalf("message %d of %q changes with white space", i, body)
			}
		}
		_ = testReader.ReadEmbedded(&again, body)
		_, _ = ReadConversationID(body)
	})
}
