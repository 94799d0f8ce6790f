package events

func cloudShapes() map[string]*shape { return nil }

func (p *pass) cloudType(typ string) string { return "" }
