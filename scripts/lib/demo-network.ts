/**
 * A scenario as real processes on loopback: daemons, plain IPFS nodes, gateways, and files on disk, all in one
 * temporary directory that goes with it. Nothing here pretends: who served is what the daemon that asked reports.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { KithError } from '../../src/errors.ts'
import type { KithClient } from '../../src/rpc/client.ts'
import { MIB } from '../../src/model/units.ts'
import type { Scenario, ScenarioFile, ScenarioNode } from '../../src/sim/scenario.ts'
import { DaemonProcess } from './daemon-process.ts'
import { PlainNode } from './plain-node.ts'
import { writeSeededFile } from './seeded-file.ts'

/** Each node is a process of some 150 MB. */
const NODES_MAX = 16
/** Plain nodes hold their files in memory. Bytes. */
const TOTAL_BYTES_MAX = 1024 * MIB
/** How long nodes on one machine may take to notice that another came or went. Milliseconds. */
const NOTICE_MS_MAX = 5_000
/** Between two looks at who is connected. Milliseconds. */
const LOOK_INTERVAL_MS = 20

export interface DemoFile {
  readonly path: string
  readonly sha256: string
  readonly cid: string
}

type Running = DaemonProcess | PlainNode

export class DemoNetwork implements AsyncDisposable {
  readonly directory: string
  readonly #scenario: Scenario
  readonly #running = new Map<string, Running>()
  /** Where each node was last reached: multiaddr or URL. */
  readonly #places = new Map<string, string>()
  readonly #files = new Map<string, { path: string; sha256: string; cid?: string }>()
  readonly #starting = new Set<Promise<unknown>>()

  private constructor(scenario: Scenario, directory: string) {
    this.#scenario = scenario
    this.directory = directory
  }

