// Package config reads the gateway's configuration: strict YAML into a Config
// that is composed of the rooms' own Configs. It finds every mistake at once
// and says where it is, what was expected and which key was probably meant.
//
// It is the only room that knows YAML and environment variables. It knows
// nothing of requests, and nothing of how a room obeys its Config.
package config

import (
	"io"
	"os"
	"reflect"
	"time"

	"github.com/chatshipper/gateway/internal/admin"
	"github.com/chatshipper/gateway/internal/identity"
	"github.com/chatshipper/gateway/internal/redisstore"
	"github.com/chatshipper/gateway/internal/trace"
	"github.com/chatshipper/gateway/internal/unit"
	"github.com/chatshipper/gateway/internal/upstream"
	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
	"github.com/chatshipper/gateway/proxy"
)

// maxFileBytes bounds the configuration file. Overrides take about 130 bytes
// each, so this is room for tens of thousands of them.
const maxFileBytes = 8 << 20

// Config is the whole configuration, in the order of its documentation.
type Config struct {
	Listen    proxy.Listen     `yaml:"listen"`
	Admin     admin.Config     `yaml:"admin"`
	Upstream  upstream.Config  `yaml:"upstream"`
	Identity  identity.Config  `yaml:"identity"`
	Methods   proxy.Methods    `yaml:"methods"`
	Limits    limiter.Config   `yaml:"limits"`
	LoopGuard loopguard.Config `yaml:"loopguard"`
	Webhook   proxy.Webhook    `yaml:"webhook"`
	Errors    proxy.Errors     `yaml:"errors"`
	Store     Store            `yaml:"store"`
	Log       Log              `yaml:"log"`
	Tracing   trace.Config     `yaml:"tracing"`

	// What only WriteEffective needs; empty for a Config made by hand.
	file        string            // where it was read from
	origins     origins           // where each value was set
	secretFiles map[string]string // the value of every x_file, whose content is in x
}

// Store is the `store:` block: where counts are kept.
type Store struct {
	Kind   string            `yaml:"kind"` // memory, or redis
	Memory Memory            `yaml:"memory"`
	Redis  redisstore.Config `yaml:"redis"`
}

// Memory keeps the counts in this process.
type Memory struct {
	MaxBytes     unit.Bytes `yaml:"max_bytes"`     // for all rules together; at least 1MiB
	SnapshotFile string     `yaml:"snapshot_file"` // counts survive a restart in this file
	// SnapshotInterval is how much a crash may forget; 100ms to 1h.
	SnapshotInterval time.Duration `yaml:"snapshot_interval"`
}

// Log is the `log:` block.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // json or text
	Access bool   `yaml:"access"` // one line for each request

	ClientIP bool      `yaml:"client_ip"` // write addresses in clear, beside their digest
	Sample   LogSample `yaml:"sample"`
}

// LogSample is the `sample:` block: which requests get a line in the access log.
type LogSample struct {
	OneIn    int `yaml:"one_in"`              // of those that were neither refused nor failed; at least 1
	Refusals int `yaml:"refusals_per_minute"` // of one key, or of an address without one; 0 means all
}

// Default returns the configuration of an empty file. It lacks only upstream.url.
func Default() Config {
	return Config{
		Listen:    proxy.DefaultListen(),
		Admin:     admin.DefaultConfig(),
		Upstream:  upstream.DefaultConfig(),
		Identity:  identity.DefaultConfig(),
		Methods:   proxy.DefaultMethods(),
		Limits:    limiter.DefaultConfig(),
		LoopGuard: loopguard.DefaultConfig(),
		Webhook:   proxy.DefaultWebhook(),
		Errors:    proxy.DefaultErrors(),
		Store: Store{
			Kind:   "memory",
			Memory: Memory{MaxBytes: 256 << 20, SnapshotInterval: 10 * time.Second},
			Redis:  redisstore.DefaultConfig(),
		},
		Log:     Log{Level: "info", Format: "json", Access: true, Sample: LogSample{OneIn: 1}},
		Tracing: trace.DefaultConfig(),
	}
}

// Load reads the configuration file at path. getenv looks up environment
// variables, as os.LookupEnv does. Every error is a *Mistakes.
func Load(path string, getenv func(string) (string, bool)) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, &Mistakes{List: []Mistake{{File: path, Problem: "cannot read the configuration: " + err.Error()}}}
	}
	return Parse(path, data, getenv)
}

// Parse reads a configuration from data. The name stands for the file in
// mistakes. In what it returns, the content of every secret's file x_file stands
// in x, and x_file is empty. Every error is a *Mistakes.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	l := &loader{
		file: name, getenv: getenv, origins: make(origins), secretFiles: make(map[string]string), given: make(map[string]string),
	}
	c := Default()
	c.file, c.origins, c.secretFiles = l.file, l.origins, l.secretFiles
	if root, ok := l.document(data); ok {
		l.decode(root, reflect.ValueOf(&c).Elem())
		c.validate(l.report)
		l.files(reflect.ValueOf(&c).Elem(), "")
	}
	if len(l.list) > 0 {
		return nil, l.mistakes()
	}
	return &c, nil
}

// File is where the configuration was read from; empty for one that is built in.
func (c *Config) File() string { return c.file }

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = f.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, cause(err)
	}
	return data, nil
}
