package inflight

import "sync/atomic"

// All joins n settlements into one: settle is called once, after the last, with
// one of the errors if there was any. With n 0 it is called at once. It is how a
// message that was taken apart stays whole for its origin.
func All(n int, settle func(error)) (part func(error)) {
	if n == 0 {
		settle(nil)
		return func(error) {}
	}
	var left atomic.Int64
	var failed atomic.Pointer[error]
	left.Store(int64(n))
	return func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		if left.Add(-1) != 0 {
			return
		}
		if e := failed.Load(); e != nil {
			settle(*e)
			return
		}
		settle(nil)
	}
}
