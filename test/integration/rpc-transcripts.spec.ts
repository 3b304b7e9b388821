/** Conversations of test/transcripts, played against a real daemon each. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { playTranscript, readTranscript } from '../support/transcript.ts'

const FOLDER = join(import.meta.dirname, '../transcripts')
/** Tokens of every daemon here: `token-of-NAME`. */
const TOKENS = {
  reader: '[read]',
  app: '[read, write]',
  wide: '[read, write], realms: [public, own]',
  boss: '[admin]',
  former: '[admin], expires: "2020-01-01"'
}

describe('transcripts', () => {
  for (const file of readdirSync(FOLDER).filter(name => name.endsWith('.txt'))) {
    it(`${file.replace('.txt', '')} goes as written`, async () => {
      // A gateway that takes every question and answers none.
      const silent = createServer(() => {}).listen(0, '127.0.0.1')
      await new Promise(resolve => silent.once('listening', resolve))
      const gateway = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
      const transcript = readTranscript(readFileSync(join(FOLDER, file), 'utf8'))
      const tokens = Object.entries(TOKENS).map(([name, scopes]) => {
        const digest = createHash('sha256').update(`token-of-${name}`).digest('hex')
        return `{name: ${name}, sha256: "${digest}", scopes: ${scopes}}`
      })
      const set = [`access.tokens=[${tokens.join(', ')}]`, ...transcript.set.map(pair => pair.replace('$GATEWAY', gateway))]
      try {
        await using daemon = await DaemonProcess.start({ set: ['access.socket=admin', ...set] })
        await playTranscript(transcript, daemon.ready.socket)
      } finally {
        silent.close()
      }
    })
  }
})
