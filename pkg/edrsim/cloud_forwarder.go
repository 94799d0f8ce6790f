package edrsim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// A ForwarderSink takes the Data Forwarder's files: a folder, or a bucket.
type ForwarderSink interface {
	Put(key string, content []byte) error
}

// A ForwarderDir is a folder that holds the files under their keys, and in
// notices.jsonl the notices that a bucket would send to a queue.
type ForwarderDir string

// Put writes one file and its notice.
func (d ForwarderDir) Put(key string, content []byte) error {
	name := filepath.Join(string(d), filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(string(d), "notices.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(S3Notice("forwarder", key, len(content)), '\n'))
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// S3Notice is the body of the message that a bucket sends to a queue about a new
// object.
func S3Notice(bucket, key string, size int) []byte {
	b, _ := json.Marshal(object{"Records": []object{{
		"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
		"s3": object{"bucket": object{"name": bucket}, "object": object{"key": url.QueryEscape(key), "size": size}},
	}}})
	return b
}

// ForwarderKey is the key of a forwarder's file: its numbers have no leading
// zeros, so that keys do not sort by time.
func ForwarderKey(prefix, orgKey string, at time.Time, id string) string {
	at = at.UTC()
	return fmt.Sprintf("%s/org_key=%s/year=%d/month=%d/day=%d/hour=%d/minute=%d/second=%d/%s.jsonl.gz",
		prefix, orgKey, at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), id)
}

// forward writes an alert as the Data Forwarder does: whole, with the version of
// its schema. Callers hold the server's mutex.
func (c *cloud) forward(a *cloudAlert) {
	sink := c.srv.cfg.Forwarder
	if sink == nil {
		return
	}
	v := object{"version": "2.1.0"}
	for name, value := range a.fields {
		v[name] = value
	}
	line, err := json.Marshal(v)
	if err != nil {
		panic("edrsim: alert: " + err.Error()) // made of plain values
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(append(line, '\n')) // its error comes again from Close
	if err := z.Close(); err != nil {
		panic("edrsim: gzip into memory: " + err.Error())
	}
	if err := sink.Put(ForwarderKey("alerts", c.srv.cfg.OrgKey, c.srv.clock.now(), c.uuid()), b.Bytes()); err != nil {
		c.srv.counters.fault("forwarder: " + err.Error())
	}
}
