/** News of public contents, told by gossip without storms. */
import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { verifyUpdate, type PublicContent } from '../../../src/adverts/update.ts'
import { UpdatePublisher } from '../../../src/adverts/update-publisher.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { digest, identity, silent } from './support.ts'

const content = (n: number): PublicContent => ({ cid: rawCid(digest(n)), sha256: digest(n), size: n, contentType: 'text/plain' })

describe('publishing updates', () => {
  let ana: Identity
  let clock: VirtualClock
  let sent: string[]
  let isPublic: (root: CID) => boolean
  let publisher: UpdatePublisher

  before(async () => {
    ana = await identity(1)
  })
  beforeEach(() => {
    clock = new VirtualClock()
    sent = []
    isPublic = () => true
    publisher = new UpdatePublisher({
      identity: ana,
      clock,
      log: silent,
      isPublic: root => isPublic(root),
      publish: async (topic, data) => {
        assert.equal(topic, 'kith/updates/1')
        const update = await verifyUpdate(new TextDecoder().decode(data), clock.now())
        sent.push(update?.cid.toString() ?? '')
      }
    })
  })
  afterEach(async () => {
    await publisher.close()
    assert.equal(clock.pending, 0)
  })

  it('tells of a content once it has settled, and once in ten minutes', async () => {
    publisher.announce(content(1))
    await clock.advance(999)
    assert.deepEqual(sent, [])
    await clock.advance(1)
    assert.deepEqual(sent, [content(1).cid.toString()])
    publisher.announce(content(1))
    await clock.advance(599_000)
    assert.equal(sent.length, 1)
    publisher.announce(content(1))
    await clock.advance(2000)
    assert.equal(sent.length, 2)
  })

  it('tells nothing of what is no longer there', async () => {
    publisher.announce(content(1))
    isPublic = () => false
    await clock.advance(5000)
    assert.deepEqual(sent, [])
  })

  it('makes no storm of ten thousand contents: eight at once, one a second, the newest only', async () => {
    for (let n = 0; n < 10_000; n++) publisher.announce(content(n))
    await clock.advance(1000)
    assert.equal(sent.length, 8)
    await clock.advance(10_000)
    assert.equal(sent.length, 18)
    await clock.advance(600_000)
    assert.equal(sent.length, 64)
    assert.ok(sent.includes(content(9999).cid.toString()) && !sent.includes(content(9000).cid.toString()))
  })

  it('tells nothing more once it is closed', async () => {
    publisher.announce(content(1))
    await publisher.close()
    publisher.announce(content(2))
    await clock.advance(5000)
    assert.deepEqual(sent, [])
  })
})
