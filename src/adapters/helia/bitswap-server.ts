/**
 * Answers the wants of IPFS peers from the public realm, in place of the package's own ledger: that one loads every
 * wanted block into one message (1,024 wants of 1 MiB are 1 GiB of memory), and answers a repeated want with
 * silence. Here peers take turns, a turn is one message of bounded size, and every want is answered.
 * In memory only: peers send their wants again after a reconnect.
 */
import type { PeerId } from '@libp2p/interface'
import type { Blockstore } from 'interface-blockstore'
import { varint } from 'multiformats'
import { CID } from 'multiformats/cid'
import { blockKey } from '../../model/content-id.ts'
import { KIB, MIB } from '../../model/units.ts'
import type { Bytes } from '../../model/units.ts'
import type { Log } from '../../ports/log.ts'
import { emptyMessage } from './bitswap-wire.ts'
import type { BitswapWire, IncomingMessage, WantEntry, WireMessage } from './bitswap-wire.ts'

/** Wants remembered for one peer: the field's usual bound, one file node's links. More are not taken. */
const WANTS_PER_PEER_MAX = 1024
/** Wants and cancels read from one message: as many of each as are remembered. A message of 4 MiB has room for 90,000. */
const ENTRIES_MAX = 2 * WANTS_PER_PEER_MAX
/** Blocks of one turn: full use of a message without keeping the other peers waiting. One block may go beyond. */
const TURN_BYTES_MAX: Bytes = 2 * MIB
/** Turns under way at once: bounds memory to this many turns and slow readers to holding up this many. */
const TURNS_MAX = 32
/** A HAVE for a block this small is answered with the block, as the whole field does. */
const HAVE_AS_BLOCK_BYTES_MAX: Bytes = 1 * KIB
/** No CID that is served is longer. */
const CID_BYTES_MAX: Bytes = 64

export interface BitswapServerComponents {
  readonly wire: Pick<BitswapWire, 'network'>
  readonly readFrom: Pick<Blockstore, 'has' | 'get'>
  readonly log: Log
}

interface Want {
  readonly cid: CID
  readonly wantsBlock: boolean
  readonly sendDontHave: boolean
  /** Absent wants are kept: the block may be put here later. */
  absent: boolean
}

interface Line {
  readonly peer: PeerId
  readonly wants: Map<string, Want>
  /** In the queue or having its turn. */
  active: boolean
}

export class BitswapServer {
  readonly #parts: BitswapServerComponents
  readonly #lines = new Map<string, Line>()
  readonly #queue: Line[] = []
  #turns = 0
  #stopped = false

  constructor(components: BitswapServerComponents) {
    this.#parts = components
  }

  receive(peer: PeerId, { wantlist }: IncomingMessage): void {
    if (this.#stopped || wantlist === undefined) return
    const line = this.#line(peer)
    if (wantlist.full === true) line.wants.clear()
    for (const entry of wantlist.entries.slice(0, ENTRIES_MAX)) take(line, entry)
    this.#enqueue(line)
  }

  /** A block has become public: whoever waits for it gets it. */
  stored(cid: CID): void {
    const key = blockKey(cid)
    for (const line of this.#lines.values()) {
      const want = line.wants.get(key)
      if (want === undefined) continue
      want.absent = false
      this.#enqueue(line)
    }
  }

  left(peer: PeerId): void {
    this.#lines.get(peer.toString())?.wants.clear()
    this.#lines.delete(peer.toString())
  }

  stop(): void {
    this.#stopped = true
    this.#queue.length = 0
    this.#lines.clear()
  }

  #line(peer: PeerId): Line {
    const id = peer.toString()
    let line = this.#lines.get(id)
    if (line === undefined) {
      line = { peer, wants: new Map(), active: false }
      this.#lines.set(id, line)
    }
    return line
  }

  #enqueue(line: Line): void {
    if (line.active || !hasWork(line) || this.#stopped) return
    line.active = true
    this.#queue.push(line)
    this.#fill()
  }

