/** The bytes under an encrypted connection: how many came, and how the own ones leave. Knows nothing of what they mean. */
import { Socket } from 'node:net'
import type { MessageStream } from '@libp2p/interface'
import type { Bytes } from '../../model/units.ts'

export interface Line {
  readonly peer: string
  /** Came so far, whatever they were. */
  readonly received: Bytes
  /** Own bytes that the system has taken so far; while some {@link wait}, it takes as many as the other side has acknowledged. */
  readonly taken: Bytes
  /** Own bytes the system does not take yet. 0 where that is not known. */
  readonly waiting: Bytes
  abort(error: Error): void
  onClose(run: () => void): void
}

/** To be called when the connection is encrypted: whoever listens first is given what came, and that must be the encryption. */
export function lineOf(peer: string, connection: MessageStream): Line {
  const socket = socketOf(connection)
  let received: Bytes = 0
  connection.addEventListener('message', ({ data }) => {
    received += data.byteLength
  })
  return {
    peer,
    get received() {
      return received
    },
    get taken() {
      return socket === undefined ? 0 : socket.bytesWritten - socket.writableLength
    },
    get waiting() {
      return socket?.writableLength ?? 0
    },
    abort: error => {
      connection.abort(error)
    },
    onClose: run => {
      connection.addEventListener('close', run)
    }
  }
}

/** The TCP transport keeps its socket in the connection; what other transports make has none. */
export function socketOf(connection: object): Socket | undefined {
  return 'socket' in connection && connection.socket instanceof Socket ? connection.socket : undefined
}
