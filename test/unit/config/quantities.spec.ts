import assert from 'node:assert/strict'
import { parseDuration, parseSize } from '../../../src/config/quantities.ts'
import { CONFIG_SCHEMA } from '../../../src/config/schema.ts'
import { envName, leaves } from '../../../src/config/tree.ts'

describe('sizes and durations', () => {
  it('are read in every unit', () => {
    assert.deepEqual(['1B', '1kB', '1MB', '1GB', '1KiB', '1MiB', '1GiB', '1TiB', '1.5KiB', '10 GiB'].map(parseSize), [
      1,
      1000,
      1e6,
      1e9,
      1024,
      2 ** 20,
      2 ** 30,
      2 ** 40,
      1536,
      10 * 2 ** 30
    ])
    assert.deepEqual(['1ms', '1s', '1m', '1h', '1d', '0.5s'].map(parseDuration), [1, 1000, 60_000, 3_600_000, 86_400_000, 500])
  })

  it('are nothing without a unit, with another one, or beyond what a number holds', () => {
    for (const text of ['', '1', '1 ', 'GiB', '-1s', '1e3s', '1gb', '1 toString', '1constructor', '1s1s', '99999999999999d'])
      assert.equal(parseSize(text) ?? parseDuration(text), undefined, text)
  })
})

describe('the schema', () => {
  it('gives every key a name in the environment of its own', () => {
    const names = leaves(CONFIG_SCHEMA).map(leaf => leaf.env)
    assert.equal(new Set(names).size, names.length)
    assert.equal(envName('network.maxConnections'), 'KITH_NETWORK_MAX_CONNECTIONS')
    assert.equal(envName('p2pIpfs.preferP2P'), 'KITH_P2P_IPFS_PREFER_P2P')
    assert.equal(envName('p2pIpfs.preferIPFS'), 'KITH_P2P_IPFS_PREFER_IPFS')
  })

  it('explains every key in a sentence', () => {
    for (const { name, key } of leaves(CONFIG_SCHEMA)) assert.match(key.doc, /^[A-Z`].*\.$/, name)
  })
})
