import assert from 'node:assert/strict'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadIdentity } from '../../../../src/adapters/system/identity-file.ts'
import { didFromPeerId } from '../../../../src/peers/did-key.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

describe('identity file', () => {
  it('is made once, private, and gives the same identity ever after', async () => {
    await using directory = await temporaryDirectory()
    const first = await loadIdentity(directory.path)
    const second = await loadIdentity(directory.path)
    assert.equal(second.identity.peerId, first.identity.peerId)
    assert.equal(first.identity.peerId, peerIdFromPrivateKey(first.privateKey).toString())
    assert.equal(first.identity.did, didFromPeerId(first.identity.peerId))
    assert.equal((await stat(join(directory.path, 'identity.key'))).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(directory.path), ['identity.key'])
  })

  it('signs so that the key of the PeerId verifies it', async () => {
    await using directory = await temporaryDirectory()
    const { identity, privateKey } = await loadIdentity(directory.path)
    const bytes = Buffer.from('what I say')
    const signature = await identity.sign(bytes)
    assert.equal(signature.byteLength, 64)
    assert.equal(await privateKey.publicKey.verify(bytes, signature), true)
  })

  it('is refused when others can read it, and not changed', async () => {
    await using directory = await temporaryDirectory()
    const file = join(directory.path, 'identity.key')
    await loadIdentity(directory.path)
    await chmod(file, 0o644)
    await assert.rejects(loadIdentity(directory.path), { code: 'START_FAILED', message: /chmod 600/ })
  })

  it('is never overwritten, however broken', async () => {
    const secp = privateKeyToProtobuf(await generateKeyPair('secp256k1'))
    for (const bytes of [Buffer.alloc(0), Buffer.from('not a key'), Buffer.alloc(5000), secp]) {
      await using directory = await temporaryDirectory()
      const file = join(directory.path, 'identity.key')
      await writeFile(file, bytes, { mode: 0o600 })
      await assert.rejects(loadIdentity(directory.path), { code: 'START_FAILED', message: /holds no Ed25519 private key/ })
      assert.deepEqual(await readFile(file), Buffer.from(bytes))
    }
  })

  it('is not replaced without a word when it is lost from a home in use', async () => {
    await using directory = await temporaryDirectory()
    const { path: home } = directory
    const first = await loadIdentity(home)
    await mkdir(join(home, 'store'))
    await rm(join(home, 'identity.key'))
    assert.notEqual((await loadIdentity(home)).identity.peerId, first.identity.peerId, 'nothing was in it: a new home')
    await rm(join(home, 'identity.key'))
    await writeFile(join(home, 'store', 'x'), '')
    await assert.rejects(loadIdentity(home), { code: 'START_FAILED', message: /identity\.key is gone.*node's name.*--new-identity/ })
    assert.deepEqual(await readdir(home), ['store'])
    const second = await loadIdentity(home, { newIdentity: true })
    assert.equal((await loadIdentity(home)).identity.peerId, second.identity.peerId)
    await assert.rejects(loadIdentity(home, { newIdentity: true }), { code: 'START_FAILED', message: /move that file away/ })
    assert.equal((await loadIdentity(home)).identity.peerId, second.identity.peerId)
  })

  it('is not read through a link', async () => {
    await using directory = await temporaryDirectory()
    await symlink('/etc/hostname', join(directory.path, 'identity.key'))
    await assert.rejects(loadIdentity(directory.path), { code: 'START_FAILED', message: /plain file/ })
  })
})
