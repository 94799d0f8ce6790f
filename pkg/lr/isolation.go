package lr

import (
	"context"
	"net/http"
	"time"

	"edrpipe/pkg/edr"
)

// sensorUpdate is all that servers since 7.1 accept in a sensor's update, and
// the group that they want in it.
type sensorUpdate struct {
	Isolate bool   `json:"network_isolation_enabled"`
	GroupID number `json:"group_id"`
	// The other writable flags are repeated as they are: some servers take an
	// absent one for false.
	RestartQueued bool `json:"restart_queued"`
	Uninstall     bool `json:"uninstall"`
}

// SetIsolation requests the state. The sensor applies it at its next check-in;
// AwaitIsolation blocks until then.
func (c *Client) SetIsolation(ctx context.Context, sensorID string, isolated bool) error {
	now, err := c.sensor(ctx, sensorID)
	if err != nil {
		return err
	}
	if bool(now.Isolate) == isolated {
		return nil
	}
	return c.do(ctx, call{
		method: http.MethodPut, path: sensorPath + "/" + idText(now.ID), repeat: true,
		where: edr.Where{Sensor: sensorID},
		body: sensorUpdate{
			Isolate: isolated, GroupID: now.GroupID,
			RestartQueued: bool(now.RestartQueued), Uninstall: bool(now.Uninstall),
		},
	})
}

// AwaitIsolation waits until the sensor itself has followed the last request,
// which takes a check-in: 30 s in a small fleet, up to 22 minutes in a large one.
func (c *Client) AwaitIsolation(ctx context.Context, sensorID string) (edr.Sensor, error) {
	var s edr.Sensor
	err := c.await(ctx, edr.Where{Sensor: sensorID}, maxSensorPoll, func(ctx context.Context, _ time.Duration) (bool, error) {
		var err error
		s, err = c.Sensor(ctx, sensorID)
		return s.Isolation == edr.Isolated || s.Isolation == edr.NotIsolated, err
	})
	return s, err
}
