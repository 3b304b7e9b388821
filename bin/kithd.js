#!/usr/bin/env node
// Starts the daemon with a Node that can run it: this one, or the checkout's own.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as modules from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 24
// Node would answer SIGUSR1 by opening its debugger, to which everybody on this machine may connect. (--inspect still works.)
process.on('SIGUSR1', () => {})
const here = path => fileURLToPath(new URL(path, import.meta.url))

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) await start()
else
  restart(
    ['../node_modules/node/bin/node', `../node_modules/node-${process.platform}-${process.arch}/bin/node`, '../../node/bin/node']
      .map(here)
      .find(existsSync)
  )

async function start() {
  // Compiled code is kept for the next start, beside the packages it comes from: who can write there can change them anyway.
  modules.enableCompileCache(here('../node_modules/.cache/kith'))
  if (!existsSync(here('../dist/main.js'))) fail('it is not built yet. Run: npm run build')
  // Whoever kills the launcher means the daemon.
  if (process.env.KITHD_LAUNCHED === '1') process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  const { main } = await import('../dist/main.js')
  await main(process.argv.slice(2))
}

function restart(node) {
  if (node === undefined)
    fail(`it needs Node ${NODE_MAJOR_MIN} or newer, this is ${process.versions.node}, and the checkout has none. Run: npm run build`)
  const env = { ...process.env, KITHD_LAUNCHED: '1' }
  const child = spawn(node, ['--disable-sigusr1', fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc']
  })
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => child.kill(name))
  child.on('error', error => fail(`${node} does not start: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

function fail(why) {
  process.stderr.write(`kithd: ${why}\n`)
  process.exit(1)
}
