import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '../../../src/config/load.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { kith } from './support.ts'

describe('kith config token', () => {
  it('prints a token once, and the lines of the configuration that let it in', async () => {
    await using home = await temporaryDirectory()
    const argv = [
      'config',
      'token',
      'back-up',
      'read,write',
      '--paths',
      'out,/srv/a b',
      '--realms',
      'public,own',
      '--expires',
      '2040-01-31'
    ]
    const { code, stdout } = await kith(argv, { home: home.path })
    assert.equal(code, 0)
    const [, token = ''] = /^token: (\S+)\n/.exec(stdout) ?? []
    assert.equal(Buffer.from(token, 'base64url').byteLength, 32)
    await writeFile(join(home.path, 'config.yaml'), stdout.slice(stdout.indexOf('access:')))
    const { access } = (await loadConfig({ home: home.path })).config
    assert.equal(access.socket, 'token')
    assert.deepEqual(access.tokens, [
      {
        name: 'back-up',
        sha256: createHash('sha256').update(token).digest('hex'),
        scopes: ['read', 'write'],
        paths: [join(home.path, 'out'), '/srv/a b'],
        realms: ['public', 'own'],
        expires: Date.UTC(2040, 0, 31)
      }
    ])
  })

  it('makes another one every time, and writes nothing', async () => {
    await using home = await temporaryDirectory()
    const make = async (): Promise<{ token: string; entry: { sha256: string } }> =>
      JSON.parse((await kith(['config', 'token', 'a', 'admin', '--json'], { home: home.path })).stdout)
    const [one, two] = [await make(), await make()]
    assert.notEqual(one.token, two.token)
    assert.equal(one.entry.sha256, createHash('sha256').update(one.token).digest('hex'))
  })

  const wrong: [words: string[], message: RegExp][] = [
    [['token'], /NAME SCOPES/],
    [['token', 'a'], /NAME SCOPES/],
    [['token', 'a', 'raed'], /"read"/],
    [['token', 'a', 'read,'.repeat(2), 'wriet'], /"write"/],
    [['token', 'a b', 'read'], /good name/],
    [['token', 'a', 'read', '--expires', 'soon'], /2027-01-31/],
    [['token', 'a', 'read', '--expires', '2020-01-01'], /over already/],
    [['token', 'a', 'read', '--realms', 'a/b'], /realm/],
    [['token', 'a', 'read', '--realms', 'own,pub'], /--realms: there is no "pub"\..*public, cache, own/]
  ]
  for (const [words, message] of wrong) {
    it(`kith config ${words.join(' ')} is wrong usage, and makes no token`, async () => {
      await using home = await temporaryDirectory()
      const { code, stdout, stderr } = await kith(['config', ...words], { home: home.path })
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, message)
    })
  }
})
