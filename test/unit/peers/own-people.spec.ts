import assert from 'node:assert/strict'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { KithError } from '../../../src/errors.ts'
import { AddressBook } from '../../../src/peers/address-book.ts'
import { addressesToTell } from '../../../src/peers/dial-addresses.ts'
import { OwnPeople, type OwnPeopleComponents } from '../../../src/peers/own-people.ts'
import type { ControlHandler, ControlValue } from '../../../src/ports/control.ts'
import type { NetworkEvents } from '../../../src/ports/network.ts'
import { silentLog } from '../../support/silent-log.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

const ADDRESS = '/ip4/192.0.2.7/tcp/4001'

/** A network of names: peers that are up can be connected at any address. */
class FakeNetwork {
  readonly self = 'me'
  readonly up = new Set<string>()
  readonly dials: string[] = []
  readonly waits: string[] = []
  readonly #connected = new Map<string, string>()
  #events: Partial<NetworkEvents> = {}

  addresses(): string[] {
    return ['/ip4/127.0.0.1/tcp/1/p2p/me', '/ip4/192.168.1.2/tcp/1/p2p/me']
  }
  peers(): ReturnType<OwnPeopleComponents['network']['peers']> {
    return [...this.#connected].map(([peer, address]) => ({
      peer,
      addresses: [address],
      since: 0,
      protocols: [],
      identified: true,
      relayed: false
    }))
  }
  isConnected(peer: string): boolean {
    return this.#connected.has(peer)
  }
  async identified(peer: string): Promise<void> {
    this.waits.push(peer)
  }
  on(events: Partial<NetworkEvents>): () => void {
    this.#events = events
    return () => {
      this.#events = {}
    }
  }
  async connect(address: string): Promise<string> {
    this.dials.push(address)
    const peer = address.split('/').at(-1) ?? ''
    if (!this.up.has(peer)) throw new KithError('UNAVAILABLE', 'nothing listens there')
    if (!this.#connected.has(peer)) {
      this.#connected.set(peer, address)
      this.#events.connected?.(peer)
    }
    return peer
  }
  drop(peer: string): void {
    this.up.delete(peer)
    this.#connected.delete(peer)
    this.#events.disconnected?.(peer)
  }
}

async function fixture(trusted: string[] = ['ana']) {
  const [clock, network, book] = [new VirtualClock(), new FakeNetwork(), new AddressBook({ state: memoryState() })]
  const told: [string, ControlValue][] = []
  const handlers = new Map<string, ControlHandler>()
  const listeners = new Set<(peer: string) => void>()
  const people = new OwnPeople({
    network,
    book,
    clock,
    log: silentLog,
    random: { number: () => 1, bytes: length => new Uint8Array(length) },
    standing: {
      isTrusted: peer => trusted.includes(peer),
      isShunned: peer => peer === 'eve',
      trustedPeers: () => trusted,
      onChange: listener => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      }
    },
    control: {
      handle: (kind, handler) => void handlers.set(kind, handler),
      ask: async (peer, _kind, body) => {
        told.push([peer, body])
        return null
      }
    }
  })
  const heard = async (peer: string, body: ControlValue): Promise<ControlValue | undefined> => await handlers.get('addresses')?.(peer, body)
  const trust = (peer: string): void => {
    trusted.push(peer)
    for (const listener of listeners) listener(peer)
  }
  return { clock, network, book, people, told, heard, trust }
}

