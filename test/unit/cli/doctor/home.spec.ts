import assert from 'node:assert/strict'
import { chmod, chown, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { clockFindings } from '../../../../src/cli/doctor/clock.ts'
import { homeFindings } from '../../../../src/cli/doctor/home.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

const DAY = 86_400_000
const isRoot = process.getuid?.() === 0

/** A home as a daemon leaves it. */
async function lived(): Promise<Awaited<ReturnType<typeof temporaryDirectory>>> {
  const directory = await temporaryDirectory()
  await mkdir(join(directory.path, 'store', 'own'), { recursive: true })
  await writeFile(join(directory.path, 'identity.key'), await newKey('Ed25519'), { mode: 0o600 })
  return directory
}

async function newKey(type: 'Ed25519' | 'secp256k1'): Promise<Uint8Array> {
  return privateKeyToProtobuf(type === 'Ed25519' ? await generateKeyPair(type) : await generateKeyPair(type))
}

async function codes(home: string, user?: number): Promise<string[]> {
  return (await homeFindings(home, user)).map(({ code, severity }) => `${severity} ${code}`)
}

describe('doctor on the home', () => {
  it('finds nothing wrong with a home that is as it should be', async () => {
    await using home = await lived()
    assert.deepEqual(await codes(home.path), ['ok HOME'])
  })

  it('knows a home that is not there yet', async () => {
    await using home = await temporaryDirectory()
    assert.deepEqual(await codes(join(home.path, 'a', 'b')), ['info HOME_NEW'])
  })

  it('finds a home or a key that others can read, and says how to close it', async () => {
    await using home = await lived()
    await chmod(home.path, 0o755)
    await chmod(join(home.path, 'identity.key'), 0o644)
    const found = await homeFindings(home.path)
    assert.deepEqual(
      found.map(({ code, remedy }) => [code, remedy?.includes('chmod')]),
      [
        ['HOME_OPEN', true],
        ['KEY_OPEN', true]
      ]
    )
  })

  it('finds what belongs to somebody else', async () => {
    await using home = await lived()
    assert.ok((await codes(home.path, 12_345)).every(line => line === 'error HOME_FOREIGN'))
    if (!isRoot) return
    await chown(join(home.path, 'store'), 12_345, 12_345)
    assert.deepEqual(await codes(home.path), ['error HOME_FOREIGN'])
  })

  it('finds a home one may not write to', async function () {
    if (isRoot) return this.skip() // root may write everywhere
    await using home = await lived()
    await chmod(home.path, 0o500)
    assert.deepEqual(await codes(home.path), ['error HOME_READ_ONLY'])
    assert.deepEqual(await codes(join(home.path, 'inner')), ['error HOME_IMPOSSIBLE'])
    await chmod(home.path, 0o700)
  })

  it('finds a file where a directory belongs, and a link where the key belongs', async () => {
    await using home = await lived()
    assert.deepEqual(await codes(join(home.path, 'identity.key')), ['error HOME_NOT_A_DIRECTORY'])
    await writeFile(join(home.path, 'keys'), '')
    await rm(join(home.path, 'identity.key'))
    await symlink('/dev/null', join(home.path, 'identity.key'))
    assert.deepEqual(await codes(home.path), ['error KEY_BROKEN', 'error HOME_NOT_A_DIRECTORY'])
  })

  it('finds a key that was cut short, changed, or is of another kind', async () => {
    await using home = await lived()
    const path = join(home.path, 'identity.key')
    const key = await newKey('Ed25519')
    const changed = key.map((byte, index) => (index === 10 ? byte ^ 1 : byte))
    for (const bytes of [key.subarray(0, 10), changed, await newKey('secp256k1'), new Uint8Array()]) {
      await writeFile(path, bytes)
      const [found] = await homeFindings(home.path)
      assert.deepEqual([found?.code, found?.severity], ['KEY_BROKEN', 'error'])
      assert.match(found?.message ?? '', /cannot be read as an Ed25519 private key/)
    }
    await writeFile(path, key)
    assert.deepEqual(await codes(home.path), ['ok HOME'])
  })

  it('warns before a lost key makes the node a stranger', async () => {
    await using home = await lived()
    await rm(join(home.path, 'identity.key'))
    assert.deepEqual(await codes(home.path), ['error KEY_LOST'])
    await using fresh = await temporaryDirectory()
    assert.deepEqual(await codes(fresh.path), ['ok HOME'])
  })
})

describe('doctor on the clock', () => {
  it('believes a clock that no file contradicts', async () => {
    await using home = await lived()
    assert.deepEqual(
      (await clockFindings(home.path)).map(({ code }) => code),
      ['CLOCK']
    )
  })

  it('finds a clock behind a file that was written here', async () => {
    await using home = await lived()
    const path = join(home.path, 'store', 'own', 'segment')
    await writeFile(path, '')
    const tomorrow = new Date(Date.now() + DAY)
    await utimes(path, tomorrow, tomorrow)
    const [found] = await clockFindings(home.path)
    assert.deepEqual([found?.code, found?.severity], ['CLOCK_BEHIND', 'error'])
    assert.match(found?.message ?? '', /segment was written 2[34] h/)
  })

  it('finds a clock that stands at the beginning of time', async () => {
    await using home = await lived()
    assert.deepEqual(
      (await clockFindings(home.path, 86_400_000)).map(({ code }) => code),
      ['CLOCK_WRONG']
    )
  })
})
