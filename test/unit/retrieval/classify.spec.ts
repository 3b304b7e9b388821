import assert from 'node:assert/strict'
import { removeContent } from '../../../src/content/remove.ts'
import type { Library } from '../../../src/content/library.ts'
import { hex, parseContent } from '../../../src/model/content-id.ts'
import type { PrivacyClass, PrivacyReason, Realm } from '../../../src/model/privacy.ts'
import { Classifier, type ClassifierInit } from '../../../src/retrieval/classify.ts'
import { recordOf, blockOf } from '../../conformance/builders.ts'
import { memoryLibrary } from '../../support/dag-builder.ts'

const DEFAULTS: ClassifierInit = { unknown: 'private', unknownCid: 'peers-first' }

async function store(library: Library, realm: Realm, content: string): Promise<void> {
  await library.realms[realm].blocks.put(blockOf(content))
  await library.realms[realm].records.put(recordOf(content))
}

describe('Classifier', () => {
  let library: Library
  beforeEach(async () => {
    library = memoryLibrary()
    await store(library, 'public', 'open')
    await store(library, 'own', 'mine')
    await store(library, 'cache', 'read')
    await library.realms.own.blocks.put(blockOf('below mine'))
    await library.realms.public.blocks.put(blockOf('below open'))
  })
  const cidOf = (content: string): string => blockOf(content).cid.toString()
  const hashOf = (content: string): string => hex(recordOf(content).sha256 ?? new Uint8Array())
  const classify = async (content: string, asked?: PrivacyClass, init = DEFAULTS): Promise<[PrivacyClass, PrivacyReason]> => {
    const decision = await new Classifier({ library }, init).classify(parseContent(content), asked)
    assert.equal(decision.public, decision.class === 'public')
    return [decision.class, decision.reason]
  }

  // What is recorded, how it is addressed, what the request says, and the answer.
  const table: [string, string, PrivacyClass | undefined, PrivacyClass, PrivacyReason][] = [
    ['public content by CID', 'open', undefined, 'public', 'local-record'],
    ['public content that a request tightens', 'open', 'private', 'private', 'request'],
    ['private content by CID', 'mine', undefined, 'private', 'local-record'],
    ['private content that a request calls public', 'mine', 'public', 'private', 'local-record'],
    ['fetched content by CID', 'read', undefined, 'public', 'local-record'],
    ['a block below private content', 'below mine', 'public', 'private', 'local-record'],
    ['a block below public content', 'below open', undefined, 'public', 'local-record'],
    ['unknown content by CID', 'who knows', undefined, 'public', 'cid'],
    ['unknown content that a request calls private', 'who knows', 'private', 'private', 'request'],
    ['unknown content that a request calls public', 'who knows', 'public', 'public', 'request']
  ]
  for (const [what, content, asked, cls, reason] of table) {
    it(`takes ${what} as ${cls} (${reason})`, async () => {
      assert.deepEqual(await classify(cidOf(content), asked), [cls, reason])
    })
  }

  it('lets the address speak for what is not recorded', async () => {
    const cid = cidOf('who knows')
    assert.deepEqual(await classify(`ipfs://${cid}`), ['public', 'address'])
    assert.deepEqual(await classify(`kith://${cid}`), ['private', 'address'])
    assert.deepEqual(await classify(`/ipfs/${cid}`), ['public', 'cid'])
    assert.deepEqual(await classify(`ipfs://${cid}`, 'private'), ['private', 'request'])
    assert.deepEqual(await classify(`kith://${cid}`, 'public'), ['private', 'address'])
  })

  it('never takes a kith:// address for public, even of what is public here', async () => {
    assert.deepEqual(await classify(`kith://${cidOf('open')}`), ['private', 'address'])
  })

  it('never takes an ipfs:// address for proof that private content is public', async () => {
    assert.deepEqual(await classify(`ipfs://${cidOf('mine')}`, 'public'), ['private', 'local-record'])
  })

  it('finds content by its hash too', async () => {
    assert.deepEqual(await classify(hashOf('open')), ['public', 'local-record'])
    assert.deepEqual(await classify(hashOf('mine'), 'public'), ['private', 'local-record'])
    assert.deepEqual(await classify(hashOf('who knows')), ['private', 'unknown-hash'])
    assert.deepEqual(await classify(hashOf('who knows'), 'public'), ['public', 'request'])
  })

  it('follows the configuration for what is unknown', async () => {
    assert.deepEqual(await classify(cidOf('who knows'), undefined, { ...DEFAULTS, unknownCid: 'private' }), ['private', 'cid'])
    assert.deepEqual(await classify(cidOf('who knows'), undefined, { ...DEFAULTS, unknownCid: 'public' }), ['public', 'cid'])
    assert.deepEqual(await classify(hashOf('who knows'), undefined, { ...DEFAULTS, unknown: 'public' }), ['public', 'unknown-hash'])
  })

  it('remembers what was private after it is gone, by CID and by hash', async () => {
    const found = library.find(parseContent(cidOf('mine')))
    if (found === undefined) throw new Error('it was stored')
    await removeContent(library, found, true)
    assert.deepEqual(await classify(cidOf('mine'), 'public'), ['private', 'local-record'])
    assert.deepEqual(await classify(hashOf('mine'), 'public'), ['private', 'local-record'])
  })

  it('lets the stricter record speak when two realms know a root', async () => {
    await store(library, 'own', 'read')
    assert.deepEqual(await classify(cidOf('read')), ['private', 'local-record'])
  })
})