describe('own people', () => {
  it('are dialled at the start, and told where this node is', async () => {
    const { network, book, people, told } = await fixture(['ana', 'ben'])
    network.up.add('ana')
    await book.told('ana', [ADDRESS])
    await book.told('eve', [ADDRESS])
    people.start()
    await settle()
    assert.deepEqual(network.dials, [`${ADDRESS}/p2p/ana`])
    assert.deepEqual(told, [['ana', { addresses: ['/ip4/192.168.1.2/tcp/1'] }]])
    people.stop()
  })

  it('are dialled again after a loss, ever more slowly, until they are back', async () => {
    const { clock, network, book, people } = await fixture()
    await book.told('ana', [ADDRESS])
    network.up.add('ana')
    people.start()
    await settle()
    network.drop('ana')
    const dialsAfter = async (ms: number): Promise<number> => {
      const before = network.dials.length
      await clock.advance(ms)
      return network.dials.length - before
    }
    assert.deepEqual([await dialsAfter(1_000), await dialsAfter(1_999), await dialsAfter(1), await dialsAfter(3_999)], [1, 0, 1, 0])
    assert.equal((await dialsAfter(3_600_000)) <= 36, true)
    network.up.add('ana')
    await clock.advance(120_000)
    assert.equal(network.isConnected('ana'), true)
    assert.equal(await dialsAfter(3_600_000), 0)
    people.stop()
    assert.equal(clock.pending, 0)
  })

  it('become ones when they are trusted, and stop being ones when they are not', async () => {
    const { clock, network, book, people, trust } = await fixture([])
    await book.told('ana', [ADDRESS])
    people.start()
    await clock.advance(10_000)
    assert.deepEqual(network.dials, [])
    network.up.add('ana')
    trust('ana')
    await clock.advance(1_000)
    assert.equal(network.isConnected('ana'), true)
    people.stop()
  })

  it('are reached on demand with one dial for all who ask, or it is said why not', async () => {
    const { network, book, people } = await fixture()
    network.up.add('ben')
    await book.told('ben', [ADDRESS])
    await book.told('eve', [ADDRESS])
    await book.told('dan', [ADDRESS])
    await Promise.all([people.reach('ben', {}), people.reach('ben', {})])
    await people.reach('ben', {})
    assert.equal(network.waits.at(-1), 'ben', 'who is connected may not have said yet what it speaks')
    assert.deepEqual(network.dials, [`${ADDRESS}/p2p/ben`])
    await assert.rejects(people.reach('eve', {}), { code: 'UNAVAILABLE', message: /blocked or suspended/ })
    await assert.rejects(people.reach('dan', {}), { code: 'UNAVAILABLE', message: /nothing listens there/ })
    await assert.rejects(people.reach('who', {}), { code: 'UNAVAILABLE', message: /no address/ })
    await assert.rejects(people.reach('dan', { signal: AbortSignal.abort(new Error('given up')) }), /given up/)
  })

  it('say themselves where they are; strangers are not heard, nor nonsense', async () => {
    const { book, heard } = await fixture()
    await heard('ana', { addresses: ['/ip4/192.0.2.8/tcp/1', 'nonsense', 7, '/unix/tmp/x', '/ip4/192.0.2.9/tcp/2/p2p/ana'] })
    assert.deepEqual(book.of('ana'), ['/ip4/192.0.2.8/tcp/1/p2p/ana', '/ip4/192.0.2.9/tcp/2/p2p/ana'])
    await assert.rejects(heard('ben', { addresses: [ADDRESS] }), { code: 'UNAUTHORIZED' })
    await assert.rejects(heard('ana', { addresses: Array.from({ length: 9 }, () => ADDRESS) }), { code: 'INVALID_PARAMS' })
    await assert.rejects(heard('ana', null), { code: 'INVALID_PARAMS' })
    assert.deepEqual(book.of('ben'), [])
  })
})

describe('the addresses of a peer', () => {
  it('are eight at most, the one that worked in front whatever the peer says later', async () => {
    const book = new AddressBook({ state: memoryState() })
    const at = (n: number): string => `/ip4/192.0.2.${n}/tcp/1`
    await book.told(
      'ana',
      Array.from({ length: 20 }, (_, n) => at(n))
    )
    assert.equal(book.of('ana').length, 8)
    await book.worked('ana', `${at(5)}/p2p/ana`)
    await book.worked('ana', '/ip4/203.0.113.1/tcp/50000')
    await book.told('ana', [at(30), at(31)])
    assert.deepEqual(
      book.of('ana'),
      [at(5), at(30), at(31)].map(address => `${address}/p2p/ana`)
    )
    await book.told('ana', [])
    assert.equal(book.of('ana')[0], `${at(5)}/p2p/ana`)
  })

  it('are told the likeliest first, those of the machine itself only if there are no others', () => {
    const me = (address: string): string => `${address}/p2p/me`
    const all = [
      '/ip4/127.0.0.1/tcp/1',
      '/ip6/fe80::1/tcp/1',
      '/ip4/10.0.0.1/tcp/1',
      '/ip4/8.8.8.8/tcp/1/p2p/relay/p2p-circuit',
      '/ip4/1.1.1.1/tcp/1',
      '/dns4/example.org/tcp/1'
    ]
    assert.deepEqual(addressesToTell(all.map(me), 'me'), [
      '/ip4/1.1.1.1/tcp/1',
      '/dns4/example.org/tcp/1',
      '/ip4/10.0.0.1/tcp/1',
      '/ip4/8.8.8.8/tcp/1/p2p/relay/p2p-circuit'
    ])
    const [own, relayed] = ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2/p2p/relay/p2p-circuit']
    assert.deepEqual(addressesToTell([me(relayed), me(own)], 'me'), [own, relayed])
    assert.deepEqual(addressesToTell([me(relayed), me('/ip4/10.0.0.1/tcp/1')], 'me'), ['/ip4/10.0.0.1/tcp/1'])
    assert.deepEqual(addressesToTell([me('/ip4/127.0.0.1/tcp/1')], 'me'), ['/ip4/127.0.0.1/tcp/1'])
    assert.equal(
      addressesToTell(
        Array.from({ length: 30 }, (_, n) => me(`/ip4/10.0.0.${n}/tcp/1`)),
        'me'
      ).length,
      8
    )
  })
})