  /** @param tell - hears what is going on, in a few words */
  static async start(scenario: Scenario, tell: (phase: string) => void, signal: AbortSignal): Promise<DemoNetwork> {
    assertFits(scenario)
    const network = new DemoNetwork(scenario, await mkdtemp(join(tmpdir(), 'kith-')))
    try {
      // Whoever interrupts waits for the processes to end, not for the preparations.
      await Promise.race([network.#start(tell, signal), aborted(signal)])
      return network
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  async #start(tell: (phase: string) => void, signal: AbortSignal): Promise<void> {
    const { nodes, files, seed } = this.#scenario
    tell(`making ${files.length} files`)
    await mkdir(join(this.directory, 'originals'))
    for (const file of files) {
      const path = join(this.directory, 'originals', file.name)
      this.#files.set(file.name, { path, sha256: await writeSeededFile(path, seed, file) })
      signal.throwIfAborted()
    }
    tell(`starting ${nodes.length} processes`)
    // Daemons are configured with the addresses of gateways, so these come first.
    await Promise.all(nodes.filter(({ kind }) => kind === 'gateway').map(async node => await this.#launch(node)))
    await Promise.all(nodes.filter(({ kind }) => kind !== 'gateway').map(async node => await this.#launch(node)))
    signal.throwIfAborted()
    tell('handing out the files')
    await Promise.all(nodes.map(async node => await this.#fill(node)))
    signal.throwIfAborted()
    tell('connecting')
    for (const node of nodes) await this.#connect(node)
  }

  isRunning(name: string): boolean {
    return this.#running.has(name)
  }

  file(name: string): DemoFile {
    const file = this.#files.get(name)
    if (file?.cid === undefined) throw new Error(`nobody holds the file ${name}, so it has no address`)
    return { ...file, cid: file.cid }
  }

  client(name: string): KithClient {
    const node = this.#running.get(name)
    if (!(node instanceof DaemonProcess)) throw new Error(`${name} is no running daemon`)
    return node.client
  }

  /** Pulls the plug, and waits until those who were connected have noticed. */
  async stop(name: string): Promise<void> {
    const node = this.#running.get(name)
    if (node === undefined) return
    this.#running.delete(name)
    if (node instanceof DaemonProcess) node.client.close()
    await node.kill('SIGKILL')
    const id = peerIdOf(this.#places.get(name))
    if (id === undefined) return
    for (const { kind, name: other } of this.#scenario.nodes)
      if (kind === 'kith' && this.isRunning(other)) await eventually(async () => !(await connectedPeers(this.client(other))).has(id))
  }

  /** Starts a node again with what it had; everybody who is to be connected is. */
  async restart(name: string): Promise<void> {
    const node = this.#node(name)
    await this.#launch(node)
    if (node.kind !== 'kith') await this.#fill(node)
    await this.#connect(node)
    for (const other of this.#scenario.nodes) if (other.connect.includes(name) && this.isRunning(other.name)) await this.#connect(other)
  }

  /** The node behind a PeerId or URL. */
  nameOf(place: string): string | undefined {
    return [...this.#places].find(([, at]) => at === place || peerIdOf(at) === place)?.[0]
  }

  /** The plain IPFS nodes this one is connected to: the daemon reports the stage, and bitswap does not say who it was. */
  ipfsPeersOf(name: string): string[] {
    return this.#node(name).connect.filter(other => this.#node(other).kind === 'helia' && this.isRunning(other))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#starting)
    await Promise.all([...this.#running.values()].map(async node => await node[Symbol.asyncDispose]()))
    await rm(this.directory, { recursive: true, force: true })
  }

  async #launch(node: ScenarioNode): Promise<void> {
    const starting = this.#spawn(node).then(running => {
      this.#running.set(node.name, running)
      this.#places.set(node.name, running instanceof DaemonProcess ? running.address : running.at)
    })
    this.#starting.add(starting)
    await starting
  }

  async #spawn(node: ScenarioNode): Promise<Running> {
    if (node.kind !== 'kith') {
      const paths = this.#heldBy(node).map(file => join(this.directory, 'originals', file.name))
      return await PlainNode.start(node.kind, paths, Number(/:(\d+)$/.exec(this.#places.get(node.name) ?? '')?.[1] ?? 0))
    }
    const urls = node.gateways.map(name => this.#places.get(name))
    const config = { ...node.config, ...(urls.length === 0 ? {} : { gateways: urls }) }
    const home = join(this.directory, `home-${this.#scenario.nodes.indexOf(node)}`)
    return await DaemonProcess.start({ home, set: Object.entries(config).map(([key, value]) => `${key}=${JSON.stringify(value)}`) })
  }

  /** Everybody computes the address of a file alone, and all must come to the same. */
  async #fill(node: ScenarioNode): Promise<void> {
    const files = this.#heldBy(node)
    const running = this.#running.get(node.name)
    if (running === undefined) return
    const cids = running instanceof PlainNode ? await running.cids : await this.#put(running.client, files)
    for (const [index, { name }] of files.entries()) {
      const [file, cid] = [this.#files.get(name), cids[index]]
      if (file === undefined || cid === undefined) continue
      if (file.cid !== undefined && file.cid !== cid) throw new Error(`${node.name} gives ${name} the address ${cid}, others ${file.cid}`)
      file.cid = cid
    }
  }

  async #put(client: KithClient, files: readonly ScenarioFile[]): Promise<string[]> {
    const cids: string[] = []
    for (const { name, privacy } of files)
      cids.push((await client.call('content.put', { path: join(this.directory, 'originals', name), name, privacy })).cid)
    return cids
  }

  async #connect({ name, connect, trust }: ScenarioNode): Promise<void> {
    for (const [other, level] of trust) {
      const node = this.#running.get(other)
      if (node instanceof DaemonProcess) await this.client(name).call('trust.set', { did: node.ready.did, level, name: other })
    }
    for (const other of connect.filter(node => this.isRunning(node))) {
      const client = this.client(name)
      const { peerId } = await client.call('peers.connect', { address: this.#places.get(other) ?? '' })
      if (this.#node(other).kind === 'helia') await eventually(async () => (await client.call('daemon.status', {})).ipfs.connected)
      else await eventually(async () => (await connectedPeers(client)).get(peerId) === true)
    }
  }

  #heldBy({ name }: ScenarioNode): ScenarioFile[] {
    return this.#scenario.files.filter(({ at }) => at.includes(name))
  }

  #node(name: string): ScenarioNode {
    const node = this.#scenario.nodes.find(one => one.name === name)
    if (node === undefined) throw new Error(`there is no node ${name}`)
    return node
  }
}

function assertFits({ nodes, files }: Scenario): void {
  if (nodes.length > NODES_MAX)
    throw new KithError('TOO_LARGE', `the demo starts a process for each node, at most ${NODES_MAX}; this scenario has ${nodes.length}`)
  const total = files.reduce((sum, { size }) => sum + size, 0)
  if (total > TOTAL_BYTES_MAX)
    throw new KithError('TOO_LARGE', `the files of this scenario have ${total} bytes; the demo makes at most ${TOTAL_BYTES_MAX}`)
}

async function aborted(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Connected peers, and whether their advert is here. */
async function connectedPeers(client: KithClient): Promise<Map<string, boolean>> {
  const { items } = await client.call('peers.list', {})
  return new Map(items.filter(({ connected }) => connected).map(({ peerId, advert }) => [peerId, advert !== undefined]))
}

/** Waits until it is so, or long enough: what is asked next shows what came of it. */
async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + NOTICE_MS_MAX
  while (!(await isSo()) && performance.now() < until) await pause(LOOK_INTERVAL_MS)
}

function peerIdOf(address: string | undefined): string | undefined {
  return /\/p2p\/([^/]+)$/.exec(address ?? '')?.[1]
}
