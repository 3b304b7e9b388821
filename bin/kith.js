#!/usr/bin/env node
// Starts the client; any Node from 20 on will do.
import { existsSync } from 'node:fs'

const NODE_MAJOR_MIN = 20

if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN)
  fail(`it needs Node ${NODE_MAJOR_MIN} or newer, and this is ${process.versions.node}`)
if (!existsSync(new URL('../dist/cli/main.js', import.meta.url))) fail('it is not built yet. Run: npm run build')
const { main } = await import('../dist/cli/main.js')
const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => interrupted.abort())
process.stdout.on('error', error => process.exit(error.code === 'EPIPE' ? 0 : 1))
const { stdin, stdout, stderr } = process
process.exitCode = await main(process.argv.slice(2), process.env, { stdin, stdout, stderr, signal: interrupted.signal, cwd: process.cwd() })

function fail(why) {
  process.stderr.write(`kith: ${why}\n`)
  process.exit(1)
}
