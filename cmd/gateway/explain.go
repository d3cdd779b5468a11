package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/chatshipper/gateway/internal/admin"
	"github.com/chatshipper/gateway/proxy"
)

// runExplain asks the running gateway how the counters stand that a request
// would meet.
func runExplain(ctx context.Context, args []string, c console) error {
	var q admin.Question
	fs := flag.NewFlagSet("explain", flag.ContinueOnError)
	listener := addAdminFlags(fs)
	fs.StringVar(&q.IP, "ip", "", "`ADDRESS` of the client, or its digest in the access log")
	fs.StringVar(&q.Key, "key", "", "API key, or its digest; better use --key-file")
	keyFile := fs.String("key-file", "", "`FILE` with the API key; - is standard input")
	fs.StringVar(&q.User, "user", "", "`ID` of the user")
	fs.StringVar(&q.Role, "role", "", "bot or human")
	fs.StringVar(&q.Conversation, "conversation", "", "`ID` of the conversation, or its digest")
	message := fs.String("message", "", "`JSON` of the message that would be sent")
	raw := fs.Bool("json", false, "print the answer as it comes")
	if err := parseFlags(fs, args, c); err != nil {
		return err
	}
	if err := readKey(*keyFile, &q.Key); err != nil {
		return err
	}
	if *message != "" {
		if !json.Valid([]byte(*message)) {
			return usageError("gateway explain: --message must be JSON")
		}
		q.Message = json.RawMessage(*message)
	}
	where, err := listener.where()
	if err != nil {
		return err
	}
	answer, err := where.post(ctx, "/admin/v1/explain", q)
	if err != nil {
		return err
	}
	return printExplanation(c.out, answer, *raw)
}

func readKey(path string, into *string) error {
	if path == "" {
		return nil
	}
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("cannot read the key: %w", err)
		}
		defer func() { _ = f.Close() }() // only read from
		in = f
	}
	key, err := io.ReadAll(io.LimitReader(in, 64<<10))
	if err != nil {
		return fmt.Errorf("cannot read the key: %w", err)
	}
	*into = strings.TrimSpace(string(key))
	return nil
}

// printExplanation prints an explanation for people, or as it came.
func printExplanation(w io.Writer, answer []byte, raw bool) error {
	if raw {
		_, err := w.Write(answer)
		return err
	}
	var e proxy.Explanation
	if err := json.Unmarshal(answer, &e); err != nil {
		return fmt.Errorf("cannot read the answer of the gateway: %w", err)
	}
	var b strings.Builder
	if e.RefusedBy == "" {
		fmt.Fprintf(&b, "It would be admitted now.\n")
	} else {
		fmt.Fprintf(&b, "It would be refused now by %s, and admitted in %s.\n", e.RefusedBy, e.PassesIn)
	}
	for _, c := range e.Counters {
		fmt.Fprintf(&b, "\n%-18s %s: %d of %d in %s", c.Rule, c.Who, c.Used, c.Limit, c.Window)
		if c.Mode != "enforce" {
			fmt.Fprintf(&b, " (%s)", c.Mode)
		}
		if c.PassesIn != "" {
			fmt.Fprintf(&b, ", room in %s", c.PassesIn)
		}
		b.WriteByte('\n')
		writeEntries(&b, "", c.Entries, e.At)
		writeEntries(&b, " (no answer yet, or an unknown one)", c.InFlight, e.At)
	}
	for i, note := range e.Notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeEntries(b *strings.Builder, about string, times []time.Time, now time.Time) {
	for _, at := range times {
		fmt.Fprintf(b, "    %s, %s ago%s\n", at.Format("15:04:05.000Z"), now.Sub(at).Round(time.Millisecond), about)
	}
}
