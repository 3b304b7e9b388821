import assert from 'node:assert/strict'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { Keeper } from '../../../../src/adapters/libp2p/keeper.ts'
import { NetworkWatch } from '../../../../src/adapters/libp2p/network-watch.ts'
import { watchVerdicts } from '../../../../src/adapters/libp2p/reachability.ts'
import { silentLog } from '../../../support/silent-log.ts'
import { VirtualClock } from '../../../support/virtual-clock.ts'

describe('network watch', () => {
  it('tells of each change of the own addresses once, until it is stopped', async () => {
    const clock = new VirtualClock()
    let [addresses, changes] = ['lo', 0]
    const changed = (): void => {
      changes++
    }
    const watch = new NetworkWatch({ clock, changed, look: () => addresses })
    watch.start()
    await clock.advance(20_000)
    assert.equal(changes, 0)
    addresses = 'lo eth0'
    await clock.advance(20_000)
    assert.equal(changes, 1)
    watch.stop()
    assert.equal(clock.pending, 0)
  })
})

describe('keeper', () => {
  it('tries whoever is away at once when the network has changed', async () => {
    const clock = new VirtualClock()
    const tries: string[] = []
    const keeper = new Keeper(
      {
        clock,
        log: silentLog,
        isConnected: () => false,
        wanted: () => true,
        protect: async () => {},
        dial: async address => {
          tries.push(address)
          throw new Error('no way')
        }
      },
      ['a', 'b']
    )
    await keeper.start()
    await clock.advance(60_000)
    const before = tries.length
    keeper.retry()
    await clock.advance(0)
    assert.equal(tries.length, before + 2)
    // And with short pauses again.
    await clock.advance(3_100)
    assert.equal(tries.length, before + 6)
    keeper.stop()
    assert.equal(clock.pending, 0)
  })
})

describe('reachability', () => {
  it('is what was last found for public addresses, however it reaches libp2p', () => {
    const told: string[] = []
    const verdicts = new Map<string, boolean>()
    const manager = Object.assign(Object.create(null), {
      confirmObservedAddr: (address: Multiaddr) => told.push(`+${address.toString()}`),
      removeObservedAddr: (address: Multiaddr) => told.push(`-${address.toString()}`)
    })
    const watched = watchVerdicts(manager, verdicts)
    const [open, own] = [multiaddr('/ip4/104.131.131.82/tcp/1'), multiaddr('/ip4/192.168.1.1/tcp/1')]
    watched.confirmObservedAddr(own)
    assert.equal(verdicts.size, 0)
    watched.confirmObservedAddr(open)
    assert.deepEqual([...verdicts.values()], [true])
    watched.removeObservedAddr(open)
    assert.deepEqual([...verdicts.values()], [false])
    assert.deepEqual(told, [`+${own.toString()}`, `+${open.toString()}`, `-${open.toString()}`])
    for (let port = 1; port < 200; port++) watched.confirmObservedAddr(multiaddr(`/ip4/104.131.131.82/tcp/${port}`))
    assert.equal(verdicts.size, 64)
  })
})
