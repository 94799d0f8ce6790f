// Package web serves HTTP: the dashboard, the API, metrics, health and event ingest. All
// routes but health require authentication; changes require the right role.
package web
