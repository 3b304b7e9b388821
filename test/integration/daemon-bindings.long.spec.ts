/** A person who has a key of their own, and a node: `kith id bind` there, `kith trust set` elsewhere. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { terminal } from '../support/terminal.ts'
import { assertClean } from './bad-input-support.ts'
import { until } from './daemon-support.ts'
import { accessOf } from './pairing-support.ts'

/** Three starts of a daemon, on a machine that has other things to do. */
const DAEMONS_MS_MAX = 120_000
/** So that a peer hears at once of the node it has just met. */
const SET = ['adverts.interval=0']

describe('a person who speaks for a node', function () {
  this.timeout(DAEMONS_MS_MAX)

  it('signs it in one command, is seen by other nodes, and the level they give the person counts for the node', async () => {
    await using room = await temporaryDirectory()
    const home = join(room.path, 'home')
    const kith = terminal(room.path, home)
    await writeFile(join(room.path, 'ana.pem'), generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }))
    const before = await DaemonProcess.start({ home, set: SET })
    const { did: node } = before.ready
    const bound = await kith('id', 'bind', '--key', 'ana.pem', '--save', '--json')
    await before[Symbol.asyncDispose]()
    assert.equal(bound.code, 0, bound.stderr)
    const { did: person, node: named } = JSON.parse(bound.stdout)
    assert.equal(named, node)

    await using b = await DaemonProcess.start({ set: SET })
    await using a = await DaemonProcess.start({ home, set: SET })
    assert.equal(a.ready.did, node)
    const shown = await kith('id')
    assert.ok(shown.stdout.includes(`${person} speaks for it until`), shown.stdout)
    const atB = terminal(room.path, b.home)
    assert.equal((await atB('peers', 'connect', a.address)).code, 0)
    const queried = await atB('adverts', 'query', a.ready.peerId)
    assert.equal(queried.code, 0, queried.stderr)
    assert.ok(queried.stdout.includes(person), queried.stdout)
    assert.equal(await accessOf(b, node), 0)
    const set = await atB('trust', 'set', person, '80', '--name', 'Ana')
    assert.equal(set.code, 0, set.stderr)
    assert.equal(await accessOf(b, node), 8)
    const { items } = await b.client.call('peers.list', {})
    assert.equal(items.find(({ did }) => did === node)?.access, 8)
    for (const daemon of [a, b]) await assertClean(daemon)
  })

  it('is found by whoever connects, without being asked for, also if it was signed on another machine', async () => {
    await using room = await temporaryDirectory()
    await using key = await temporaryDirectory()
    const home = join(room.path, 'home')
    await writeFile(join(key.path, 'ana.pem'), generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }))
    const before = await DaemonProcess.start({ home, set: SET })
    const { peerId, did: node } = before.ready
    await before[Symbol.asyncDispose]()
    const elsewhere = await terminal(key.path, join(key.path, 'none'))('id', 'bind', '--key', 'ana.pem', '--for', peerId)
    assert.equal(elsewhere.code, 0, elsewhere.stderr)
    await mkdir(join(home, 'keys', 'bindings'), { recursive: true })
    await writeFile(join(home, 'keys', 'bindings', 'ana.jwt'), elsewhere.stdout)
    const [person = ''] = /did:key:\w+(?= speaks for)/.exec(elsewhere.stderr) ?? []

    await using b = await DaemonProcess.start({ set: SET })
    await using a = await DaemonProcess.start({ home, set: SET })
    await b.client.call('trust.set', { did: person, level: 70 })
    await b.client.call('peers.connect', { address: a.address })
    assert.equal(
      await until(
        async () => await accessOf(b, node),
        access => access > 0
      ),
      7
    )
  })
})
