/** Two daemons that know each other, and what is measured between them. */
import { DaemonProcess } from '../lib/daemon-process.ts'

export interface Fetched {
  readonly ms: number
  /** From the start of the search to the first verified byte. */
  readonly firstMs: number
  readonly bytes: number
}

export class DaemonPair implements AsyncDisposable {
  readonly owner: DaemonProcess
  readonly asker: DaemonProcess

  private constructor(owner: DaemonProcess, asker: DaemonProcess) {
    this.owner = owner
    this.asker = asker
  }

  /** @param ownerHome where the owner's content is already; kept */
  static async start(ownerHome?: string): Promise<DaemonPair> {
    const owner = await DaemonProcess.start(ownerHome === undefined ? {} : { home: ownerHome })
    try {
      const asker = await DaemonProcess.start()
      await asker.client.call('peers.connect', { address: owner.address })
      return new DaemonPair(owner, asker)
    } catch (error) {
      await owner[Symbol.asyncDispose]()
      throw error
    }
  }

  /** @returns the CID of what is public at the owner now */
  async put(path: string): Promise<string> {
    const { cid } = await this.owner.client.call('content.put', { path, privacy: 'public' })
    return cid
  }

  /** Fetches a whole file into the asker's store. @throws if another than the owner delivered */
  async get(cid: string): Promise<Fetched> {
    const startedAt = performance.now()
    const { source, firstByteMs, size } = await this.asker.client.call('content.get', { content: `ipfs://${cid}` })
    if (source.stage !== 'peer') throw new Error(`${source.stage} delivered, not the peer`)
    return { ms: performance.now() - startedAt, firstMs: firstByteMs, bytes: size }
  }

  /**
   * Fetches a whole folder. It also becomes files at `path`, since nothing else takes a folder whole; the time is
   * that of the retrieval, which ends when the last block is verified and in the store.
   */
  async getFolder(cid: string, path: string): Promise<{ readonly ms: number }> {
    const { source, ms } = await this.asker.client.call('content.get', { content: `ipfs://${cid}`, path })
    if (source.stage !== 'peer') throw new Error(`${source.stage} delivered, not the peer`)
    return { ms }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.owner[Symbol.asyncDispose](), this.asker[Symbol.asyncDispose]()])
  }
}
