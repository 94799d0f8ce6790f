package lr

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
)

func TestKindsOfRefusal(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   error
	}{
		"no right":      {401, "", edr.ErrUnauthorized},
		"forbidden":     {403, `{"reason":"no"}`, edr.ErrUnauthorized},
		"disabled":      {412, "", edr.ErrDisabled},
		"unknown":       {404, "Sensor 1 not found", edr.ErrUnknownSensor},
		"unknown, mute": {404, "", edr.ErrUnknownSensor},
		"broken":        {500, "<html>", edr.ErrServer},
		"message":       {200, `{"errorMessage": "no way"}`, edr.ErrServer},
		"cut":           {200, `{"id": 1, "comp`, edr.ErrServer},
		"other":         {200, `{"id": 2}`, edr.ErrServer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.hook = func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
				return true
			}
			_, err := f.client(t).Sensor(t.Context(), "1")
			var e *Error
			if !errors.Is(err, tt.want) || !errors.As(err, &e) || e.Sensor != "1" {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestPassingFaultsAreRetried also counts: three tries and no more.
func TestPassingFaultsAreRetried(t *testing.T) {
	for _, status := range []int{500, 502, 503, 504} {
		f := newFake(t)
		f.hook = func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.WriteHeader(status)
			return true
		}
		if _, err := f.client(t).Sensor(t.Context(), "1"); !errors.Is(err, edr.ErrServer) || f.count("GET") != 3 {
			t.Errorf("%d: %v after %d tries", status, err, f.count("GET"))
		}
	}
}

func TestSensorsByPages(t *testing.T) {
	f := newFake(t)
	f.hook = func(_ *fake, w http.ResponseWriter, r *http.Request, _ []byte) bool {
		start, _ := strconv.Atoi(r.URL.Query().Get("start"))
		page := []object{}
		for i := start; i < min(start+100, 250); i++ {
			page = append(page, object{"id": strconv.Itoa(i + 1), "computer_name": "h"})
		}
		write(w, object{"total_results": "250", "results": page, "facets": object{}})
		return true
	}
	all, err := f.client(t).Sensors(t.Context(), edr.SensorQuery{})
	if err != nil || len(all) != 250 || all[249].ID != "250" || f.count("GET /api/v2/sensor") != 3 {
		t.Errorf("%d sensors, %v in %d requests", len(all), err, f.count("GET"))
	}
}

func TestSensorsOfOldServers(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   int
	}{
		"some":                 {200, `[{"id": 1}, {"id": 2}]`, 2},
		"none, 204":            {204, "", 0},
		"none, as 500":         {500, "oops", 0},
		"none, an empty array": {200, "[]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.hook = func(_ *fake, w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if strings.HasPrefix(r.URL.Path, "/api/v2/") {
					http.NotFound(w, r)
					return true
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
				return true
			}
			all, err := f.client(t).Sensors(t.Context(), edr.SensorQuery{Hostname: "x"})
			if err != nil || len(all) != tt.want {
				t.Errorf("got %d, %v, want %d", len(all), err, tt.want)
			}
		})
	}
}

func TestNewestSensorOfAHost(t *testing.T) {
	f := newFake(t)
	f.hook = func(_ *fake, w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		write(w, object{"total_results": 4, "results": []object{
			{"id": 1, "computer_name": "WS-1", "last_checkin_time": "2024-01-01 00:00:00+00:00"},
			{"id": 2, "computer_name": "WS-10", "last_checkin_time": "2025-01-01 00:00:00+00:00"},
			{"id": 3, "computer_name": "ws-1", "last_checkin_time": "2024-01-01 03:00:00+02:00"},
			{"id": 4, "computer_name": "x", "computer_dns_name": "ws-1.example", "last_checkin_time": "2023-01-01 00:00:00+00:00"},
		}})
		return true
	}
	c := f.client(t)
	for name, want := range map[string]string{"ws-1": "3", "WS-1.EXAMPLE": "4"} {
		if got, err := c.FindSensor(t.Context(), name); err != nil || got.ID != want {
			t.Errorf("%s is sensor %s, %v, want %s", name, got.ID, err, want)
		}
	}
	if _, err := c.FindSensor(t.Context(), "ws"); !errors.Is(err, edr.ErrUnknownSensor) {
		t.Errorf("part of a name: %v", err)
	}
}
