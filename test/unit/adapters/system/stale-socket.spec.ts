import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { access, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { removeStaleSocket } from '../../../../src/adapters/system/stale-socket.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

describe('stale socket', () => {
  it('of a killed process is removed', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 's')
    await promisify(execFile)(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    ]).catch(() => {})
    await access(path)
    await removeStaleSocket(path)
    await assert.rejects(access(path))
    await removeStaleSocket(path)
  })

  it('that somebody answers on stays, and so does what is no socket', async () => {
    await using directory = await temporaryDirectory()
    const [path, file] = [join(directory.path, 's'), join(directory.path, 'f')]
    const server = createServer(socket => socket.destroy()).listen(path)
    await once(server, 'listening')
    await assert.rejects(removeStaleSocket(path), { code: 'START_FAILED', message: /another process answers/ })
    await access(path)
    server.close()
    await writeFile(file, 'precious')
    await assert.rejects(removeStaleSocket(file), { code: 'START_FAILED', message: /in the way/ })
    await access(file)
  })
})
