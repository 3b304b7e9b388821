/**
 * Noise over sockets that send what one turn of the event loop writes in one go. Noise hands a message to the socket
 * as length, ciphertext and tag, each of which would otherwise be a system call and, on a fast path, a packet.
 */
import { noise, type NoiseComponents } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter, MessageStream, PeerId, SecuredConnection } from '@libp2p/interface'
import { lineOf, socketOf, type Line } from './line.ts'
import { nativeNoiseCrypto } from './noise-crypto.ts'

interface GatheredNoiseInit {
  /** Called when the other side has this host's own key and is not this host: there is no talking to it. */
  readonly onOwnKey?: () => void
  /** Told of each connection that is encrypted from now on. */
  readonly onLine?: (line: Line) => void
}

type Components = NoiseComponents & { readonly peerId: PeerId }

export function gatheredNoise({ onOwnKey = () => {}, onLine = () => {} }: GatheredNoiseInit = {}): (
  components: Components
) => ConnectionEncrypter {
  const make = noise({ crypto: nativeNoiseCrypto() })
  const begun = <Secured extends SecuredConnection>(secured: Secured, connection: MessageStream): Secured => {
    onLine(lineOf(secured.remotePeer.toString(), connection))
    return secured
  }
  return components => {
    const encrypter = make(components)
    const secureInbound = encrypter.secureInbound.bind(encrypter)
    const secureOutbound = encrypter.secureOutbound.bind(encrypter)
    /** The ports of those that dial here, and those this host dials from, as long as they shake hands. */
    const dialling = new Set<number | undefined>()
    const reaching = new Set<number | undefined>()
    encrypter.secureInbound = async (connection, options) => {
      gatherWrites(connection)
      const port = socketOf(connection)?.remotePort
      dialling.add(port)
      const isThisHost = reaching.has(port)
      try {
        const secured = await secureInbound(connection, options)
        if (!secured.remotePeer.equals(components.peerId)) return begun(secured, connection)
        if (!isThisHost) onOwnKey()
        throw new Error('whoever dialled has the key of this host')
      } finally {
        dialling.delete(port)
      }
    }
    encrypter.secureOutbound = async (connection, options) => {
      gatherWrites(connection)
      const port = socketOf(connection)?.localPort
      reaching.add(port)
      try {
        const secured = await secureOutbound(connection, options)
        if (!secured.remotePeer.equals(components.peerId)) return begun(secured, connection)
        if (!dialling.has(port)) onOwnKey()
        await written(connection)
        return secured
      } finally {
        reaching.delete(port)
      }
    }
    return encrypter
  }
}

/**
 * Who dials learns first whom it has reached, and libp2p hangs up on the own key at once: the last message of the
 * handshake leaves before that, so that the other side learns it, too.
 */
async function written(connection: object): Promise<void> {
  const socket = socketOf(connection)
  if (socket === undefined || socket.destroyed) return
  await new Promise<void>(resolve => socket.end(() => resolve()))
}

/** From now on the socket of a connection sends at the end of a turn. What has none is left as it is. */
export function gatherWrites(connection: object): void {
  const socket = socketOf(connection)
  if (socket === undefined) return
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
