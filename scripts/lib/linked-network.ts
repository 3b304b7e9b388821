/**
 * A scenario of daemons as real processes, each behind a link of its own. Holders are started once and keep what they
 * hold; whoever asks is started anew for each run, so that it knows nothing yet. Nobody is reachable but over its
 * link: each daemon announces the door of the proxy, and at the end it is looked whether any connection went by it.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/adapters/system/clock.ts'
import type { Bytes } from '../../src/model/units.ts'
import type { Scenario, ScenarioNode } from '../../src/sim/scenario.ts'
import { DaemonProcess } from './daemon-process.ts'
import { LinkProxy, type Door } from './link-proxy.ts'
import { writeSeededFile } from './seeded-file.ts'

/** Adverts of what was put must have arrived by then. Milliseconds. */
const ADVERTS_MS_MAX = 30_000
/** Between two looks at what is known. Milliseconds. */
const LOOK_INTERVAL_MS = 50
/** An advert says at once what was put; nobody looks for content elsewhere. */
const HOLDER_SETTINGS = ['adverts.interval=0', 'ipfs.type=gateway-only']
const ASKER_SETTINGS = ['network.listen=[]', 'ipfs.type=gateway-only']

interface Holder {
  readonly node: ScenarioNode
  readonly daemon: DaemonProcess
  readonly door: Door
  /** Contents it has been given, over all scenarios. */
  held: number
}

export class LinkedNetwork implements AsyncDisposable {
  readonly proxy = new LinkProxy({ clock: systemClock })
  readonly #directory: string
  readonly #asker: ScenarioNode
  readonly #holders = new Map<string, Holder>()

  private constructor(directory: string, asker: ScenarioNode) {
    this.#directory = directory
    this.#asker = asker
  }

  /** @param scenario - its first node asks, the others are started */
  static async start({ nodes }: Scenario): Promise<LinkedNetwork> {
    const [asker, ...holders] = nodes
    const other = nodes.find(({ kind }) => kind !== 'kith')
    if (asker === undefined || other !== undefined)
      throw new Error(`here all nodes are daemons, and ${other?.name ?? 'the first'} is not. The demo plays such scenarios`)
    const network = new LinkedNetwork(await mkdtemp(join(tmpdir(), 'kith-')), asker)
    try {
      // One after the other: ten at once hold each other up.
      for (const node of holders) await network.#startHolder(node)
      return network
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Hands out the files of a scenario over these nodes. @returns their CIDs, by name */
  async fill({ files, seed }: Scenario): Promise<Map<string, string>> {
    const folder = join(this.#directory, `originals-${seed}`)
    await mkdir(folder)
    const cids = new Map<string, string>()
    for (const file of files) {
      const path = join(folder, file.name)
      await writeSeededFile(path, seed, file)
      for (const name of file.at) {
        const holder = this.#holder(name)
        const { cid } = await holder.daemon.client.call('content.put', { path, name: file.name, privacy: file.privacy })
        holder.held++
        cids.set(file.name, cid)
      }
    }
    await rm(folder, { recursive: true })
    return cids
  }

  /** All links as the scenario has them at its beginning. */
  resetLinks(): void {
    for (const { name, link } of [this.#asker, ...[...this.#holders.values()].map(({ node }) => node)]) this.proxy.setLink(name, link)
  }

  /** A daemon that has never met anybody, connected to those it is to be, knowing what they advertise. */
  async startAsker(set: readonly string[]): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start({ set: [...settingsOf(this.#asker), ...ASKER_SETTINGS, ...set] })
    try {
      for (const name of this.#asker.connect) {
        const { daemon: other, door } = this.#holder(name)
        await daemon.client.call('peers.connect', { address: `${addressOf(door)}/p2p/${other.ready.peerId}` })
      }
      for (const [name, level] of this.#asker.trust)
        await daemon.client.call('trust.set', { did: this.#holder(name).daemon.ready.did, level, name })
      await this.#advertsAt(daemon)
      return daemon
    } catch (error) {
      await daemon[Symbol.asyncDispose]()
      throw error
    }
  }

  /** @throws if the asker is connected to anybody other than over the links */
  async assertLinked(asker: DaemonProcess): Promise<void> {
    const doors = new Map([...this.#holders.values()].map(({ daemon, door }) => [daemon.ready.peerId, addressOf(door)]))
    const { items } = await asker.client.call('peers.list', {})
    for (const { peerId, addresses, connected } of items) {
      const past = addresses.find(address => !address.startsWith(doors.get(peerId) ?? '-'))
      if (connected && past !== undefined) throw new Error(`a connection goes past the links: ${past}`)
    }
  }

  /** Bytes that came over the link of whoever asks, so far. */
  received(): Bytes {
    return this.proxy.carried(this.#asker.name).down
  }

  nameOf(peerId: string | undefined): string | undefined {
    return [...this.#holders].find(([, { daemon }]) => daemon.ready.peerId === peerId)?.[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#holders.values()].map(async ({ daemon }) => await daemon[Symbol.asyncDispose]()))
    await this.proxy[Symbol.asyncDispose]()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #startHolder(node: ScenarioNode): Promise<void> {
    const door = await this.proxy.open({ to: node.name, from: this.#asker.name })
    const port = await freePort()
    const daemon = await DaemonProcess.start({
      set: [...settingsOf(node), ...HOLDER_SETTINGS, `network.listen=/ip4/127.0.0.1/tcp/${port}`, `network.announce=["${addressOf(door)}"]`]
    })
    door.lead(port)
    this.#holders.set(node.name, { node, daemon, door, held: 0 })
  }

  async #advertsAt(daemon: DaemonProcess): Promise<void> {
    const expected = new Map([...this.#holders.values()].map(({ daemon: { ready }, held }) => [ready.peerId, held]))
    const until = performance.now() + ADVERTS_MS_MAX
    const arrived = async (): Promise<boolean> => {
      const { items } = await daemon.client.call('adverts.list', {})
      return this.#asker.connect.every(name => {
        const id = this.#holder(name).daemon.ready.peerId
        return items.some(({ peerId, count }) => peerId === id && count >= (expected.get(id) ?? 0))
      })
    }
    while (!(await arrived())) {
      if (performance.now() > until) throw new Error(`not all adverts arrived within ${ADVERTS_MS_MAX} ms`)
      await pause(LOOK_INTERVAL_MS)
    }
  }

  #holder(name: string): Holder {
    const holder = this.#holders.get(name)
    if (holder === undefined) throw new Error(`${name} holds nothing here: the first node asks, all others hold`)
    return holder
  }
}

function settingsOf({ config }: ScenarioNode): string[] {
  return Object.entries(config).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
}

function addressOf({ port }: Door): string {
  return `/ip4/127.0.0.1/tcp/${port}`
}

/** Free a moment ago; the system gives out others first. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const closed = once(server, 'close')
  server.close()
  await closed
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}
