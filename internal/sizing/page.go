package main

const head = `# What a fleet needs

Written by ` + "`go run ./internal/sizing > docs/sizing.md`" + ` from the measured costs in ` + "`docs/measured.json`" + `. What is not measured is
not used here; how much a fleet sends and how much of that is acted on only its owner knows, so those are rows.

## Measured

Two cores shared with other work, so rates are lower bounds and times upper bounds.

| cost | value | measured by |
|---|---|---|
`

const between = `
## A fleet

"Times what two cores did" is the rate over the measured one, no number of machines: replicas on machines of their
own, and buses beyond one cluster, were not measured. Disk is that of one copy: three copies take three times as much.

| sensors | events a second | jobs a day | times what two cores did | GiB of events a day, where all are kept | MiB of finished jobs a day | EDR servers for the jobs, at ten sessions each |
|---|---|---|---|---|---|---|
`

const tail = `
Memory is no measure of a fleet: a replica keeps nothing of a sensor that has no job. What grows with work is the
queue.
`
