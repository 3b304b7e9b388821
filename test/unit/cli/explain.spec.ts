import assert from 'node:assert/strict'
import type { RouteParams } from '../../../src/rpc/services-people.ts'
import { explanationOf } from '../../support/fake-people.ts'
import { rpcFixture } from '../rpc/support.ts'
import { kith } from './support.ts'

const CONTENT = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'

describe('kith explain', () => {
  it('prints tables for people and the answer itself for programs', async () => {
    await using fixture = await rpcFixture()
    const plain = await kith(['explain', CONTENT], fixture)
    assert.deepEqual([plain.code, plain.stderr], [0, ''])
    assert.match(plain.stdout, /^privacy {2}private: its address says so$/m)
    assert.match(plain.stdout, /^1 {2}peer .*Ana \(…VTbjSCzB\).* 25 ms$/m)
    const json = await kith(['explain', '--json', CONTENT], fixture)
    assert.deepEqual(JSON.parse(json.stdout), explanationOf(CONTENT))
  })

  it('asks as it is told to', async () => {
    await using fixture = await rpcFixture()
    const asked: RouteParams[] = []
    fixture.services.route.explain = async params => {
      asked.push(params)
      return explanationOf(params.content)
    }
    await kith(['explain', CONTENT, '--sources', 'ipfs,peer', '--privacy', 'public'], fixture)
    assert.deepEqual(asked, [{ content: CONTENT, preferredSources: ['ipfs', 'peer'], metadata: { privacy: 'public' } }])
    const wrong = await kith(['explain', CONTENT, '--sources', 'peers'], fixture)
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /"peer"/)
  })

  it('refuses what is no address', async () => {
    await using fixture = await rpcFixture()
    const { code, stderr } = await kith(['explain', 'nonsense', '--json'], fixture)
    assert.equal(code, 2)
    assert.equal(JSON.parse(stderr).error.data.code, 'INVALID_CONTENT')
  })
})
