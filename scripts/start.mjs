/**
 * `npm start`: makes the checkout ready, runs kithd in the foreground with the arguments given, and says how to
 * talk to it. The ready line goes to stdout as always; everything else to stderr.
 */
import { spawn } from 'node:child_process'
import { constants, homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { bootstrap, ROOT } from './bootstrap.mjs'

const node = bootstrap()
// As in bin/kithd.js: no debugger for whoever is on this machine.
process.on('SIGUSR1', () => {})
const child = spawn(node, ['--disable-sigusr1', join(ROOT, 'bin', 'kithd.js'), ...process.argv.slice(2)], {
  env: { ...process.env, KITHD_LAUNCHED: '1' },
  stdio: ['inherit', 'pipe', 'inherit', 'ipc']
})
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => child.kill(name))
child.on('error', error => end(1, `kithd does not start: ${error.message}`))
child.on('exit', (code, signal) => end(code ?? 128 + constants.signals[signal]))
createInterface({ input: child.stdout }).on('line', line => {
  process.stdout.write(`${line}\n`)
  const socket = socketOf(line)
  if (socket !== undefined) process.stderr.write(howToTalk(socket))
})

function socketOf(line) {
  if (line.startsWith('{')) return JSON.parse(line).socket
  return /^ready socket=(.*?) peer=/.exec(line)?.[1]
}

function howToTalk(socket) {
  const kith = 'node bin/kith.js'
  // `kith` finds the socket of the default home by itself.
  const isDefault = socket === join(process.env.KITH_HOME ?? join(homedir(), '.kith'), 'api.sock')
  const at = isDefault ? '' : ` --socket ${quoted(socket)}`
  return `
kithd is ready. In another terminal, in this directory:

  ${kith} put README.md${at}
  ${kith} get CID -o copy.md${at}
  ${kith} status${at}
  curl --unix-socket ${quoted(socket)} http://kith/rpc -d '{"jsonrpc":"2.0","id":1,"method":"daemon.status"}'

Ctrl-C stops it.

`
}

function quoted(text) {
  return /^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function end(code, why) {
  if (why !== undefined) process.stderr.write(`kith: ${why}\n`)
  process.exitCode = code
}
