package events

func sensorMap(message string) map[string]any { return nil }
