// Package config is the service's configuration: one file, pipeline.yaml, whose
// every key can also be given as an environment variable and as a flag, with the
// origin of each value kept so that it can be shown. Secrets are never in the
// file: it names files or environment variables that hold them.
package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"edrpipe/pkg/seal"
)

// Config is the whole configuration. The zero value of a key is not its default:
// Default gives those.
type Config struct {
	Data   string   `yaml:"data" doc:"directory for everything the service keeps: embedded bus, offsets, audit anchors"`
	Rules  []string `yaml:"rules" doc:"rule files and directories"`
	Guards string   `yaml:"guards" doc:"guards file; empty: none"`

	Endpoints string `yaml:"endpoints" doc:"endpoints file, YAML or CSV: what you say of endpoints; empty: none"`

	Files  string        `yaml:"scripts" doc:"directory with the files that rules may put on endpoints; empty: none"`
	DryRun bool          `yaml:"dry_run" doc:"decide and record, act on nothing"`
	Audit  string        `yaml:"audit_key_file" doc:"file with a key for the audit log's hashes, the same on all replicas: nobody without it can rewrite the log; empty: a key made of the one of state_key_file" secret:"file"`
	State  string        `yaml:"state_key_file" doc:"file with the key that seals the records which replicas share on the bus, the same on all replicas; empty: state.key in the data directory, made at the first start" secret:"file"`
	Grace  time.Duration `yaml:"grace" doc:"how long running steps may take to end at shutdown"`

	Lists   Lists    `yaml:"lists"`
	Bus     Bus      `yaml:"bus"`
	EDR     EDR      `yaml:"edr"`
	Servers []Server `yaml:"servers"`
	Sources Sources  `yaml:"sources"`
	Outputs []Output `yaml:"outputs"`

	ListSources []ListSource `yaml:"list_sources"`

	Jobs      Jobs      `yaml:"jobs"`
	Limits    Limits    `yaml:"limits"`
	Artifacts Artifacts `yaml:"artifacts"`
	Web       Web       `yaml:"web"`
	Notify    Notify    `yaml:"notify"`
	Egress    Egress    `yaml:"egress"`
	Log       Log       `yaml:"log"`
	Tracing   Tracing   `yaml:"tracing"`

	Secrets Secrets `yaml:"secrets"`
}

// Lists are the lists of values beside the rules.
type Lists struct {
	MaxShrink string `yaml:"max_shrink" doc:"part of its entries that a list may lose at once while the service runs; one that loses more stays as it was"`
}

