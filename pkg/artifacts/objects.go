package artifacts

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/ordered"
)

// Objects is a Backend in a JetStream object store. What it writes is an
// ordinary object, which every client of such stores can read. It does not use
// the client library's own Put, which has up to 4,000 chunks of any size on
// their way at once, and re-uses their memory meanwhile.
type Objects struct {
	JetStream jetstream.JetStream
	Store     jetstream.ObjectStore
}

const (
	chunkSize = 1<<20 - 4096 // bytes, so that a chunk fits a message of 1 MiB
	window    = 4            // chunks on their way at once

	takenWithin = 30 * time.Second // an answer lost with a connection never comes
)

// Put implements Backend.
func (o Objects) Put(ctx context.Context, name string, r io.Reader) error {
	status, err := o.Store.Status(ctx)
	if err != nil {
		return err
	}
	info := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: chunkSize}},
		Bucket:     status.Bucket(),
		NUID:       rand.Text(),
	}
	sent := newStream(r)
	err = o.send(ctx, &info, sent)
	if err == nil {
		err = o.describe(ctx, &info, sent)
	}
	if err == nil {
		err = o.compare(ctx, info)
	}
	if err != nil {
		return errors.Join(err, o.purge(context.WithoutCancel(ctx), info)) // not to be left behind, also at shutdown
	}
	return nil
}

// chunks is the subject of an object's chunks.
func chunks(info jetstream.ObjectInfo) string {
	return "$O." + info.Bucket + ".C." + info.NUID
}

// underWay is a chunk that is being stored.
type underWay struct {
	chunk []byte
	ack   jetstream.PubAckFuture
}

// send publishes the chunks, a few at a time. Until the store has a chunk its
// memory is not used again: the client may have to send it once more.
func (o Objects) send(ctx context.Context, info *jetstream.ObjectInfo, r *stream) error {
	var pending []underWay
	for chunk := make([]byte, chunkSize); ; {
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			ack, err := o.JetStream.PublishMsgAsync(&nats.Msg{Subject: chunks(*info), Data: chunk[:n]})
			if err != nil {
				return err
			}
			pending = append(pending, underWay{chunk, ack})
			info.Chunks++
		}
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		chunk = nil
		for len(pending) > window || last && len(pending) > 0 {
			if err := taken(ctx, pending[0].ack); err != nil {
				return err
			}
			chunk, pending = pending[0].chunk, pending[1:]
		}
		if last {
			return nil
		}
		if chunk == nil {
			chunk = make([]byte, chunkSize)
		}
	}
}

var errNotTaken = fmt.Errorf("the bus has not confirmed a chunk after %v: %w", takenWithin, context.DeadlineExceeded)

