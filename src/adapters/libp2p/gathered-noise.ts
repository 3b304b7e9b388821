/**
 * Noise over sockets that send what one turn of the event loop writes in one go. Noise hands a message to the socket
 * as length, ciphertext and tag, each of which would otherwise be a system call and, on a fast path, a packet.
 */
import { Socket } from 'node:net'
import { noise, type NoiseComponents } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter } from '@libp2p/interface'
import { nativeNoiseCrypto } from './noise-crypto.ts'

export function gatheredNoise(): (components: NoiseComponents) => ConnectionEncrypter {
  const make = noise({ crypto: nativeNoiseCrypto() })
  return components => {
    const encrypter = make(components)
    const secureInbound = encrypter.secureInbound.bind(encrypter)
    const secureOutbound = encrypter.secureOutbound.bind(encrypter)
    encrypter.secureInbound = async (connection, options) => {
      gatherWrites(connection)
      return await secureInbound(connection, options)
    }
    encrypter.secureOutbound = async (connection, options) => {
      gatherWrites(connection)
      return await secureOutbound(connection, options)
    }
    return encrypter
  }
}

/**
 * From now on the socket of a connection sends at the end of a turn. The TCP transport keeps its socket in the
 * connection; what other transports make is left as it is.
 */
export function gatherWrites(connection: object): void {
  if (!('socket' in connection) || !(connection.socket instanceof Socket)) return
  const { socket } = connection
  const write: (chunk: Uint8Array) => boolean = socket.write.bind(socket)
  socket.write = (chunk: Uint8Array | string): boolean => {
    if (typeof chunk === 'string') throw new TypeError('only bytes are written to an encrypted connection')
    if (socket.writableCorked === 0) {
      socket.cork()
      process.nextTick(() => socket.uncork())
    }
    return write(chunk)
  }
}
