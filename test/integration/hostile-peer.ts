/** A peer that says it has whatever is asked for, and sends the blocks it was given without looking at them. */
import { decode } from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { decodeRequest, encodeEnd, encodeHave, encodeHead, type DagAsk, type ReceivedAsk } from '../../src/exchange/codec.ts'
import { frameParts, FrameReader, indexedParts } from '../../src/exchange/frames.ts'
import { EXCHANGE_PROTOCOL, FRAME } from '../../src/exchange/protocol.ts'
import { blockKey, DAG_PB_CODEC, IDENTITY_CODE } from '../../src/model/content-id.ts'
import type { PeerStream } from '../../src/ports/network.ts'
import { startTestHost } from './exchange-support.ts'

export interface RawBlock {
  readonly cid: CID
  readonly bytes: Uint8Array
}

export interface HostilePeer extends AsyncDisposable {
  readonly host: Host
  put(block: RawBlock): void
}

export async function startHostilePeer(): Promise<HostilePeer> {
  const host = await startTestHost()
  const blocks = new Map<string, RawBlock>()
  await host.handle(EXCHANGE_PROTOCOL, async stream => {
    const reader = new FrameReader(() => 100_000)
    for (;;) {
      const frame = reader.next()
      if (frame !== undefined) {
        await stream.write(answer(decodeRequest(frame.payload), blocks))
        continue
      }
      const chunk = await readOrEnd(stream)
      if (chunk === null) return
      reader.push(chunk)
    }
  })
  return {
    host,
    put: block => {
      blocks.set(blockKey(block.cid), block)
    },
    [Symbol.asyncDispose]: async () => {
      await host.stop()
    }
  }
}

async function readOrEnd(stream: PeerStream): Promise<Uint8Array | null> {
  return await stream.read().catch(() => null)
}

function answer(ask: ReceivedAsk, blocks: ReadonlyMap<string, RawBlock>): Uint8Array[] {
  const ok = frameParts(FRAME.END, encodeEnd({ status: 'ok' }))
  if (ask.kind === 'have') return [...frameParts(FRAME.HAVE, encodeHave(ask.multihashes.map(() => ({ have: true })))), ...ok]
  if (ask.kind === 'dag') return [...dagParts(ask, blocks), ...ok]
  if (ask.kind !== 'blocks') return frameParts(FRAME.END, encodeEnd({ status: 'not-found' }))
  const found = ask.cids.flatMap((cid, index) => indexedParts(FRAME.BLOCK, index, blocks.get(blockKey(cid))?.bytes ?? new Uint8Array()))
  return [...found, ...ok]
}

function dagParts({ cid, skipNodes }: DagAsk, blocks: ReadonlyMap<string, RawBlock>): Uint8Array[] {
  if (cid === null) return []
  const { nodes, leaves } = orderOf(cid, blocks)
  return [
    ...frameParts(FRAME.HEAD, encodeHead({ cid })),
    ...nodes.slice(skipNodes).flatMap((bytes, index) => indexedParts(FRAME.NODE, skipNodes + index, bytes)),
    ...leaves.flatMap((bytes, index) => indexedParts(FRAME.LEAF, index, bytes))
  ]
}

/** The order of src/dag/skeleton.ts, without its checks and limits. */
function orderOf(root: CID, blocks: ReadonlyMap<string, RawBlock>): { nodes: Uint8Array[]; leaves: Uint8Array[] } {
  const [nodes, leaves]: [Uint8Array[], Uint8Array[]] = [[], []]
  const seen = new Set<string>()
  const stack: CID[] = []
  const name = (links: readonly CID[]): void => {
    const below: CID[] = []
    for (const cid of links) {
      if (seen.has(cid.toString()) || cid.multihash.code === IDENTITY_CODE) continue
      seen.add(cid.toString())
      if (cid.code === DAG_PB_CODEC) below.push(cid)
      else leaves.push(blocks.get(blockKey(cid))?.bytes ?? new Uint8Array())
    }
    stack.push(...below.toReversed())
  }
  name([root])
  for (let cid = stack.pop(); cid !== undefined; cid = stack.pop()) {
    const bytes = blocks.get(blockKey(cid))?.bytes ?? new Uint8Array()
    nodes.push(bytes)
    name(linksOf(bytes))
  }
  return { nodes, leaves }
}

function linksOf(bytes: Uint8Array): CID[] {
  try {
    return decode(bytes).Links.map(link => link.Hash)
  } catch {
    return []
  }
}
