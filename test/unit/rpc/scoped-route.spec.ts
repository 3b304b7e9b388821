/** What a token learns of routes, against fake services. */
import assert from 'node:assert/strict'
import type { RouteParams } from '../../../src/rpc/services-people.ts'
import { explanationOf, FAKE_CANDIDATE } from '../../support/fake-people.ts'
import { digestOf, RawLines, rpcFixture, type RpcFixture } from './support.ts'

const NOWHERE = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
const GUARD = { socket: 'admin', tokens: [{ name: 'app', sha256: digestOf('app'), scopes: ['read', 'write'] }] } as const

async function connected({ socketPath }: RpcFixture, token?: string): Promise<RawLines> {
  const lines = await RawLines.open(socketPath)
  if (token !== undefined) assert.equal((await lines.ask('auth.login', { token })).error, undefined)
  return lines
}

/** Remembers what the service was asked. */
function listen({ services: { route } }: RpcFixture): RouteParams[] {
  const asked: RouteParams[] = []
  route.explain = async params => {
    asked.push(params)
    return explanationOf(params.content)
  }
  route.best = async params => {
    asked.push(params)
    return FAKE_CANDIDATE
  }
  return asked
}

describe('routes of a token', () => {
  it('are of the real content for the operator, and name the token for others', async () => {
    await using fixture = await rpcFixture(GUARD)
    const asked = listen(fixture)
    using operator = await connected(fixture)
    using app = await connected(fixture, 'app')
    const metadata = { privacy: 'private', size: 7 }
    const preferredSources = ['peer']
    await operator.ask('route.explain', { content: NOWHERE, metadata, preferredSources })
    await app.ask('route.best', { content: NOWHERE })
    assert.deepEqual(asked, [
      { content: NOWHERE, metadata, preferredSources },
      { content: NOWHERE, by: 'app' }
    ])
  })

  it('are those of what does not exist, for what others put privately', async () => {
    await using fixture = await rpcFixture(GUARD)
    const asked = listen(fixture)
    using operator = await connected(fixture)
    using app = await connected(fixture, 'app')
    const put = await operator.ask('content.put', { data: Buffer.from('a private thing').toString('base64') })
    const hidden = String(put.result?.['cid'])
    for (const method of ['route.explain', 'route.best']) {
      const about = JSON.stringify((await app.ask(method, { content: hidden })).result)
      const unknown = JSON.stringify((await app.ask(method, { content: NOWHERE })).result)
      assert.equal(about.replaceAll(hidden, NOWHERE), unknown)
    }
    assert.equal(asked.length, 4)
    assert.ok(!JSON.stringify(asked).includes(hidden))
  })

  it('refuse parameters that are not in the contract, and say what is not built', async () => {
    await using fixture = await rpcFixture()
    using lines = await connected(fixture)
    const codeOf = async (params: object): Promise<unknown> =>
      (await lines.ask('route.explain', { content: NOWHERE, ...params })).error?.data['code']
    assert.deepEqual(
      [
        await codeOf({ by: 'app' }),
        await codeOf({ preferredSources: ['peer', 'peer'] }),
        await codeOf({ metadata: { privacy: 'restricted' } })
      ],
      ['INVALID_PARAMS', 'INVALID_PARAMS', 'NOT_BUILT']
    )
  })
})