  #fill(): void {
    while (this.#turns < TURNS_MAX) {
      const line = this.#queue.shift()
      if (line === undefined) return
      this.#turns++
      void this.#turn(line)
    }
  }

  async #turn(line: Line): Promise<void> {
    try {
      const message = await this.#answer(line)
      await this.#parts.wire.network.sendMessage(line.peer, message)
    } catch (error) {
      line.wants.clear()
      this.#parts.log.debug({ err: error, peer: line.peer.toString() }, 'a bitswap answer could not be sent')
    }
    this.#turns--
    line.active = false
    this.#enqueue(line)
    this.#fill()
  }

  async #answer(line: Line): Promise<WireMessage> {
    const message = emptyMessage()
    let bytes = 0
    for (const [key, want] of line.wants) {
      if (bytes >= TURN_BYTES_MAX) break
      if (!want.absent) bytes += await this.#answerOne(line, key, want, message)
    }
    return message
  }

  async #answerOne(line: Line, key: string, want: Want, message: WireMessage): Promise<Bytes> {
    const data = await this.#read(want.cid)
    if (data === undefined) {
      want.absent = true
      if (want.sendDontHave) message.blockPresences.set(key, { cid: want.cid.bytes, type: 'DoNotHaveBlock' })
      return 0
    }
    // Unless the peer wanted something else of it meanwhile, it is answered.
    if (line.wants.get(key) === want) line.wants.delete(key)
    if (!want.wantsBlock && data.byteLength > HAVE_AS_BLOCK_BYTES_MAX) {
      message.blockPresences.set(key, { cid: want.cid.bytes, type: 'HaveBlock' })
      return 0
    }
    message.blocks.set(key, { prefix: prefixOf(want.cid), data })
    return data.byteLength
  }

  async #read(cid: CID): Promise<Uint8Array | undefined> {
    try {
      if (!(await this.#parts.readFrom.has(cid))) return undefined
      const chunks: Uint8Array[] = []
      for await (const chunk of this.#parts.readFrom.get(cid)) chunks.push(chunk)
      return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)
    } catch (error) {
      // Gone or unreadable in between: for a stranger it is absent, the store reports its own faults.
      this.#parts.log.trace({ err: error }, 'a public block could not be read for bitswap')
      return undefined
    }
  }
}

function hasWork(line: Line): boolean {
  for (const want of line.wants.values()) if (!want.absent) return true
  return false
}

function take(line: Line, entry: WantEntry): void {
  const cid = decode(entry.cid)
  if (cid === undefined) return
  const key = blockKey(cid)
  if (entry.cancel === true) {
    line.wants.delete(key)
    return
  }
  if (line.wants.size >= WANTS_PER_PEER_MAX && !line.wants.has(key) && !dropAbsent(line)) return
  line.wants.set(key, { cid, wantsBlock: entry.wantType !== 'WantHave', sendDontHave: entry.sendDontHave === true, absent: false })
}

/** Makes room by forgetting the oldest want that was answered with "not here". */
function dropAbsent(line: Line): boolean {
  for (const [key, want] of line.wants) {
    if (want.absent) return line.wants.delete(key)
  }
  return false
}

function decode(bytes: Uint8Array): CID | undefined {
  if (bytes.byteLength > CID_BYTES_MAX) return undefined
  try {
    return CID.decode(bytes)
  } catch {
    return undefined
  }
}

/** What precedes the digest in a CID, from which the receiver and the bytes make the CID again. */
function prefixOf(cid: CID): Uint8Array {
  const parts = [cid.version, cid.code, cid.multihash.code, cid.multihash.digest.byteLength]
  const prefix = new Uint8Array(parts.reduce((sum, part) => sum + varint.encodingLength(part), 0))
  let offset = 0
  for (const part of parts) {
    varint.encodeTo(part, prefix, offset)
    offset += varint.encodingLength(part)
  }
  return prefix
}
