/** Pairs of reference processes: what Kith is compared with. */
import { PeerProcess } from './peer-process.ts'

export interface Timed {
  readonly ms: number
  readonly firstMs: number
  readonly bytes: number
}

/** A bare libp2p stream over stock noise between two processes. */
export class StreamPair implements AsyncDisposable {
  readonly #sender = new PeerProcess('stream-peer.ts')
  readonly #receiver = new PeerProcess('stream-peer.ts')

  static async start(): Promise<StreamPair> {
    const pair = new StreamPair()
    await pair.#receiver.call('connect', await pair.#sender.call('address'))
    return pair
  }

  async send(bytes: number): Promise<Timed> {
    await this.#sender.call('willSend', String(bytes))
    const timed = JSON.parse(await this.#receiver.call('receive', String(bytes))) as Timed
    if (timed.bytes !== bytes) throw new Error(`the bare stream carried ${timed.bytes} of ${bytes} bytes`)
    return timed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#sender[Symbol.asyncDispose](), this.#receiver[Symbol.asyncDispose]()])
  }
}

/** Two plain Helia nodes with bitswap, blocks on disk at both ends. */
export class HeliaPair implements AsyncDisposable {
  readonly #owner = new PeerProcess('helia-peer.ts')
  readonly #asker = new PeerProcess('helia-peer.ts')

  static async start(): Promise<HeliaPair> {
    const pair = new HeliaPair()
    await pair.#asker.call('connect', await pair.#owner.call('address'))
    return pair
  }

  async add(path: string): Promise<string> {
    return await this.#owner.call('add', path)
  }

  async addFolder(path: string): Promise<string> {
    return await this.#owner.call('addFolder', path)
  }

  async cat(cid: string): Promise<Timed> {
    return JSON.parse(await this.#asker.call('cat', cid)) as Timed
  }

  async fetchFolder(cid: string): Promise<{ readonly ms: number; readonly bytes: number }> {
    return JSON.parse(await this.#asker.call('fetchFolder', cid)) as Timed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const peers = [this.#asker, this.#owner]
    await Promise.allSettled(peers.map(async peer => await peer.call('remove')))
    await Promise.all(
      peers.map(async peer => {
        await peer[Symbol.asyncDispose]()
      })
    )
  }
}
