/** A daemon that is started before there is a network: alone on loopback, then a cable is plugged in. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect, type KithClient, type KithEvent } from '../../src/rpc/client.ts'
import { makeCableNet, whyNoNamespaces, type CableNet } from '../support/network-namespace.ts'

const CHECKOUT = new URL('../../', import.meta.url).pathname

interface Inside {
  readonly client: KithClient
  readonly peerId: string
  readonly addresses: readonly string[]
}

describe('a daemon without a network', () => {
  let net: CableNet
  let home: string
  const children: ChildProcess[] = []
  const clients: KithClient[] = []

  before(async function () {
    const why = await whyNoNamespaces()
    if (why !== undefined) {
      process.stdout.write(`    skipped: ${why}\n`)
      return this.skip()
    }
    net = await makeCableNet()
    home = await mkdtemp(join(tmpdir(), 'kith-netns-'))
  })
  after(async () => {
    for (const client of clients) client.close()
    await Promise.all(
      children.map(async child => {
        const ended = once(child, 'exit')
        if (child.kill('SIGTERM')) await ended
      })
    )
    await net?.[Symbol.asyncDispose]()
    if (home !== undefined) await rm(home, { recursive: true, force: true })
  })

  async function start(namespace: string, set: readonly string[]): Promise<Inside> {
    const own = join(home, namespace)
    const daemon = [
      process.execPath,
      join(CHECKOUT, 'bin', 'kithd.js'),
      '--home',
      own,
      '--config',
      join(CHECKOUT, 'configs', 'isolated.yaml'),
      '--json'
    ]
    const { file, args } = net.inside(namespace, [...daemon, ...set.flatMap(pair => ['--set', pair])])
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    children.push(child)
    assert.ok(child.stdout !== null)
    const [line] = await once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(60_000) })
    const ready: { readonly socket: string; readonly peerId: string; readonly addresses: string[] } = JSON.parse(String(line))
    const client = await connect({ socket: ready.socket })
    clients.push(client)
    return { client, peerId: ready.peerId, addresses: ready.addresses }
  }

  async function nextPeer(client: KithClient, type: 'peer.connected' | 'peer.disconnected'): Promise<KithEvent> {
    for await (const event of client.events({ types: [type], since: 0 }, { signal: AbortSignal.timeout(60_000) })) return event
    throw new Error('the events ended')
  }

  it('is ready on loopback, and when a cable is plugged in it has new addresses and meets its peer', async function () {
    this.timeout(180_000)
    const quiet = ['log.level=error', 'network.mdns=true']
    const far = await start(net.far, [...quiet, 'network.listen=/ip4/0.0.0.0/tcp/4401'])
    const near = await start(net.near, [
      ...quiet,
      'network.listen=/ip4/0.0.0.0/tcp/4402',
      `network.peering=[/ip4/10.77.0.2/tcp/4401/p2p/${far.peerId}]`
    ])
    assert.deepEqual(near.addresses, [`/ip4/127.0.0.1/tcp/4402/p2p/${near.peerId}`])
    const put = await near.client.call('content.put', { data: Buffer.from('alone').toString('base64') })
    assert.equal(put.size, 5)
    const met = nextPeer(near.client, 'peer.connected')
    await net.plugIn()
    assert.equal((await met)['peerId'], far.peerId)
    const { addresses } = await near.client.call('daemon.status', {})
    assert.ok(addresses.includes(`/ip4/10.77.0.1/tcp/4402/p2p/${near.peerId}`), addresses.join())
    const { latencyMs } = await near.client.call('peers.ping', { peer: far.peerId })
    assert.ok(latencyMs > 0)
  })
})
