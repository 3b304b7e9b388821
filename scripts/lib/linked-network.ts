/**
 * A scenario of daemons as real processes, each behind links of its own. Holders are started once and keep what they
 * hold; whoever asks is started anew for each run, so that it knows nothing yet. Several may ask at the same time, each
 * in a *lane*: a set of links that no other uses. Nobody is reachable but over links: holders announce the doors of the
 * proxy, and at the end it is looked whether any connection went by them.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { toKithError } from '../../src/errors.ts'
import type { Bytes } from '../../src/model/units.ts'
import type { Scenario, ScenarioNode } from '../../src/sim/scenario.ts'
import { DaemonProcess } from './daemon-process.ts'
import type { LinkTerms } from './link-lane.ts'
import { LinkProxy, type Door } from './link-proxy.ts'
import { writeSeededFile } from './seeded-file.ts'

/** Connections must stand, and adverts of what was put must have arrived, by then. Milliseconds. */
const PREPARING_MS_MAX = 60_000
/** Between two looks at what is known. Milliseconds. */
const LOOK_INTERVAL_MS = 50
/** An advert says at once what was put; nobody looks for content elsewhere. */
const HOLDER_SETTINGS = ['adverts.interval=0', 'ipfs.type=gateway-only']
const ASKER_SETTINGS = ['network.listen=[]', 'ipfs.type=gateway-only']

interface Holder {
  readonly node: ScenarioNode
  readonly daemon: DaemonProcess
  /** By lane. */
  readonly doors: ReadonlyMap<string, Door>
  /** Contents it has been given, over all scenarios. */
  held: number
}

export class LinkedNetwork implements AsyncDisposable {
  readonly #proxy = new LinkProxy({ clock: systemClock })
  readonly #directory: string
  readonly #asker: ScenarioNode
  readonly #lanes: readonly string[]
  readonly #holders = new Map<string, Holder>()

  private constructor(directory: string, asker: ScenarioNode, lanes: readonly string[]) {
    this.#directory = directory
    this.#asker = asker
    this.#lanes = lanes
  }

  /** @param scenario - its first node asks, the others are started */
  static async start({ nodes }: Scenario, lanes: readonly string[]): Promise<LinkedNetwork> {
    const [asker, ...holders] = nodes
    const other = nodes.find(({ kind }) => kind !== 'kith')
    if (asker === undefined || other !== undefined)
      throw new Error(`here all nodes are daemons, and ${other?.name ?? 'the first'} is not. The demo plays such scenarios`)
    const network = new LinkedNetwork(await mkdtemp(join(tmpdir(), 'kith-')), asker, lanes)
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
    // Whoever connects from now on pulls an advert that says all of it, and none waits for gossip.
    for (const { daemon } of this.#holders.values()) await patiently(async () => await daemon.client.call('adverts.publish', {}))
    await rm(folder, { recursive: true })
    return cids
  }

  /** All links of a lane as the scenario has them at its beginning. */
  resetLinks(lane: string): void {
    for (const { name, link } of [this.#asker, ...[...this.#holders.values()].map(({ node }) => node)]) this.setLink(lane, name, link)
  }

  setLink(lane: string, name: string, terms: LinkTerms): void {
    this.#proxy.setLink(linkOf(lane, name), terms)
  }

  /** A daemon that has never met anybody, connected to those it is to be, knowing what they advertise. */
  async startAsker(lane: string, set: readonly string[]): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start({ set: [...settingsOf(this.#asker), ...ASKER_SETTINGS, ...set] })
    try {
      for (const name of this.#asker.connect) {
        const { ready } = this.#holder(name).daemon
        await patiently(
          async () => await daemon.client.call('peers.connect', { address: `${this.#addressOf(lane, name)}/p2p/${ready.peerId}` })
        )
        const level = this.#asker.trust.get(name)
        if (level !== undefined) await daemon.client.call('trust.set', { did: ready.did, level, name })
      }
      await this.#advertsAt(daemon)
      return daemon
    } catch (error) {
      await daemon[Symbol.asyncDispose]()
      throw error
    }
  }

  /** @throws if the asker is connected to anybody other than over the links of its lane */
  async assertLinked(lane: string, asker: DaemonProcess): Promise<void> {
    const { items } = await asker.client.call('peers.list', {})
    for (const { peerId, addresses, connected } of items) {
      const name = this.nameOf(peerId)
      const door = name === undefined ? '-' : `${this.#addressOf(lane, name)}/`
      const past = addresses.find(address => !address.startsWith(door))
      if (connected && past !== undefined) throw new Error(`a connection goes past the links: ${past}`)
    }
  }

  /** Bytes that came over the link of whoever asks in this lane, so far. */
  received(lane: string): Bytes {
    return this.#proxy.carried(linkOf(lane, this.#asker.name)).down
  }

  nameOf(peerId: string | undefined): string | undefined {
    return [...this.#holders].find(([, { daemon }]) => daemon.ready.peerId === peerId)?.[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#holders.values()].map(async ({ daemon }) => await daemon[Symbol.asyncDispose]()))
    await this.#proxy[Symbol.asyncDispose]()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #startHolder(node: ScenarioNode): Promise<void> {
    const doors = new Map<string, Door>()
    for (const lane of this.#lanes)
      doors.set(lane, await this.#proxy.open({ to: linkOf(lane, node.name), from: linkOf(lane, this.#asker.name) }))
    const port = await freePort()
    const daemon = await DaemonProcess.start({
      set: [
        ...settingsOf(node),
        ...HOLDER_SETTINGS,
        `network.listen=/ip4/127.0.0.1/tcp/${port}`,
        `network.announce=${JSON.stringify([...doors.values()].map(addressOf))}`
      ]
    })
    for (const door of doors.values()) door.lead(port)
    this.#holders.set(node.name, { node, daemon, doors, held: 0 })
  }

  async #advertsAt(daemon: DaemonProcess): Promise<void> {
    const expected = new Map([...this.#holders.values()].map(({ daemon: { ready }, held }) => [ready.peerId, held]))
    const until = performance.now() + PREPARING_MS_MAX
    const arrived = async (): Promise<boolean> => {
      const { items } = await daemon.client.call('adverts.list', {})
      return this.#asker.connect.every(name => {
        const id = this.#holder(name).daemon.ready.peerId
        return items.some(({ peerId, count }) => peerId === id && count >= (expected.get(id) ?? 0))
      })
    }
    while (!(await arrived())) {
      if (performance.now() > until) throw new Error(`not all adverts arrived within ${PREPARING_MS_MAX} ms`)
      await pause(LOOK_INTERVAL_MS)
    }
  }

  #addressOf(lane: string, name: string): string {
    const door = this.#holder(name).doors.get(lane)
    if (door === undefined) throw new Error(`there is no lane ${lane}`)
    return addressOf(door)
  }

  #holder(name: string): Holder {
    const holder = this.#holders.get(name)
    if (holder === undefined) throw new Error(`${name} holds nothing here: the first node asks, all others hold`)
    return holder
  }
}

/** What prepares a run may take its time: a node that is busy refuses, and so does one that has just published. */
async function patiently(prepare: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + PREPARING_MS_MAX
  while (true) {
    try {
      await prepare()
      return
    } catch (error) {
      if (!['RATE_LIMITED', 'UNAVAILABLE'].includes(toKithError(error).code) || performance.now() > until) throw error
      await pause(LOOK_INTERVAL_MS)
    }
  }
}

function linkOf(lane: string, name: string): string {
  return `${name} for ${lane}`
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