// taken waits until the store has a chunk.
func taken(ctx context.Context, ack jetstream.PubAckFuture) error {
	ctx, cancel := context.WithTimeoutCause(ctx, takenWithin, errNotTaken)
	defer cancel()
	select {
	case <-ack.Ok():
		return nil
	case err := <-ack.Err():
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// describe publishes what makes the chunks an object.
func (o Objects) describe(ctx context.Context, info *jetstream.ObjectInfo, sent *stream) error {
	sum, err := hex.DecodeString(sent.SHA256())
	if err != nil {
		return err
	}
	info.Size, info.Digest = uint64(sent.size), "SHA-256="+base64.URLEncoding.EncodeToString(sum)
	text, err := json.Marshal(info)
	if err != nil {
		return err
	}
	m := nats.NewMsg(description(info.Bucket, info.Name))
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	m.Data = text
	_, err = o.JetStream.PublishMsg(ctx, m)
	return err
}

// compare reads the object back. The client library hashes it and compares that
// with the digest in the object's description, which has to be the one that we wrote.
func (o Objects) compare(ctx context.Context, info jetstream.ObjectInfo) error {
	kept, err := o.Store.Get(ctx, info.Name)
	if err != nil {
		return err
	}
	n, err := copyAll(io.Discard, kept)
	found, described := kept.Info()
	switch err := errors.Join(err, described, kept.Close()); {
	case errors.Is(err, jetstream.ErrDigestMismatch):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return fmt.Errorf("read back what was stored: %w", err)
	case uint64(n) != info.Size || found.Digest != info.Digest:
		return fmt.Errorf("%w: %d bytes with %s came back, of %d with %s", ErrDamaged, n, found.Digest, info.Size, info.Digest)
	}
	return nil
}

// purge removes the chunks of an incomplete object.
func (o Objects) purge(ctx context.Context, info jetstream.ObjectInfo) error {
	stream, err := o.JetStream.Stream(ctx, "OBJ_"+info.Bucket)
	if err != nil {
		return err
	}
	return errors.Join(o.Delete(ctx, info.Name), stream.Purge(ctx, jetstream.WithPurgeSubject(chunks(info))))
}

// Open implements Backend.
func (o Objects) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	kept, err := o.Store.Get(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return kept, err
}

// Delete implements Backend. Of an object whose description cannot be read the
// description is removed; which chunks it had is not known.
func (o Objects) Delete(ctx context.Context, name string) error {
	err := o.Store.Delete(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil
	}
	if err == nil || !errors.Is(err, jetstream.ErrBadObjectMeta) {
		return err
	}
	status, err := o.Store.Status(ctx)
	if err != nil {
		return err
	}
	stream, err := o.JetStream.Stream(ctx, "OBJ_"+status.Bucket())
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject(description(status.Bucket(), name)))
}

// description is the subject of an object's description.
func description(bucket, name string) string {
	return "$O." + bucket + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

// List implements Backend.
func (o Objects) List(ctx context.Context, visit func(Blob) error) error {
	infos, err := o.list(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(infos, func(a, b *jetstream.ObjectInfo) int { return cmp.Compare(a.Name, b.Name) })
	for _, i := range infos {
		if err := visit(Blob{Name: i.Name, Size: int64(i.Size), Time: i.ModTime}); err != nil {
			return err
		}
	}
	return nil
}

// listBytes bounds the descriptions under way to a list.
const listBytes = 4 << 20

// listWithin bounds the wait for the next description of a file.
const listWithin = 30 * time.Second

// list reads the descriptions of all files. The client library's own List never ends where
// the last of them cannot be read; here such a one has its name only, and no size.
func (o Objects) list(ctx context.Context) (infos []*jetstream.ObjectInfo, err error) {
	status, err := o.Store.Status(ctx)
	if err != nil {
		return nil, err
	}
	consumer, err := ordered.Consumer(ctx, o.JetStream, "OBJ_"+status.Bucket(), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"$O." + status.Bucket() + ".M.>"}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, InactiveThreshold: listWithin,
	})
	if err != nil {
		return nil, err
	}
	if consumer.CachedInfo().NumPending == 0 {
		return nil, nil
	}
	messages, err := consumer.Messages(jetstream.PullMaxBytes(listBytes))
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, listWithin)
		m, err := messages.Next(jetstream.NextContext(limited))
		cancel()
		if err != nil {
			return nil, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		if info := described(strings.TrimPrefix(m.Subject(), "$O."+status.Bucket()+".M."), m.Data()); info != nil && !info.Deleted {
			info.ModTime = meta.Timestamp
			infos = append(infos, info)
		}
		if meta.NumPending == 0 {
			return infos, nil
		}
	}
}

// described decodes the description of a file, which has the last word of its subject for
// its name. A description that cannot be read, or is of another name, has the name only;
// nil: the word is no name.
func described(word string, data []byte) *jetstream.ObjectInfo {
	name, err := base64.URLEncoding.DecodeString(word)
	if err != nil {
		return nil
	}
	info := new(jetstream.ObjectInfo)
	if json.Unmarshal(data, info) != nil || info.Name != string(name) {
		return &jetstream.ObjectInfo{ObjectMeta: jetstream.ObjectMeta{Name: string(name)}}
	}
	return info
}
