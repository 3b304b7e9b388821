import assert from 'node:assert/strict'
import { loadConfig } from '../../../src/config/load.ts'
import type { LoadedConfig } from '../../../src/config/resolve.ts'

describe('aliases in the environment', () => {
  const load = async (env: Record<string, string>, sets: readonly string[] = []): Promise<LoadedConfig> =>
    await loadConfig({ home: '/nowhere', env, sets })

  it('name the IPFS node by URL, by multiaddr, or by host and port', async () => {
    const nodes: [Record<string, string>, string[]][] = [
      [{ IPFS_HOST: 'https://ipfs.example:5001' }, ['https://ipfs.example:5001']],
      [{ IPFS_HOST: '/ip4/10.0.0.7/tcp/5001' }, ['/ip4/10.0.0.7/tcp/5001']],
      [{ IPFS_HOST: 'http://a.example:1, http://b.example:2' }, ['http://a.example:1', 'http://b.example:2']],
      [{ PRSM_IPFS_HOST: 'ipfs.example' }, ['http://ipfs.example:5001']],
      [{ PRSM_IPFS_HOST: '::1', PRSM_IPFS_PORT: '5002' }, ['http://[::1]:5002']],
      [{ PRSM_IPFS_HOST: 'http://ipfs.example:9' }, ['http://ipfs.example:9']],
      [{ PRSM_IPFS_PORT: '5003' }, ['http://127.0.0.1:5003']],
      [{ PRSM_IPFS_HOST: 'weaker.example', IPFS_HOST: 'http://stronger.example' }, ['http://stronger.example']]
    ]
    for (const [env, api] of nodes) {
      const { config, provenance } = await load(env)
      assert.deepEqual([config.ipfs.type, config.ipfs.api], ['kubo', api])
      assert.equal(provenance.get('ipfs.api')?.kind, 'alias')
    }
  })

  it('set credentials, time-outs, gateways and limits', async () => {
    const { config, shown } = await load({
      IPFS_PROJECT_ID: '0042',
      IPFS_PROJECT_SECRET: 'hush',
      PRSM_IPFS_TIMEOUT: '1500',
      PRSM_IPFS_GATEWAY: 'http://127.0.0.1:8080,https://ipfs.io',
      PRSM_IPFS_MAX_CONNECTIONS: '7',
      PRSM_IPFS_CACHE_SIZE_MB: '512',
      PRSM_IPFS_RETRY_ATTEMPTS: '5'
    })
    assert.deepEqual([config.ipfs.projectId, config.ipfs.projectSecret, config.ipfs.timeout], ['0042', 'hush', 1500])
    assert.deepEqual(
      config.gateways.map(({ url }) => url),
      ['http://127.0.0.1:8080', 'https://ipfs.io']
    )
    assert.deepEqual([config.limits.maxSockets, config.cache.maxBytes, config.retry.attempts], [7, 512_000_000, 5])
    assert.doesNotMatch(JSON.stringify(shown), /hush/)
    const units = await load({ PRSM_IPFS_TIMEOUT: '2s', PRSM_IPFS_CACHE_SIZE_MB: '1GiB' })
    assert.deepEqual([units.config.ipfs.timeout, units.config.cache.maxBytes], [2000, 1_073_741_824])
  })

  it('yield to KITH_ names and the command line, and say nothing when empty', async () => {
    const env = { IPFS_HOST: 'http://a.example', KITH_IPFS_API: 'http://b.example', PRSM_IPFS_TIMEOUT: '', IPFS_PROJECT_ID: ' ' }
    const { config, provenance } = await load(env, ['ipfs.type=gateway-only'])
    assert.deepEqual([config.ipfs.type, config.ipfs.api], ['gateway-only', ['http://b.example']])
    assert.deepEqual([provenance.get('ipfs.timeout')?.kind, provenance.get('ipfs.api')?.kind], ['default', 'environment'])
  })

  it('are refused by name', async () => {
    const refused: [Record<string, string>, RegExp][] = [
      [{ IPFS_PROJECT_ID: 'me' }, /IPFS_PROJECT_ID without IPFS_PROJECT_SECRET/],
      [{ IPFS_PROJECT_SECRET: 'x', KITH_IPFS_PROJECT_ID: 'me' }, /IPFS_PROJECT_SECRET without IPFS_PROJECT_ID/],
      [{ IPFS_HOST: 'ipfs.example' }, /ipfs\.api \(IPFS_HOST\): .*"ipfs\.example".* is not where/],
      [{ PRSM_IPFS_HOST: 'a', PRSM_IPFS_PORT: 'b' }, /ipfs\.api \(PRSM_IPFS_HOST\)/],
      [{ PRSM_IPFS_TIMEOUT: 'soon' }, /ipfs\.timeout \(PRSM_IPFS_TIMEOUT\): "soon" is not a duration/],
      [{ PRSM_IPFS_MAX_CONNECTIONS: 'many' }, /limits\.maxSockets \(PRSM_IPFS_MAX_CONNECTIONS\)/],
      [{ PRSM_IPFS_CACHE_SIZE_MB: '0' }, /PRSM_IPFS_CACHE_SIZE_MB: .*such as 64/],
      [{ PRSM_IPFS_GATEWAY: 'ipfs.io' }, /gateways \(PRSM_IPFS_GATEWAY\)/]
    ]
    for (const [env, message] of refused) await assert.rejects(load(env), { code: 'CONFIG', message })
  })
})
