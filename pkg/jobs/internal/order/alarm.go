package order

import (
	"container/heap"
	"time"
)

// alarm is a time at which to look at a sensor.
type alarm struct {
	at     time.Time
	sensor *Sensor
}

// alarms is a heap, earliest first. An alarm that is not its sensor's any more
// is skipped when it comes up.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)        { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// setAlarm has the sensor looked at at a time, or earlier.
func (q *Queue) SetAlarm(sn *Sensor, at time.Time) {
	if at.IsZero() || (!sn.alarm.IsZero() && !at.Before(sn.alarm)) {
		return
	}
	sn.alarm = at
	heap.Push(&q.alarms, alarm{at, sn})
}

// ring returns the jobs whose time has come, for the clerk to look at, and wakes
// sensors that rested. next is when to call again; zero: when something happens.
func (q *Queue) Ring(now time.Time) (due []string, next time.Time) {
	for len(q.alarms) > 0 && !q.alarms[0].at.After(now) {
		a := heap.Pop(&q.alarms).(alarm)
		if !a.sensor.alarm.Equal(a.at) {
			continue // an earlier alarm of this sensor took its place
		}
		a.sensor.alarm = time.Time{}
		again := time.Time{}
		for _, e := range a.sensor.Jobs {
			if e.Wake.After(now) {
				again = Earliest(again, e.Wake)
			} else {
				e.Wake = time.Time{}
			}
			if at := e.alarm(); at.After(now) {
				again = Earliest(again, at)
			} else if !at.IsZero() {
				due = append(due, e.ID)
			}
		}
		q.SetAlarm(a.sensor, again)
		q.Review(a.sensor, now)
	}
	if len(q.alarms) > 0 {
		next = q.alarms[0].at
	}
	return due, next
}
