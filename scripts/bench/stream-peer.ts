/**
 * Reference: one libp2p stream and nothing else. TCP, stock noise and yamux with their defaults; one side sends, the
 * other counts. What is left between this and Kith is Kith.
 */
import { noise } from '@chainsafe/libp2p-noise'
import type { Connection, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { serveCalls } from './peer-process.ts'

const PROTOCOL = '/bench/send'
/** The largest writes of the usual range, and the fastest. Bytes. */
const WRITE_BYTES = 1024 * 1024

const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()]
})
let toSend = 0
let connection: Connection | undefined

await libp2p.handle(PROTOCOL, async stream => {
  await send(stream, toSend)
})

serveCalls({
  address: async () => libp2p.getMultiaddrs()[0]?.toString() ?? '',
  willSend: async bytes => {
    toSend = Number(bytes)
    return ''
  },
  connect: async address => {
    connection = await libp2p.dial(multiaddr(address))
    return ''
  },
  receive: async bytes => JSON.stringify(await receive(Number(bytes)))
})

async function send(stream: Stream, bytes: number): Promise<void> {
  const chunk = new Uint8Array(Math.min(bytes, WRITE_BYTES)).fill(7)
  for (let left = bytes; left > 0; left -= chunk.byteLength) {
    if (!stream.send(chunk)) await drained(stream)
  }
  await stream.close()
}

async function drained(stream: Stream): Promise<void> {
  await new Promise(resolve => {
    stream.addEventListener('drain', resolve, { once: true })
  })
}

/** Milliseconds to the first and the last of the bytes expected, from the opening of the stream. */
async function receive(expected: number): Promise<{ ms: number; firstMs: number; bytes: number }> {
  if (connection === undefined) throw new Error('not connected')
  const startedAt = performance.now()
  const stream = await connection.newStream(PROTOCOL)
  const complete = Promise.withResolvers<void>()
  let [bytes, firstMs] = [0, 0]
  stream.addEventListener('message', ({ data }) => {
    if (bytes === 0) firstMs = performance.now() - startedAt
    bytes += data.byteLength
    if (bytes >= expected) complete.resolve()
  })
  await complete.promise
  const ms = performance.now() - startedAt
  await stream.close()
  return { ms, firstMs, bytes }
}
