package cbc

import (
	"context"
	"net/http"
	"time"

	"edrpipe/pkg/edr"
)

// SetIsolation requests quarantine of one device, or its release. The device follows
// at its next contact. The product has one flag, which changes then: until it does
// the request is remembered here, and by a restart forgotten.
func (c *Client) SetIsolation(ctx context.Context, sensorID string, isolated bool) error {
	n, err := deviceNumber(sensorID)
	if err != nil {
		return err
	}
	now, err := c.device(ctx, sensorID, urgent)
	if err != nil {
		return err
	}
	if c.wants(now) == isolated {
		return nil
	}
	toggle := "OFF"
	if isolated {
		toggle = "ON"
	}
	err = c.do(ctx, call{
		method: http.MethodPost, path: c.app("/device_actions"), repeat: true, // the same state twice is one
		where: edr.Where{Sensor: sensorID}, order: urgent,
		body: map[string]any{"action_type": "QUARANTINE", "device_id": []int64{n}, "options": map[string]string{"toggle": toggle}},
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requested[sensorID] = quarantine{isolated, time.Now()}
	return nil
}

// wants reports whether the device is quarantined or its quarantine was requested.
func (c *Client) wants(d deviceJSON) bool {
	switch c.isolation(d) {
	case edr.Isolated, edr.IsolateRequested:
		return true
	}
	return false
}

// isolation joins the device's flag with what was requested here.
func (c *Client) isolation(d deviceJSON) edr.Isolation {
	c.mu.Lock()
	defer c.mu.Unlock()
	on := bool(d.Quarantined)
	asked, pending := c.requested[string(d.ID)]
	if pending && asked.on == on {
		delete(c.requested, string(d.ID))
		pending = false
	}
	switch {
	case pending && asked.on:
		return edr.IsolateRequested
	case pending:
		return edr.ReleaseRequested
	case on:
		return edr.Isolated
	}
	return edr.NotIsolated
}
