package process

// IdleID is the number of the process that waits for a run.
func IdleID(p *Plugin) string { return p.idle.command.ID() }
