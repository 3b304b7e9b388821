#!/usr/bin/env node
// Starts the client; any Node from 20 on will do.
import { existsSync } from 'node:fs'

if (!existsSync(new URL('../dist/cli/main.js', import.meta.url))) {
  process.stderr.write('kith: it is not built yet. Run: npm run build\n')
  process.exit(1)
}
const { main } = await import('../dist/cli/main.js')
const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => interrupted.abort())
process.stdout.on('error', error => process.exit(error.code === 'EPIPE' ? 0 : 1))
const { stdin, stdout, stderr } = process
process.exitCode = await main(process.argv.slice(2), process.env, { stdin, stdout, stderr, signal: interrupted.signal, cwd: process.cwd() })
