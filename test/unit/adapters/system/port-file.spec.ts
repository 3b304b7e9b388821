import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { prepareHome } from '../../../../src/adapters/system/home.ts'
import { createLog } from '../../../../src/adapters/system/log.ts'
import { recallPorts, rememberPorts } from '../../../../src/adapters/system/port-file.ts'
import { freePort } from '../../../support/free-port.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'

const log = createLog({ level: 'silent', format: 'json' })

describe('port file', () => {
  it('keeps the drawn port, for a wildcard and for one address', async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(directory.path)
    const [a, b] = [await freePort(), await freePort()]
    const listen = ['/ip4/0.0.0.0/tcp/0', '/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/4001']
    assert.deepEqual(await recallPorts({ log }, home, listen), listen)
    await rememberPorts(home, listen, [
      `/ip4/10.0.0.1/tcp/${a}/p2p/12D3`,
      `/ip4/192.0.2.1/tcp/${a}/p2p/12D3`,
      `/ip4/127.0.0.1/tcp/${b}`,
      '/ip4/127.0.0.1/tcp/4001'
    ])
    assert.deepEqual(await recallPorts({ log }, home, listen), [
      `/ip4/0.0.0.0/tcp/${a}`,
      `/ip4/127.0.0.1/tcp/${b}`,
      '/ip4/127.0.0.1/tcp/4001'
    ])
  })

  it('draws anew, with a warning, when the port is taken', async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(directory.path)
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const lines: string[] = []
    const listen = ['/ip4/127.0.0.1/tcp/0']
    await rememberPorts(home, listen, [`/ip4/127.0.0.1/tcp/${port}`])
    const warning = createLog({ level: 'warn', format: 'json', destination: { write: text => lines.push(text) } })
    const told: object[] = []
    assert.deepEqual(await recallPorts({ log: warning, onTaken: facts => void told.push(facts) }, home, listen), listen)
    assert.equal(lines.length, 1)
    assert.deepEqual(told, [{ address: listen[0], port }])
    taken.close()
  })

  it('is ignored when it is broken', async () => {
    await using directory = await temporaryDirectory()
    const home = await prepareHome(directory.path)
    for (const text of ['', 'null', '[]', '{"/ip4/127.0.0.1/tcp/0": 99999}', '{"/ip4/127.0.0.1/tcp/0": "x"}']) {
      await writeFile(join(home, 'state/ports.json'), text)
      assert.deepEqual(await recallPorts({ log }, home, ['/ip4/127.0.0.1/tcp/0']), ['/ip4/127.0.0.1/tcp/0'])
    }
  })
})
