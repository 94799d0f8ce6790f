// Package web is what people and scripts reach over HTTP: the dashboard, the
// API, metrics, health and event ingest. Everything but health asks who is
// there; what changes something asks for the right role.
package web
