/**
 * A real daemon with a favourite among its peers, and what it does when the favourite turns. The peers are in this
 * process, behind links of their own: one that is quick, and some that are less so. All have everything.
 */
import { createHash } from 'node:crypto'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { toKithError } from '../../src/errors.ts'
import { KIB, MIB, type Ms } from '../../src/model/units.ts'
import { DaemonProcess } from './daemon-process.ts'
import { KithPeer } from './kith-peer.ts'
import type { LinkTerms } from './link-lane.ts'
import { LinkProxy } from './link-proxy.ts'

const QUICK: LinkTerms = { latency: 2, bandwidth: 16 * MIB }
const OTHERS: readonly LinkTerms[] = [
  { latency: 25, bandwidth: 4 * MIB },
  { latency: 30, bandwidth: 4 * MIB },
  { latency: 35, bandwidth: 4 * MIB }
]
/** Everybody came home at once. */
export const SLOW: LinkTerms = { latency: 300, bandwidth: 100 * KIB }
/** One block, and enough to tell how fast a peer is. Bytes. */
const CONTENT_BYTES = 512 * KIB
/** So many in a row from one peer, and it is the favourite. */
const IN_A_ROW = 6
const LEVEL = 60
const ASKER_SETTINGS = ['ipfs.type=gateway-only', 'network.listen=[]']

export interface Asked {
  /** The favourite was among those asked. */
  readonly favourite: boolean
  readonly delivered: 'favourite' | 'another' | 'nobody'
  readonly ms: Ms
  /** The bytes are those of the content. */
  readonly isRight: boolean
}

export class FavouriteStage implements AsyncDisposable {
  readonly asker: DaemonProcess
  readonly favourite: KithPeer
  readonly #parts: AsyncDisposableStack
  readonly #proxy: LinkProxy
  readonly #contents: { readonly cid: string; readonly bytes: Uint8Array }[]
  #at = 0

  private constructor(parts: {
    asker: DaemonProcess
    favourite: KithPeer
    stack: AsyncDisposableStack
    proxy: LinkProxy
    contents: { readonly cid: string; readonly bytes: Uint8Array }[]
  }) {
    this.asker = parts.asker
    this.favourite = parts.favourite
    this.#parts = parts.stack
    this.#proxy = parts.proxy
    this.#contents = parts.contents
  }

  /** @param contents - how many requests can be made; each is for another content */
  static async start(contents: number, set: readonly string[] = []): Promise<FavouriteStage> {
    const stack = new AsyncDisposableStack()
    try {
      const proxy = stack.use(new LinkProxy({ clock: systemClock }))
      const all = Array.from({ length: contents }, (_, index) => contentOf(index))
      const peers: KithPeer[] = []
      const addresses = new Map<KithPeer, string>()
      for (const [index, link] of [QUICK, ...OTHERS].entries()) {
        const name = index === 0 ? 'favourite' : `other ${index}`
        proxy.setLink(name, link)
        const door = await proxy.open({ to: name })
        const peer = stack.use(await KithPeer.start({ announce: [`/ip4/127.0.0.1/tcp/${door.port}`] }))
        door.lead(Number(/\/tcp\/(\d+)/.exec(peer.address)?.[1]))
        for (const bytes of all) peer.hold(bytes)
        await peer.advertise()
        peers.push(peer)
        addresses.set(peer, `/ip4/127.0.0.1/tcp/${door.port}/p2p/${peer.peerId}`)
      }
      const asker = stack.use(await DaemonProcess.start({ set: [...ASKER_SETTINGS, ...set] }))
      // The quick one comes last: it is the favourite for what it does.
      for (const peer of peers.toReversed()) {
        await asker.client.call('peers.connect', { address: addresses.get(peer) ?? '' })
        await asker.client.call('trust.set', { did: peer.did, level: LEVEL })
      }
      const [favourite] = peers
      if (favourite === undefined) throw new Error('there are no peers')
      const known = all.map(bytes => ({ cid: favourite.hold(bytes).toString(), bytes }))
      return new FavouriteStage({ asker, favourite, stack, proxy, contents: known })
    } catch (error) {
      await stack.disposeAsync()
      throw error
    }
  }

  turnSlow(): void {
    this.#proxy.setLink('favourite', SLOW)
  }

  turnCorrupt(): void {
    this.favourite.isCorrupt = true
  }

  /** Asks until the quick peer has delivered some in a row. @returns after how many requests it had begun to */
  async settle(): Promise<number> {
    let row = 0
    for (let asked = 1; ; asked++) {
      if (this.#at >= this.#contents.length) throw new Error(`nobody became the favourite in ${asked} requests`)
      row = (await this.ask()).delivered === 'favourite' ? row + 1 : 0
      if (row === IN_A_ROW) return asked - IN_A_ROW
    }
  }

  /** Asks for the next content. */
  async ask(): Promise<Asked> {
    const content = this.#contents[this.#at++]
    if (content === undefined) throw new Error('all contents have been asked for')
    const startedAt = performance.now()
    try {
      const { source, attempts, data } = await this.asker.client.call('content.get', { content: `ipfs://${content.cid}` })
      const isRight = Buffer.from(data ?? '', 'base64').equals(content.bytes)
      const favourite = attempts.some(({ peer, outcome }) => peer === this.favourite.peerId && outcome !== 'skipped')
      const delivered = source.peer === this.favourite.peerId ? 'favourite' : 'another'
      return { favourite, delivered, ms: performance.now() - startedAt, isRight }
    } catch (error) {
      const { code } = toKithError(error)
      if (!['NOT_FOUND', 'TIMEOUT', 'INTEGRITY'].includes(code)) throw error
      return { favourite: true, delivered: 'nobody', ms: performance.now() - startedAt, isRight: false }
    }
  }

  async askTimes(count: number): Promise<Asked[]> {
    const all: Asked[] = []
    while (all.length < count) all.push(await this.ask())
    return all
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync()
  }
}

/** Of requests made after it turned: how many went by until the first that did without it. */
export function requestsUntilLeft(asked: readonly Asked[]): number {
  const at = asked.findIndex(({ favourite }) => !favourite)
  return at === -1 ? asked.length : at
}

/** Bytes that differ from content to content, and are the same in every run. */
function contentOf(index: number): Uint8Array {
  const bytes = new Uint8Array(CONTENT_BYTES)
  const seed = createHash('sha256').update(`favourite ${index}`).digest()
  for (let at = 0; at < bytes.byteLength; at += seed.byteLength) bytes.set(seed, at)
  return bytes
}
