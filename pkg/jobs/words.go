package jobs

import (
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// The words of package job, under the names that callers of this package use.
type (
	Job        = job.Job
	State      = job.State
	Reason     = job.Reason
	Priority   = job.Priority
	Policy     = job.Policy
	Parent     = job.Parent
	Request    = job.Request
	Question   = job.Question
	Answer     = admission.Answer
	StepState  = job.StepState
	StepRecord = job.StepRecord
	Transition = job.Transition

	Store       = job.Store
	Change      = job.Change
	Memory      = job.Memory
	Table       = job.Table
	Claim       = job.Claim
	TableStore  = job.TableStore
	MemoryTable = job.MemoryTable

	ResultNotice     = job.ResultNotice
	StepNotice       = job.StepNotice
	TransitionNotice = job.TransitionNotice
	EventRef         = job.EventRef
)

// Policies of a concurrency group.
const (
	Queue   = job.Queue
	Join    = job.Join
	Drop    = job.Drop
	Replace = job.Replace
)

// States of a job.
const (
	Held      = job.Held
	Queued    = job.Queued
	Parked    = job.Parked
	Running   = job.Running
	Succeeded = job.Succeeded
	Shadowed  = job.Shadowed
	Skipped   = job.Skipped
	Failed    = job.Failed
	Cancelled = job.Cancelled
	Expired   = job.Expired
	Denied    = job.Denied
	Unknown   = job.Unknown
)

// LiveStates are the states of jobs that have not ended.
func LiveStates() []State { return job.Live() }

// EndedStates are the terminal states.
func EndedStates() []State { return job.Ended() }

// Priorities, highest first.
const (
	Critical = job.Critical
	High     = job.High
	Normal   = job.Normal
	Low      = job.Low
)

// States of a step.
const (
	StepPending   = job.StepPending
	StepIntent    = job.StepIntent
	StepSubmitted = job.StepSubmitted
	StepOK        = job.StepOK
	StepFailed    = job.StepFailed
	StepSkipped   = job.StepSkipped
	StepUnknown   = job.StepUnknown
)

// Why a job waits.
const (
	ReasonSlot         = job.ReasonSlot
	ReasonOrder        = job.ReasonOrder
	ReasonGroup        = job.ReasonGroup
	ReasonOffline      = job.ReasonOffline
	ReasonCheckin      = job.ReasonCheckin
	ReasonPending      = job.ReasonPending
	ReasonSilent       = job.ReasonSilent
	ReasonSensorBusy   = job.ReasonSensorBusy
	ReasonServer       = job.ReasonServer
	ReasonRetry        = job.ReasonRetry
	ReasonApproval     = job.ReasonApproval
	ReasonBudget       = job.ReasonBudget
	ReasonDelayed      = job.ReasonDelayed
	ReasonChild        = job.ReasonChild
	ReasonPaused       = job.ReasonPaused
	ReasonShutdown     = job.ReasonShutdown
	ReasonGaveWay      = job.ReasonGaveWay
	ReasonUnknownState = job.ReasonUnknownState
	ReasonOtherHost    = job.ReasonOtherHost
	ReasonUnknownFact  = job.ReasonUnknownFact
	ReasonFactPending  = job.ReasonFactPending
	ReasonBus          = job.ReasonBus
)

// Why a job or step ended as it did.
const (
	ReasonStep          = job.ReasonStep
	ReasonBinding       = job.ReasonBinding
	ReasonUnknownSensor = job.ReasonUnknownSensor
	ReasonUnsupported   = job.ReasonUnsupported
	ReasonDeadline      = job.ReasonDeadline
	ReasonTimeout       = job.ReasonTimeout
	ReasonCancelled     = job.ReasonCancelled
	ReasonJoined        = job.ReasonJoined
	ReasonDropped       = job.ReasonDropped
	ReasonReplaced      = job.ReasonReplaced
	ReasonDenied        = job.ReasonDenied
	ReasonUnanswered    = job.ReasonUnanswered
	ReasonUnknown       = job.ReasonUnknown
	ReasonAdopted       = job.ReasonAdopted
	ReasonCondition     = job.ReasonCondition
	ReasonShadow        = job.ReasonShadow
	ReasonTooLarge      = job.ReasonTooLarge
	ReasonLost          = job.ReasonLost
	ReasonRecordLost    = job.ReasonRecordLost
)

// Errors of a Store and of operators' requests.
var (
	ErrNoJob    = job.ErrNoJob
	ErrConflict = job.ErrConflict
	ErrTooLarge = job.ErrTooLarge
	ErrDamaged  = job.ErrDamaged
	ErrRefused  = job.ErrRefused
)

// Fit makes a new job's record small enough, by cutting what it keeps of its event.
func Fit(j *Job) bool { return job.Fit(j) }

// MaxRecord bounds a job's record in the store, in bytes.
const MaxRecord = job.MaxRecord

// ID is job.ID.
func ID(rule, event string, endpoint edr.Endpoint) string { return job.ID(rule, event, endpoint) }

// NewID is job.NewID.
func NewID() string { return job.NewID() }
