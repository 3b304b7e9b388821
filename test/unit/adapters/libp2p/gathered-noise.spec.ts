import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { gatherWrites } from '../../../../src/adapters/libp2p/gathered-noise.ts'

class CountingSocket extends Socket {
  readonly sends: number[] = []

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.sends.push(chunk.byteLength)
    done()
  }

  override _writev(chunks: { readonly chunk: Uint8Array }[], done: () => void): void {
    this.sends.push(chunks.reduce((sum, { chunk }) => sum + chunk.byteLength, 0))
    done()
  }
}

describe('the sockets under noise', () => {
  it('send what one turn writes in one go, and nothing later than that', async () => {
    const socket = new CountingSocket()
    gatherWrites({ socket })
    for (const length of [2, 1000, 16]) socket.write(new Uint8Array(length))
    assert.deepEqual(socket.sends, [])
    await nextTurn()
    assert.deepEqual(socket.sends, [1018])
    socket.write(new Uint8Array(7))
    await nextTurn()
    assert.deepEqual(socket.sends, [1018, 7])
    socket.destroy()
  })

  it('are left alone where a connection has none', () => {
    const connection = { socket: 'none' }
    gatherWrites(connection)
    assert.deepEqual(connection, { socket: 'none' })
  })
})