// Shrink is MaxShrink as a number between 0 and 1; 0 where it is not set.
func (l Lists) Shrink() (float64, error) {
	if l.MaxShrink == "" {
		return 0, nil
	}
	digits, percent := strings.CutSuffix(strings.TrimSpace(l.MaxShrink), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || !percent || n <= 0 || n > 100 {
		return 0, fmt.Errorf("%q is not a part between 0%% and 100%%: write it as 50%%", l.MaxShrink)
	}
	return n / 100, nil
}

// Bus is the NATS JetStream that carries events, jobs and results.
type Bus struct {
	URL      string `yaml:"url" doc:"nats://host:port of an external NATS; empty: embedded in this process"`
	User     string `yaml:"user" doc:"user name at the bus; of an embedded bus that listens: the user with all rights, operator where empty"`
	Password string `yaml:"password_file" doc:"file with the password" secret:"file"`

	IngestUser     string `yaml:"ingest_user" doc:"user name for putting events on the bus that arrive by other ways, where the bus separates these roles; empty: the same user"`
	IngestPassword string `yaml:"ingest_password_file" doc:"file with that user's password" secret:"file"`

	Creds    string        `yaml:"creds_file" doc:"NATS credentials file"`
	NKey     string        `yaml:"nkey_file" doc:"NATS key seed file"`
	CA       string        `yaml:"ca" doc:"certificates to trust; turns TLS on"`
	Cert     string        `yaml:"cert" doc:"client certificate"`
	Key      string        `yaml:"key" doc:"key of the client certificate"`
	Replicas int           `yaml:"replicas" min:"1" max:"5" doc:"copies of each stream on a cluster"`
	Monitor  []string      `yaml:"monitor" doc:"external bus only: monitoring addresses of its servers (http://host:8222), which say when a stream cannot be written; empty: only what is written here shows it"`
	Readers  []string      `yaml:"readers" doc:"names of durable pull consumers on the stream RESULTS, made for readers of the bus, who cannot make any"`
	Listen   string        `yaml:"listen" doc:"embedded bus only: host:port for other processes, with the passwords of users ingest, reader and operator in bus-users of the data directory; empty: reachable only inside this one"`
	Sync     time.Duration `yaml:"sync" doc:"embedded bus only: how often writes are flushed to disk; 0s: each one, a power cut loses nothing"`
	Floor    int64         `yaml:"floor" min:"0" doc:"embedded bus only: bytes that stay free on its disk; below, no new event is taken and jobs under way go on; 0: none"`
	Events   Retention     `yaml:"events"`
	Dead     Retention     `yaml:"dead"`
	Results  Retention     `yaml:"results"`
	History  Retention     `yaml:"history"`
}

// BusUsers is the directory with the passwords of an embedded bus that listens.
func BusUsers(data string) string { return filepath.Join(data, "bus-users") }

// Retention bounds a stream.
type Retention struct {
	Age   time.Duration `yaml:"age" doc:"how long messages are kept"`
	Bytes int64         `yaml:"bytes" doc:"how many bytes are kept; the oldest go first"`
}

// EDR is the short form of Servers for exactly one Carbon Black EDR server.
type EDR struct {
	Name       string        `yaml:"name" doc:"what this server is called in records, metrics and subjects"`
	URL        string        `yaml:"url" doc:"https://host of the EDR server"`
	Token      string        `yaml:"token_file" doc:"file with the API token" secret:"file"`
	CA         string        `yaml:"ca" doc:"certificates to trust"`
	Pin        string        `yaml:"pin" doc:"SHA-256 of the server's certificate, instead of a CA"`
	Insecure   bool          `yaml:"insecure" doc:"do not verify the server's certificate"`
	Sessions   int           `yaml:"sessions" min:"1" doc:"Live Response sessions the server grants in all (its default is 10)"`
	Reserve    int           `yaml:"reserve" doc:"sessions left free for people"`
	SensorPoll time.Duration `yaml:"sensor_poll" doc:"how often all sensors are read at once, to wake parked jobs"`

	Accept       []string `yaml:"accept" doc:"names by which events call this server (cb_server of the event forwarder); default: its name"`
	Tenant       string   `yaml:"tenant" doc:"label for guards, users and lists; empty: none"`
	HostMismatch string   `yaml:"host_mismatch" enum:"hold,deny,allow" doc:"what becomes of a job whose event names another host than the server's record: hold, deny or allow"`
}

// Sources are the ways in which events arrive.
type Sources struct {
	NATS  NATSSource `yaml:"nats"`
	AMQP  AMQPSource `yaml:"amqp"`
	HTTP  HTTPSource `yaml:"http"`
	Files []string   `yaml:"files" doc:"files of events to follow (NDJSON, gzip)"`

	FilesServer string `yaml:"files_server" doc:"server whose events these files hold, where the events name none"`

	TCP    ListenSource `yaml:"tcp"`
	Syslog ListenSource `yaml:"syslog"`
	S3     S3Source     `yaml:"s3"`
}

// NATSSource reads the EVENTS stream of the bus.
type NATSSource struct {
	Enabled  bool   `yaml:"enabled" doc:"read events from the bus"`
	Subject  string `yaml:"subject" doc:"subject filter"`
	Consumer string `yaml:"consumer" doc:"name of the durable consumer; all replicas share it"`
	Ahead    int    `yaml:"ahead" doc:"messages fetched ahead"`

	AckWait time.Duration `yaml:"ack_wait" doc:"how long after a crash its unsettled messages go to another replica; longer work is no crash"`
}

// AMQPSource reads the EDR server's own RabbitMQ.
type AMQPSource struct {
	URL      string   `yaml:"url" doc:"amqp://user@host:5004/ of the EDR's RabbitMQ; empty: off"`
	Password string   `yaml:"password_file" doc:"file with the password" secret:"file"`
	CA       string   `yaml:"ca" doc:"certificates to trust"`
	Cert     string   `yaml:"cert" doc:"client certificate"`
	Key      string   `yaml:"key" doc:"key of the client certificate"`
	Queue    string   `yaml:"queue" doc:"name of our queue"`
	Keys     []string `yaml:"keys" doc:"routing keys to bind on api.events"`
	Raw      bool     `yaml:"raw" doc:"also bind api.rawsensordata"`
	Prefetch int      `yaml:"prefetch" doc:"unacknowledged messages at a time"`
}

// HTTPSource takes posts at /v1/ingest of the web listener.
type HTTPSource struct {
	Enabled bool   `yaml:"enabled" doc:"take events by HTTP"`
	Token   string `yaml:"token_file" doc:"file with the bearer token that senders show" secret:"file"`
	Server  string `yaml:"server" doc:"server whose events are posted, where the events name none; with one configured server: that one"`
	Body    int64  `yaml:"max_body" doc:"largest body in bytes, after decompression"`
}

// ListenSource takes lines on a socket.
type ListenSource struct {
	Listen string   `yaml:"listen" doc:"host:port to take lines on; empty: off"`
	Server string   `yaml:"server" doc:"server whose events these are, where the events name none"`
	From   []string `yaml:"from" doc:"networks that may connect (10.1.0.0/16); needed where listen is not loopback"`

	Idle   time.Duration `yaml:"idle" doc:"how long a connection may send nothing before it is ended; 0s: for ever"`
	Within time.Duration `yaml:"within" doc:"how long a message may take from its first byte to its end before the connection is ended"`
}

// Jobs bounds what the scheduler does.
type Jobs struct {
	Offline  time.Duration `yaml:"offline" doc:"how long a job waits for a sleeping sensor, unless its rule says otherwise"`
	TakeOver time.Duration `yaml:"take_over" doc:"how long another replica must give no sign of life before its sensors go to others"`
}

// Limits bound what events of one endpoint, or of one rule, can use up of what all share.
type Limits struct {
	Records  int `yaml:"records" min:"1" doc:"records that suppression and correlation keep in all; each takes about 100 bytes of memory on every replica"`
	Rule     int `yaml:"rule_records" min:"1" doc:"records of one rule"`
	Endpoint int `yaml:"endpoint_records" min:"1" doc:"records that events of one endpoint make"`
	Share    int `yaml:"share" min:"1" doc:"records that events of one endpoint make for one rule, suppression and correlation each; new keys beyond it count together"`
	Events   int `yaml:"endpoint_events" min:"0" doc:"events of one endpoint in a second that rules may match, on each replica; those beyond are dead letters; 0: any number"`
	Jobs     int `yaml:"endpoint_jobs" min:"0" doc:"jobs that rules make for one endpoint in an hour; events beyond are dead letters; 0: any number"`
}

// Artifacts is where collected files are kept.
type Artifacts struct {
	Store     string        `yaml:"store" enum:"bus,dir,s3" doc:"bus, dir or s3"`
	Dir       string        `yaml:"dir" doc:"for dir: the directory"`
	Endpoint  string        `yaml:"endpoint" doc:"for s3: host:port"`
	Bucket    string        `yaml:"bucket" doc:"for s3: the bucket"`
	AccessKey string        `yaml:"access_key_file" doc:"for s3: file with the access key" secret:"file"`
	SecretKey string        `yaml:"secret_key_file" doc:"for s3: file with the secret key" secret:"file"`
	Encrypt   []string      `yaml:"encrypt_to" doc:"age recipients; empty: not encrypted"`
	Keep      time.Duration `yaml:"keep" doc:"how long files are kept"`
	Quota     int64         `yaml:"quota" doc:"bytes in all; 0: no limit"`
}

// Web is the dashboard, the HTTP API and the metrics.
type Web struct {
	Listen string `yaml:"listen" doc:"host:port of dashboard, API, metrics and HTTP ingest; empty: off"`
	Cert   string `yaml:"cert" doc:"certificate; turns TLS on"`
	Key    string `yaml:"key" doc:"key of the certificate"`
	Users  string `yaml:"users_file" doc:"file with users, roles and token hashes; empty: one admin token is made at first start" secret:"file"`

	Connections int `yaml:"connections" min:"1" doc:"connections open at a time; a quarter of the process's file descriptors at the most"`
	PerAddress  int `yaml:"connections_per_address" min:"1" doc:"connections from one address (IPv6: one /64) at a time; raise it behind a proxy"`

	OIDCIssuer   string `yaml:"oidc_issuer" doc:"OpenID Connect issuer URL; empty: off"`
	OIDCClient   string `yaml:"oidc_client_id" doc:"OpenID Connect client id"`
	OIDCSecret   string `yaml:"oidc_secret_file" doc:"file with the client secret" secret:"file"`
	OIDCRedirect string `yaml:"oidc_redirect" doc:"where the issuer sends people back, https://host/auth/callback"`
}

// Notify is how people are told of what needs them.
type Notify struct {
	Webhook  string        `yaml:"webhook_file" doc:"file with the address that gets each notification as JSON; empty: off" secret:"file"`
	Slack    string        `yaml:"slack_file" doc:"file with the address of a Slack incoming webhook" secret:"file"`
	Teams    string        `yaml:"teams_file" doc:"file with the address of a Teams incoming webhook" secret:"file"`
	SMTP     string        `yaml:"smtp" doc:"host:port of a mail server; STARTTLS where it offers that"`
	User     string        `yaml:"smtp_user" doc:"user name at the mail server"`
	Password string        `yaml:"smtp_password_file" doc:"file with that user's password" secret:"file"`
	From     string        `yaml:"from" doc:"address that mails come from"`
	To       []string      `yaml:"to" doc:"addresses that mails go to"`
	Repeat   time.Duration `yaml:"repeat" doc:"how long until what still needs people is sent again"`
	Quiet    string        `yaml:"quiet" doc:"hours of the day in which only a stop and what does not work is sent, 22:00-06:00; empty: none"`
	Link     string        `yaml:"link" doc:"address of the dashboard, put into each notification"`
}

// Log is what the service says of itself on standard error.
type Log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error" doc:"debug, info, warn or error"`
	Format string `yaml:"format" enum:"auto,json,text" doc:"json, text, or auto: text on a terminal"`
}

