/** Who gets how much when several want all: counted at the askers, over real connections. */
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { CID } from 'multiformats/cid'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { ExchangeServer } from '../../src/exchange/server.ts'
import { MIB } from '../../src/model/units.ts'
import { SourceError } from '../../src/ports/block-source.ts'
import { FakeStanding } from '../support/fake-standing.ts'
import { silentLog } from '../support/silent-log.ts'
import { addressOf, clientOf, dagRequest, MemoryContent, patterned, startTestHost } from './exchange-support.ts'

const FILE_BYTES = 8 * MIB

describe('fair serving', () => {
  const hosts: Host[] = []
  let server: Host
  let service: ExchangeServer
  let standing: FakeStanding
  let cid: CID
  let going: AbortController
  const asking: Promise<void>[] = []
  const taken = new Map<string, number>()

  beforeEach(async () => {
    going = new AbortController()
    taken.clear()
    standing = new FakeStanding()
    server = await startTestHost()
    hosts.push(server)
    const content = new MemoryContent()
    cid = await content.addFile(patterned(FILE_BYTES))
    service = new ExchangeServer({ network: server, policy: content, standing, clock: systemClock, log: silentLog })
    await service.start()
  })
  afterEach(async () => {
    going.abort(new Error('enough'))
    await Promise.all(asking.splice(0))
    service.stop()
    await Promise.all(hosts.splice(0).map(async host => await host.stop()))
  })

  async function peer(): Promise<Host> {
    const host = await startTestHost()
    hosts.push(host)
    await host.connect(addressOf(server))
    return host
  }
  const of = (host: Host): number => taken.get(host.self) ?? 0

  /** Asks for the file again and again until the end, whatever is answered. */
  async function askOn(ask: ReturnType<typeof clientOf>, self: string): Promise<void> {
    const leaf = (_index: number, bytes: Uint8Array): void => {
      taken.set(self, (taken.get(self) ?? 0) + bytes.byteLength)
    }
    while (!going.signal.aborted) {
      try {
        await ask.dag(server.self, dagRequest({ cid }), { head: () => {}, node: () => {}, leaf }, going)
      } catch (error) {
        if (!going.signal.aborted && !(error instanceof SourceError)) throw error
      }
      await turn()
    }
  }
  /** Three streams to a client, as many clients as it takes. */
  function flood(host: Host, streams: number): void {
    for (let left = streams; left > 0; left -= 3) {
      const ask = clientOf(host)
      for (let i = 0; i < Math.min(3, left); i++) asking.push(askOn(ask, host.self))
    }
  }
  async function until(host: Host, bytes: number): Promise<void> {
    while (of(host) < bytes) await turn()
  }

  it('gives one stream of a peer as much as 32 streams of another', async () => {
    const [greedy, modest] = [await peer(), await peer()]
    flood(greedy, 32)
    await until(greedy, MIB)
    const before = of(greedy)
    flood(modest, 1)
    await until(modest, 2 * FILE_BYTES)
    const ratio = (of(greedy) - before) / of(modest)
    assert.ok(ratio < 2, `the greedy one had ${ratio.toFixed(2)} times as much`)
  }).timeout(120_000)

  it('serves a trusted peer well while strangers want all', async () => {
    const friend = await peer()
    standing.set(friend.self, 8)
    const strangers = [await peer(), await peer(), await peer(), await peer()]
    for (const stranger of strangers) flood(stranger, 4)
    await until(strangers[0] ?? friend, MIB)
    const before = strangers.reduce((sum, stranger) => sum + of(stranger), 0)
    flood(friend, 3)
    await until(friend, 3 * FILE_BYTES)
    const theirs = strangers.reduce((sum, stranger) => sum + of(stranger), 0) - before
    assert.ok(theirs < of(friend), `strangers had ${(theirs / of(friend)).toFixed(2)} times as much`)
    assert.ok(theirs > 0, 'and they are not shut out')
  }).timeout(120_000)
})
