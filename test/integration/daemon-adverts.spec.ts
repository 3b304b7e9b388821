/** Adverts between real daemons: what one puts as public the other knows of, until it leaves. */
import assert from 'node:assert/strict'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { base64, gossipFlows, nextEvent, PEERS_ALONE, startPair, until } from './daemon-support.ts'

describe('adverts between daemons', () => {
  let pair: Awaited<ReturnType<typeof startPair>>
  before(async () => {
    pair = await startPair(['adverts.interval=0', ...PEERS_ALONE])
    await gossipFlows(pair.a, pair.b)
  })
  after(async () => {
    await pair[Symbol.asyncDispose]()
  })

  it('claim what was put as public, and only that, when it has settled', async () => {
    const { a, b } = pair
    await a.client.call('content.put', { data: base64('kept to myself') })
    const { cid } = await a.client.call('content.put', { data: base64('for everybody'), privacy: 'public' })
    await nextEvent(b, 'advert.received', ({ did, count }) => did === a.ready.did && count === 1)
    const [advert] = (await b.client.call('adverts.list', {})).items
    assert.deepEqual(
      [advert?.did, advert?.peerId, advert?.count, advert?.truncated, advert?.ipfsNode],
      [a.ready.did, a.ready.peerId, 1, false, { enabled: true, type: 'helia' }]
    )
    const [peer] = (await b.client.call('peers.list', {})).items
    assert.deepEqual([peer?.advert?.count, peer?.advert?.seq, peer?.advert?.precision], [1, advert?.seq, null])
    const got = await b.client.call('content.get', { content: cid })
    assert.deepEqual(
      got.attempts.map(({ stage, outcome, reason }) => [stage, outcome, reason]).filter(([stage]) => stage === 'peer'),
      [['peer', 'ok', undefined]],
      'the claimant is asked without a question first'
    )
    assert.equal((await b.client.call('peers.list', {})).items[0]?.advert?.precision, 1)
  })

  it('are pulled when daemons connect, so a newcomer knows at once', async () => {
    const { a } = pair
    await using newcomer = await DaemonProcess.start()
    await newcomer.client.call('peers.connect', { address: a.address })
    await nextEvent(newcomer, 'advert.received', ({ did }) => did === a.ready.did)
    assert.deepEqual(
      (await newcomer.client.call('adverts.list', {})).items.map(({ did, count }) => [did, count]),
      [[a.ready.did, 1]]
    )
    const [known] = (await newcomer.client.call('peers.list', {})).items
    assert.ok((known?.latencyMs ?? 0) > 0, 'the answer measured the way')
  })

  it('end with a goodbye when their daemon is told to stop', async () => {
    const { a, b } = pair
    assert.deepEqual(
      (await b.client.call('adverts.list', {})).items.map(({ did }) => did),
      [a.ready.did]
    )
    const gone = nextEvent(b, 'peer.disconnected', ({ peerId }) => peerId === a.ready.peerId)
    // It hears of both at once, the goodbye and the end of the connection.
    process.kill(b.pid, 'SIGSTOP')
    try {
      assert.equal(await a.kill('SIGTERM'), 0)
    } finally {
      process.kill(b.pid, 'SIGCONT')
    }
    await gone
    await until(
      async () => (await b.client.call('adverts.list', {})).items.length,
      count => count === 0
    )
  })
})
