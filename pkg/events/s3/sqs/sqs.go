// Package sqs is the queue of a bucket's notices at Amazon SQS, or a service that speaks
// its protocol.
package sqs

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"edrpipe/pkg/events/s3"
)

// Limits of one request for messages.
const (
	most     = 10 // messages
	patience = 20 * time.Second
)

// Queue is one queue. It implements s3.Queue.
type Queue struct {
	client *sqs.Client
	url    string
}

var _ s3.Queue = (*Queue)(nil)

// Open returns the queue at an address, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME. It
// sends no request. The keys are those for the bucket.
func Open(address, region string, keys *credentials.Credentials) (*Queue, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Path == "" || u.Path == "/" {
		return nil, fmt.Errorf("%.200q is not the address of a queue, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", address)
	}
	client := sqs.New(sqs.Options{
		Region: region, BaseEndpoint: aws.String(u.Scheme + "://" + u.Host), Credentials: provider{keys},
	})
	return &Queue{client, address}, nil
}

// provider gives the keys for the bucket to the client of the queue.
type provider struct{ keys *credentials.Credentials }

// Retrieve implements aws.CredentialsProvider.
func (p provider) Retrieve(context.Context) (aws.Credentials, error) {
	v, err := p.keys.GetWithContext(nil)
	return aws.Credentials{
		AccessKeyID: v.AccessKeyID, SecretAccessKey: v.SecretAccessKey, SessionToken: v.SessionToken, Source: "edrpipe",
		CanExpire: true, Expires: time.Now().Add(time.Minute), // the keys know best, and are asked again
	}, err
}

// Receive waits for messages for up to 20 seconds.
func (q *Queue) Receive(ctx context.Context) ([]s3.Notice, error) {
	got, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: most, WaitTimeSeconds: int32(patience.Seconds()), VisibilityTimeout: int32(s3.Hidden.Seconds()),
	})
	if err != nil {
		return nil, fmt.Errorf("receive from queue: %w", err)
	}
	all := make([]s3.Notice, len(got.Messages))
	for i, m := range got.Messages {
		all[i] = s3.Notice{Body: aws.ToString(m.Body), Receipt: aws.ToString(m.ReceiptHandle)}
	}
	return all, nil
}

// Extend hides a message for another s3.Hidden from now.
func (q *Queue) Extend(ctx context.Context, receipt string) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &q.url, ReceiptHandle: &receipt, VisibilityTimeout: int32(s3.Hidden.Seconds()),
	})
	return err
}

// Delete removes a message.
func (q *Queue) Delete(ctx context.Context, receipt string) error {
	_, err := q.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: &receipt})
	return err
}
