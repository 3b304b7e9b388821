import assert from 'node:assert/strict'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { main } from '../../../src/cli/main.ts'
import { FAKE_TICKET } from '../../support/fake-people.ts'
import { rpcFixture } from '../rpc/support.ts'
import { kith } from './support.ts'

describe('kith invite, join and share', () => {
  it('print the ticket alone, and beside it what it grants, until when and what to do with it', async () => {
    await using fixture = await rpcFixture()
    const { home } = fixture
    for (const argv of [['invite'], ['share', 'kith://bafkqaaa']]) {
      const { code, stdout, stderr } = await kith(argv, { home })
      assert.deepEqual([code, stdout], [0, `${FAKE_TICKET.ticket}\n`])
      assert.match(stderr, /2026-01-0[12]/)
      assert.match(stderr, argv[0] === 'invite' ? /kith join TICKET/ : /kith get TICKET/)
    }
    const json = await kith(['invite', '--json', '--device'], { home })
    assert.deepEqual([JSON.parse(json.stdout), json.stderr], [FAKE_TICKET, ''])
  })

  it('say what each kind of invitation means', async () => {
    await using fixture = await rpcFixture()
    const said = async (...argv: string[]): Promise<string> => (await kith(['invite', ...argv], { home: fixture.home })).stderr
    assert.match(await said(), /For one node.*level 80.*may have your private content/)
    assert.match(await said('--level', '30', '--uses', '3'), /For 3 nodes.*level 30.*may not have/)
    assert.match(await said('--device'), /devices/)
    const one = await said('--content', 'kith://bafkqaaa')
    assert.match(one, /gives that content/)
    assert.doesNotMatch(one, /level/)
  })

  it('draws the ticket as a code on a terminal only', async () => {
    await using fixture = await rpcFixture()
    for (const isTTY of [true, false]) {
      const stdout = Object.assign(new PassThrough(), { isTTY })
      const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), signal: new AbortController().signal, cwd: fixture.home }
      assert.equal(await main(['invite'], { KITH_HOME: fixture.home }, io), 0)
      const lines = String(stdout.read()).trimEnd().split('\n')
      assert.equal(lines.at(-1), FAKE_TICKET.ticket)
      assert.equal(lines.length, isTTY ? 4 : 1)
    }
  })

  it('takes a ticket back, and joins with one', async () => {
    await using fixture = await rpcFixture()
    const { home } = fixture
    assert.match((await kith(['invite', '--revoke', FAKE_TICKET.ticket], { home })).stdout, /worth nothing/)
    assert.match((await kith(['invite', '--revoke', 'kith:other'], { home })).stdout, /no such ticket/)
    const joined = await kith(['join', 'kith:fake', '--level', '70'], { home })
    assert.equal(joined.stdout, 'did:key:fake\n')
    assert.match(joined.stderr, /access 7 of 10/)
    assert.match(joined.stderr, /level 80 there, which opens its private content/)
    const revoked = await kith(['join', 'kith:revoked'], { home })
    assert.match(revoked.stderr, /no level there any more: .* taken back since\..* ask for a new one/)
    assert.equal(JSON.parse((await kith(['join', 'kith:revoked', '--json'], { home })).stdout).granted, 0)
    const old = await kith(['join', 'kith:old'], { home })
    assert.doesNotMatch(old.stderr, /level .* there/, 'one that does not say is not said to give nothing')
  })

  it('get says what to do with a ticket that holds no content', async () => {
    await using fixture = await rpcFixture()
    const { code, stderr } = await kith(['get', 'kith:fake', '-o', join(fixture.home, 'x')], { home: fixture.home })
    assert.equal(code, 2)
    assert.match(stderr, /kith join TICKET/)
  })
})