// Tracing sends traces from event to last step.
type Tracing struct {
	Endpoint string `yaml:"endpoint" doc:"OTLP/HTTP endpoint, http://host:4318; empty: off"`
}

// Default is the configuration of a service that nobody configured.
func Default() Config {
	day := 24 * time.Hour
	return Config{
		Data:  "edrpipe-data",
		Rules: []string{"rules"},
		Grace: 20 * time.Second,
		Lists: Lists{MaxShrink: "50%"},
		Bus: Bus{
			Replicas: 1,
			Floor:    256 << 20,
			Events:   Retention{Age: day, Bytes: 2 << 30},
			Dead:     Retention{Age: 30 * day, Bytes: 256 << 20},
			Results:  Retention{Age: 90 * day, Bytes: 1 << 30},
			History:  Retention{Age: 30 * day, Bytes: 1 << 30},
		},
		EDR: EDR{Name: "edr", Sessions: 10, Reserve: 1, SensorPoll: 15 * time.Second, HostMismatch: "hold"},
		Sources: Sources{
			NATS:   NATSSource{Enabled: true, Subject: "edr.events.>", Consumer: "rules", Ahead: 2000, AckWait: 10 * time.Second},
			AMQP:   AMQPSource{Queue: "edrpipe", Keys: []string{"watchlist.#", "feed.#", "alert.#", "ingress.event.#"}, Prefetch: 200},
			HTTP:   HTTPSource{Enabled: true, Body: 32 << 20},
			TCP:    ListenSource{Idle: time.Hour, Within: time.Minute},
			Syslog: ListenSource{Idle: time.Hour, Within: time.Minute},
			S3:     S3Source{Poll: time.Minute, Lookback: time.Hour},
		},
		Jobs:      Jobs{Offline: 72 * time.Hour, TakeOver: 10 * time.Second},
		Limits:    Limits{Records: 500_000, Rule: 125_000, Endpoint: 10_000, Share: 2000},
		Artifacts: Artifacts{Store: "bus", Keep: 90 * day},
		Web:       Web{Listen: "127.0.0.1:7480", Connections: 1024, PerAddress: 256},
		Notify:    Notify{Repeat: 4 * time.Hour},
		Log:       Log{Level: "info", Format: "auto"},
	}
}

// StateKey is the file with the key of the records that replicas share.
func (c *Config) StateKey() string {
	if c.State != "" {
		return c.State
	}
	return filepath.Join(c.Data, "state.key")
}

// AuditKey reads the key of the audit log's hashes: its own, or one made of the key of the
// records that replicas share.
func (c *Config) AuditKey() ([]byte, error) {
	if c.Audit != "" {
		key, err := readKey(c.Audit)
		if err != nil {
			return nil, fmt.Errorf("audit_key_file: %w", err)
		}
		return key, nil
	}
	key, err := readKey(c.StateKey())
	if err != nil {
		return nil, fmt.Errorf("state_key_file: %w", err)
	}
	return seal.Derive(key, "audit"), nil
}

func readKey(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if data = bytes.TrimSpace(data); len(data) == 0 {
		return nil, fmt.Errorf("%s is empty", file)
	}
	return data, nil
}
