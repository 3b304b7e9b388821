import assert from 'node:assert/strict'
import { trustServices } from '../../../src/services/trust-services.ts'
import { ANA, SELF } from '../peers/assertion-door.ts'
import { post, type Post } from '../peers/assertion-post.ts'
import { didOf, peerOf } from '../peers/people.ts'
import { rpcFixture } from '../rpc/support.ts'
import { kith, type CliResult } from './support.ts'

interface Fixture extends Post, AsyncDisposable {
  run(...argv: string[]): Promise<CliResult>
}

/** A daemon whose trust is real and whose network is not. */
async function fixture(): Promise<Fixture> {
  const rpc = await rpcFixture()
  const trust = post()
  const network = { isConnected: () => false, disconnect: async () => {} }
  Object.assign(rpc.services, { trust: trustServices({ ...trust, network, identity: SELF }) })
  return {
    ...trust,
    run: async (...argv) => await kith(['trust', ...argv], { home: rpc.home }),
    [Symbol.asyncDispose]: async () => await rpc[Symbol.asyncDispose]()
  }
}

describe('kith trust', () => {
  it('sets, shows and lists, by DID or PeerId', async () => {
    await using at = await fixture()
    assert.match((await at.run()).stdout, /nobody has a trust level yet/)
    const set = await at.run('set', ANA.peerId, '80', '--name', 'Ana')
    assert.deepEqual([set.code, set.stdout], [0, `Ana (${ANA.did}) has level 80 now: access 8\n`])
    assert.match((await at.run('ls')).stdout, new RegExp(`^did .*\n${ANA.did} +Ana +80 +8 +8\n$`))
    assert.match((await at.run('get', ANA.did)).stdout, /^name +Ana\nlevel +80\naccess +8\ntrust +8\n/m)
    const { items } = JSON.parse((await at.run('ls', '--json')).stdout)
    assert.deepEqual(items, [{ did: ANA.did, name: 'Ana', level: 80, access: 8, effective: 8, blocked: false, paths: [], behaviour: 0 }])
  })

  it('blocks and unblocks, and says that a block outlasts a level', async () => {
    await using at = await fixture()
    assert.match((await at.run('block', ANA.did)).stdout, /is blocked: it is asked and served nothing/)
    const set = await at.run('set', ANA.did, '50')
    assert.match(set.stderr, /blocked all the same/)
    assert.match((await at.run()).stdout, /blocked$/m)
    assert.match((await at.run('unblock', ANA.did)).stdout, /its access is 5$/m)
  })

  it('tells others, and takes it back', async () => {
    await using at = await fixture()
    await at.run('set', ANA.did, '80')
    const said = await at.run('assert', didOf(9), '60', '--context', 'photos', '--expires', '90d')
    assert.match(said.stdout, new RegExp(`^${ANA.did} +waits until it connects$`, 'm'))
    assert.deepEqual(at.outbox.readersOf(didOf(9)), [ANA.did])
    assert.match((await at.run('revoke', didOf(9))).stdout, /has no level any more/)
    assert.deepEqual(at.outbox.readersOf(didOf(9)), [])
  })

  it('signs a word that nobody is there to hear, and sends it to nobody', async () => {
    await using at = await fixture()
    const { jwt, delivery } = JSON.parse((await at.run('assert', didOf(9), '60', '--json')).stdout)
    const { sub, trustLevel, aud } = JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString())
    assert.deepEqual([sub, trustLevel, aud, delivery], [didOf(9), 60, didOf(9), {}])
    assert.match((await at.run('assert', didOf(9), '60')).stdout, /nobody/)
  })

  it('shows offences, and who speaks for one', async () => {
    await using at = await fixture()
    await at.book.setLevel(peerOf(1), 90)
    await at.say(1, 9, 50)
    at.standing.report(peerOf(9), 'timeout')
    const { stdout } = await at.run('get', didOf(9))
    assert.match(stdout, /^timeout +1$/m)
    assert.match(stdout, new RegExp(`^ *4\\.5 +${didOf(1)}$`, 'm'))
    assert.match((await at.run()).stdout, new RegExp(`^${didOf(9)} .* by the word of ${didOf(1)}$`, 'm'))
  })

  const wrong: [argv: string[], message: RegExp][] = [
    [['set', 'did:key:alice', '5'], /did:key:alice/],
    [['set', didOf(1)], /something is missing: kith trust set DID LEVEL/],
    [['set', didOf(1), '101'], /no level/],
    [['set', didOf(1), '-5'], /-5/],
    [['get'], /something is missing: kith trust get DID/],
    [['get', didOf(1), 'x'], /"x" is too much/],
    [['sett', didOf(1)], /Did you mean "set"/],
    [['block', didOf(1), '--name', 'x'], /--name means nothing to kith trust block/],
    [['assert', didOf(1)], /no level was set/]
  ]
  for (const [argv, message] of wrong) {
    it(`refuses "kith trust ${argv.map(word => word.slice(0, 16)).join(' ')}" as wrong usage`, async () => {
      await using at = await fixture()
      const { code, stderr } = await at.run(...argv)
      assert.equal(code, 2)
      assert.match(stderr, message)
      assert.deepEqual([...at.book.entries()], [])
    })
  }
})
