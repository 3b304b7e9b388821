/** Two daemons that nobody can dial, and a third that both trust: what is private moves through it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { hashOfFile, writeBig } from './daemon-support.ts'

/** Until the daemon can be reached through a relay. @returns where */
async function circuitOf(daemon: DaemonProcess): Promise<string> {
  for (;;) {
    const { addresses } = await daemon.client.call('daemon.status', {})
    const found = addresses.find(address => address.includes('/p2p-circuit'))
    if (found !== undefined) return found
  }
}

describe('daemons behind a relay among own people', function () {
  this.timeout(120_000)

  it('pair through it, and move a private file of 20 MiB; a stranger gets no place', async () => {
    await using folder = await temporaryDirectory()
    await using relay = await DaemonProcess.start()
    const hidden = ['network.listen=[]', `network.peering=["${relay.address}"]`]
    await using a = await DaemonProcess.start({ set: hidden })
    await using b = await DaemonProcess.start({ set: hidden })
    await using stranger = await DaemonProcess.start({ set: hidden })
    await relay.client.call('trust.set', { did: a.ready.did, level: 80 })
    for (const each of [a, b, stranger]) await each.client.call('trust.set', { did: relay.ready.did, level: 80 })
    const at = await circuitOf(a)
    assert.ok(at.endsWith(`/p2p/${relay.ready.peerId}/p2p-circuit/p2p/${a.ready.peerId}`), at)

    // B is a stranger to the relay, and pairs with A through it all the same; what they move is another matter.
    const { ticket } = await a.client.call('peers.invite', {})
    const joined = await b.client.call('peers.join', { ticket })
    assert.deepEqual([joined.did, joined.via], [a.ready.did, 'relayed'])

    await relay.client.call('trust.set', { did: b.ready.did, level: 80 })
    await b.client.call('peers.disconnect', { peer: a.ready.peerId })
    await b.client.call('peers.connect', { address: at })
    const path = join(folder.path, 'twenty')
    const digest = await writeBig(path, 20)
    const { uri } = await a.client.call('content.put', { path })
    const copy = join(folder.path, 'copy')
    const got = await b.client.call('content.get', { content: uri, path: copy })
    assert.equal(got.source.stage, 'peer')
    assert.equal(await hashOfFile(copy), digest)

    const [atRelay, atB] = await Promise.all([relay, b].map(async ({ client }) => (await client.call('daemon.status', {})).relay))
    assert.ok(atRelay !== undefined && atRelay.bytesToday > 20 * 1_048_576, JSON.stringify(atRelay))
    assert.deepEqual(
      atB?.relayed.map(({ peer }) => peer),
      [a.ready.peerId]
    )
    const listed = (await b.client.call('peers.list', {})).items.map(({ peerId, via }) => [peerId, via])
    assert.deepEqual(Object.fromEntries(listed), { [a.ready.peerId]: 'relayed', [relay.ready.peerId]: 'direct' })
    const strangers = await stranger.client.call('daemon.status', {})
    assert.deepEqual([strangers.addresses, strangers.relay?.relays], [[], []])
  })
})
