/** The CARs of the test gateway: a right one, and the ways in which a bad gateway may make one. */
import type { ServerResponse } from 'node:http'
import { decode } from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { carBlock, carHeader } from '../../src/dag/car.ts'
import { DAG_PB_CODEC, IDENTITY_CODE } from '../../src/model/content-id.ts'
import { leaf } from './dag-nodes.ts'

/** `drip`: a byte at a time, slowly · `copies`: a right CAR, then its root again and again without end. */
export const BAD_CARS = [
  'garbage',
  'long-header',
  'other-root',
  'foreign-block',
  'long-section',
  'zeros',
  'copies',
  'root-only',
  'drip'
] as const
export type BadCar = (typeof BAD_CARS)[number]
/** How one is made; what is no name of these is made right. */
export type CarBehaviour = BadCar | 'honest' | 'wrong-bytes' | 'half-then-close' | 'stalled'

export interface CarOrder {
  readonly root: CID
  readonly behaviour: CarBehaviour
  /** Undefined: the gateway lacks it, and the answer breaks off there. */
  readonly block: (cid: CID) => Promise<Uint8Array | undefined>
  /** Whether this block is to be sent with wrong bytes. */
  readonly isSpoilt: (cid: CID) => boolean
  readonly sent: (bytes: number) => void
}

const DRIP_MS = 20

export async function answerCar(response: ServerResponse, order: CarOrder): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/vnd.ipld.car; version=1; order=dfs; dups=n', 'x-content-type-options': 'nosniff' })
  if (order.behaviour === 'drip') return drip(response)
  try {
    for await (const bytes of carOf(order)) {
      order.sent(bytes.byteLength)
      if (!(await written(response, bytes))) return
    }
  } catch {
    response.destroy() // as real gateways do when a block is missing: the status is long gone
    return
  }
  if (order.behaviour === 'half-then-close') response.destroy()
  else if (order.behaviour !== 'stalled') response.end()
}

async function* carOf(order: CarOrder): AsyncGenerator<Uint8Array> {
  const { root, behaviour } = order
  if (behaviour === 'garbage') return yield Buffer.from('<html>Service temporarily unavailable</html>')
  if (behaviour === 'long-header') return yield Buffer.from([0xff, 0xff, 0xff, 0x7f, 1, 2, 3])
  yield carHeader([behaviour === 'other-root' ? leaf('another').cid : root])
  if (behaviour === 'zeros') yield* endless(new Uint8Array(65_536))
  if (behaviour === 'long-section') yield* endless(Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x7f]), new Uint8Array(65_536)]))
  const all: Uint8Array[][] = []
  for await (const section of sections(order)) all.push(section)
  const first = all[0] ?? []
  if (behaviour === 'root-only') return yield* first
  const isCut = behaviour === 'half-then-close' || behaviour === 'stalled'
  if (behaviour === 'foreign-block') all.splice(1, 0, carBlock(leaf('foreign').cid, leaf('foreign').bytes))
  for (const section of isCut ? all.slice(0, Math.ceil(all.length / 2)) : all) yield* section
  if (behaviour === 'copies') yield* endless(Buffer.concat(first))
}

/** Depth first, each block once. No limits: what it serves may be a bomb. */
async function* sections({ root, behaviour, block, isSpoilt }: CarOrder): AsyncGenerator<Uint8Array[]> {
  const seen = new Set<string>()
  const stack = [root]
  for (let cid = stack.pop(); cid !== undefined; cid = stack.pop()) {
    if (cid.multihash.code === IDENTITY_CODE || seen.has(cid.toString())) continue
    seen.add(cid.toString())
    const bytes = await block(cid)
    if (bytes === undefined) throw new Error('the gateway lacks a block')
    yield carBlock(cid, behaviour === 'wrong-bytes' || isSpoilt(cid) ? bytes.map(byte => byte ^ 0xff) : bytes)
    stack.push(...linksOf(cid, bytes).toReversed())
  }
}

function linksOf(cid: CID, bytes: Uint8Array): CID[] {
  if (cid.code !== DAG_PB_CODEC) return []
  try {
    return decode(bytes).Links.map(link => link.Hash)
  } catch {
    return [] // it serves garbage as it is
  }
}

function* endless(bytes: Uint8Array): Generator<Uint8Array> {
  for (;;) yield bytes
}

/** @returns false when nobody listens any more */
async function written(response: ServerResponse, bytes: Uint8Array): Promise<boolean> {
  if (response.destroyed) return false
  if (response.write(bytes)) return true
  await new Promise<void>(resolve => {
    const go = (): void => {
      response.off('drain', go).off('close', go)
      resolve()
    }
    response.on('drain', go).on('close', go)
  })
  return !response.destroyed
}

function drip(response: ServerResponse): void {
  const timer = setInterval(() => {
    response.write(new Uint8Array(1).fill(0x3a))
  }, DRIP_MS)
  response.on('close', () => {
    clearInterval(timer)
  })
}
