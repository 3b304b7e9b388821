import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { terminal } from '../support/terminal.ts'

describe('the commands of kith against real daemons', () => {
  it('carry a directory from one node to another in a CAR file, and prove it there', async () => {
    await using a = await DaemonProcess.start()
    await using b = await DaemonProcess.start()
    await using directory = await temporaryDirectory()
    const [atA, atB] = [terminal(directory.path, a.home), terminal(directory.path, b.home)]
    await mkdir(join(directory.path, 'letters', 'old'), { recursive: true })
    const bytes = Buffer.alloc(3_000_000, 'a letter ')
    await writeFile(join(directory.path, 'letters', 'big.txt'), bytes)
    await writeFile(join(directory.path, 'letters', 'old', 'small.txt'), 'hello')

    const put = await atA('put', 'letters')
    assert.equal(put.code, 0, put.stderr)
    const uri = put.stdout.trim()
    assert.match(uri, /^kith:\/\/bafy/)
    const exported = await atA('export', uri, '-o', 'letters.car', '--json')
    assert.equal(exported.code, 0, exported.stderr)
    assert.deepEqual(JSON.parse(exported.stdout).roots, [uri.slice('kith://'.length)])

    const imported = await atB('import', 'letters.car')
    assert.deepEqual([imported.code, imported.stdout], [0, `${uri}\n`], imported.stderr)
    assert.equal((await atB('verify', uri)).code, 0)
    const got = await atB('get', uri, '-o', 'copy')
    assert.equal(got.code, 0, got.stderr)
    assert.ok((await readFile(join(directory.path, 'copy', 'big.txt'))).equals(bytes))
    assert.equal(await readFile(join(directory.path, 'copy', 'old', 'small.txt'), 'utf8'), 'hello')
    const again = await atA('export', uri, '-o', 'letters.car')
    assert.deepEqual([again.code, again.stdout], [1, ''])
    assert.match(again.stderr, /exists already/)
  })

  it('hand out the address of what is public, and refuse for what is not', async () => {
    await using daemon = await DaemonProcess.start({ set: ['gateways=["https://gateway.example"]'] })
    await using directory = await temporaryDirectory()
    const kith = terminal(directory.path, daemon.home)
    await writeFile(join(directory.path, 'open.txt'), 'open')
    await writeFile(join(directory.path, 'closed.txt'), 'closed')
    const open = (await kith('put', 'open.txt', '--privacy', 'public')).stdout.trim()
    const closed = (await kith('put', 'closed.txt')).stdout.trim()
    const [uri, url] = (await kith('link', open, '--filename', 'o.txt')).stdout.split('\n')
    assert.equal(uri, open)
    assert.match(url ?? '', /^https:\/\/gateway\.example\/ipfs\/bafk\w+\?filename=o\.txt$/)
    const refused = await kith('link', closed)
    assert.deepEqual([refused.code, refused.stdout], [1, ''])
    assert.match(refused.stderr, /private/)
  })

  it('end with the exit codes of the contract', async () => {
    await using daemon = await DaemonProcess.start()
    await using directory = await temporaryDirectory()
    const kith = terminal(directory.path, daemon.home)
    const nowhere = 'ipfs://bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
    const cases: [argv: readonly string[], code: number][] = [
      [['status'], 0],
      [['put', 'no-such-file'], 2],
      [['get', 'nonsense'], 2],
      [['swarm', 'list'], 2],
      [['import', 'no-such.car'], 2],
      [['status', '--home', directory.path], 3],
      [['get', nowhere, '--timeout', '5s'], 4],
      [['stat', nowhere], 4]
    ]
    for (const [argv, code] of cases) {
      const ended = await kith(...argv, '--json')
      assert.equal(ended.code, code, `${argv.join(' ')}: ${ended.stderr}`)
      if (code === 0) assert.equal(typeof JSON.parse(ended.stdout), 'object')
      else assert.equal(typeof JSON.parse(ended.stderr).error.data.code, 'string')
    }
  })
})
