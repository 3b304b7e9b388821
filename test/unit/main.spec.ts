import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { readyLine } from '../../src/main.ts'

const DAEMON = new URL('../../src/daemon.ts', import.meta.url).href
/** What only some ways of running need, and what costs them 10 to 60 MiB. */
const HEAVY = /\/node_modules\/(helia|@helia\/[^/]+|kubo-rpc-client|@libp2p\/kad-dht)\//
/** Loads the daemon in a process of its own and prints the URL of each module that came with it. */
const LIST_MODULES = `
  import { registerHooks } from 'node:module'
  registerHooks({ load: (url, context, next) => { console.log(url); return next(url, context) } })
  await import(${JSON.stringify(DAEMON)})`

describe('ready line', () => {
  const ready = {
    socketPath: '/h/api.sock',
    peerId: '12D3',
    did: 'did:key:z6Mk',
    addresses: ['/ip4/1.2.3.4/tcp/1/p2p/12D3', '/ip6/::1/tcp/2/p2p/12D3'],
    http: null
  }

  it('is one line of words', () => {
    assert.equal(
      readyLine(ready, false),
      'ready socket=/h/api.sock peer=12D3 did=did:key:z6Mk addresses=/ip4/1.2.3.4/tcp/1/p2p/12D3,/ip6/::1/tcp/2/p2p/12D3 http=off\n'
    )
    assert.match(readyLine({ ...ready, http: 'http://127.0.0.1:8420' }, false), / http=http:\/\/127\.0\.0\.1:8420\n$/)
  })

  it('is one line of JSON when asked for', () => {
    const line = readyLine(ready, true)
    assert.equal(line.indexOf('\n'), line.length - 1)
    assert.deepEqual(JSON.parse(line), {
      ready: true,
      socket: '/h/api.sock',
      peerId: '12D3',
      did: 'did:key:z6Mk',
      addresses: ready.addresses,
      http: null
    })
  })
})

describe('the daemon as it is loaded', () => {
  it('has not loaded what only some ways of running use', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', LIST_MODULES], { maxBuffer: 2 ** 24 })
    const modules = stdout.split('\n')
    assert.equal(modules.includes(DAEMON), true)
    assert.deepEqual(
      modules.filter(url => HEAVY.test(url)),
      []
    )
  })
})
