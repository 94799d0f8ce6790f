package config

import (
	"net/url"
	"strings"
	"time"
)

// S3Source reads the objects of a bucket, such as a Data Forwarder's files.
type S3Source struct {
	Bucket    string        `yaml:"bucket" doc:"bucket whose objects are events, a line each; empty: off"`
	Prefix    string        `yaml:"prefix" doc:"of the keys that are read"`
	Endpoint  string        `yaml:"endpoint" doc:"https://host of the S3-compatible storage; http:// only to loopback"`
	Region    string        `yaml:"region" doc:"of the bucket; empty: the storage says"`
	AccessKey string        `yaml:"access_key_file" doc:"file with the access key" secret:"file"`
	SecretKey string        `yaml:"secret_key_file" doc:"file with the secret key" secret:"file"`
	Server    string        `yaml:"server" doc:"server whose events the objects hold, where the events name none"`
	Queue     string        `yaml:"queue" doc:"address of the SQS queue with the bucket's notices, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME; new objects are read at once, and the bucket is still listed at each poll"`
	Poll      time.Duration `yaml:"poll" doc:"pause between two looks for new objects"`
	Lookback  time.Duration `yaml:"lookback" doc:"how much earlier than the newest object read one may have been received and still be found; a first start reads the objects of that time"`
}

// check finds what cannot work.
func (s S3Source) check(bad func(path, format string, args ...any)) {
	if s.Bucket == "" {
		if s.Endpoint != "" || s.Prefix != "" || s.Queue != "" {
			bad("sources.s3.bucket", "is not set, and other keys of sources.s3 are")
		}
		return
	}
	switch {
	case s.Endpoint == "":
		bad("sources.s3.endpoint", "is not set: write https://s3.<region>.amazonaws.com, or the address of the storage")
	case !strings.HasPrefix(s.Endpoint, "https://") && !(strings.HasPrefix(s.Endpoint, "http://") && loopback(s.Endpoint)):
		bad("sources.s3.endpoint", "%q would carry events in clear text: write https://host", s.Endpoint)
	}
	if s.Queue != "" {
		s.checkQueue(bad)
	}
	if (s.AccessKey == "") != (s.SecretKey == "") {
		bad("sources.s3.access_key_file", "and sources.s3.secret_key_file belong together")
	}
	if s.Poll < time.Second {
		bad("sources.s3.poll", "must be at least 1s")
	}
	if s.Lookback < s.Poll {
		bad("sources.s3.lookback", "must not be shorter than sources.s3.poll")
	}
}

// checkQueue finds what cannot work with the queue.
func (s S3Source) checkQueue(bad func(path, format string, args ...any)) {
	u, err := url.Parse(s.Queue)
	switch {
	case err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "":
		bad("sources.s3.queue", "is not the address of a queue: write https://sqs.<region>.amazonaws.com/<account>/<name>")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(s.Queue)):
		bad("sources.s3.queue", "%q would carry names of objects in clear text: write https://host", s.Queue)
	case s.Region == "":
		bad("sources.s3.region", "is not set, and requests to sources.s3.queue are signed for a region")
	}
}
