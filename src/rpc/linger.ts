/** Closing a connection whose client may still be sending. */
import type { Socket } from 'node:net'
import type { Clock } from '../ports/clock.ts'

/** So long a refused client may go on sending before the connection is cut. Milliseconds. */
const LINGER_MS = 2000

/**
 * Ends the own side after what was written. What still comes is thrown away: a cut while the client sends would
 * make it fail before it has read the answer. Safe with clients that never close.
 */
export function closeLingering(socket: Socket, clock: Clock): void {
  closeUnread(socket, clock)
  socket.on('end', () => socket.destroySoon())
  socket.resume()
}

/** The same without reading on, for when memory is short: the client has as long to read the answer, then its own sending fails. */
export function closeUnread(socket: Socket, clock: Clock): void {
  const cancel = clock.after(LINGER_MS, () => socket.destroy())
  socket.on('close', cancel)
  socket.end()
}
