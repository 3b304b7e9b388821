import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig, type ConfigSources } from '../../../src/config/load.ts'
import { configFrom, type LoadedConfig } from '../../../src/config/resolve.ts'

describe('configuration', () => {
  let home = ''
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'kith-config-'))
  })
  after(async () => {
    await rm(home, { recursive: true })
  })

  const load = async (sources: Partial<ConfigSources>): Promise<LoadedConfig> => await loadConfig({ home, ...sources })
  const fileWith = async (text: string): Promise<string> => {
    const file = join(home, 'given.yaml')
    await writeFile(file, text)
    return file
  }
  const fails = async (sources: Partial<ConfigSources>, message: RegExp, code = 'CONFIG'): Promise<void> => {
    await assert.rejects(load(sources), { code, message })
  }

  it('has the defaults of the contract, in milliseconds and bytes', async () => {
    const { config, provenance } = await load({})
    assert.deepEqual(config.network.listen, ['/ip4/0.0.0.0/tcp/0'])
    assert.equal(config.network.maxConnections, 300)
    assert.equal(config.network.publicSwarm, 'lazy')
    assert.equal(config.network.bootstrap, 'public')
    assert.deepEqual(config.network.peering, [])
    assert.deepEqual(config.routing, { hedgeDelay: 250, ipfsDelay: 150, gatewayDelay: 600, maxParallelPeers: 3, strict: false })
    assert.deepEqual(config.privacy, { default: 'private', unknown: 'private', unknownCid: 'peers-first', serveFetched: 'trusted' })
    assert.deepEqual(config.adverts, {
      interval: 30_000,
      heartbeat: 300_000,
      grace: 120_000,
      falsePositiveRate: 0.001,
      maxBytes: 2_097_152
    })
    assert.deepEqual(config.gateways[0], { url: 'https://trustless-gateway.link', timeout: 30_000 })
    assert.equal(config.gateways.length, 4)
    assert.equal(config.limits.maxFileSize, Number.POSITIVE_INFINITY)
    assert.equal(config.api.socket, null)
    assert.equal(config.log.level, 'info')
    assert.equal(provenance.get('network.mdns')?.kind, 'default')
  })

  it('lets the command line win over the environment, that over the file, that over the default', async () => {
    const file = await fileWith('network: {maxConnections: 1, mdns: false}\nlog: {level: debug}\n')
    const env = { KITH_NETWORK_MAX_CONNECTIONS: '2', KITH_LOG_LEVEL: 'warn', KITH_HOME: '/anywhere', PATH: '/bin' }
    const { config, provenance } = await load({ file, env, sets: ['network.maxConnections=3'] })
    assert.deepEqual([config.network.maxConnections, config.log.level, config.network.mdns], [3, 'warn', false])
    assert.deepEqual(
      ['network.maxConnections', 'log.level', 'network.mdns', 'log.format'].map(name => provenance.get(name)?.kind),
      ['command line', 'environment', 'file', 'default']
    )
  })

  it('reads config.yaml of the home when no file is named, and needs none', async () => {
    await writeFile(join(home, 'config.yaml'), 'log:\n  level: error\n')
    assert.equal((await load({})).config.log.level, 'error')
    assert.equal((await load({ file: await fileWith('') })).config.log.level, 'info')
    await rm(join(home, 'config.yaml'))
  })

  it('takes YAML values, sections and single values for lists from --set', async () => {
    const { config } = await load({
      sets: [
        'gateways=http://127.0.0.1:8080',
        'network={mdns: false, peering: []}',
        'routing.strict=true',
        'network.listen=[]',
        'log.level='
      ]
    })
    assert.deepEqual(config.gateways, [{ url: 'http://127.0.0.1:8080', timeout: 30_000 }])
    assert.deepEqual([config.network.mdns, config.routing.strict, config.network.listen, config.log.level], [false, true, [], 'info'])
  })

  it('reads every example of configs/', async () => {
    for (const name of ['isolated', 'home', 'private-only', 'gateway-only'])
      await load({ file: join(import.meta.dirname, `../../../configs/${name}.yaml`) })
    const { config } = await load({ file: join(import.meta.dirname, '../../../configs/isolated.yaml') })
    assert.deepEqual(
      [config.network.bootstrap, config.network.mdns, config.network.publicSwarm, config.gateways, config.ipfs.dht],
      [[], false, false, [], 'off']
    )
  })

  it('names an unknown key and the nearest right one', async () => {
    await fails({ sets: ['netwrok.mdns=true'] }, /netwrok.*Did you mean "network"\?/)
    await fails({ sets: ['network.maxConnection=1'] }, /network\.maxConnection .*Did you mean "maxConnections"\?/)
    await fails({ sets: ['log.colour=red'] }, /It has level, format\./)
    await fails({ sets: ['log.level.deep=1'] }, /"log\.level" has no key "deep"/)
    await fails({ sets: ['__proto__={polluted: 1}'] }, /no key "__proto__"/)
    await fails({ file: await fileWith('__proto__: {polluted: 1}') }, /no key "__proto__"/)
    await fails({ file: await fileWith('constructor: {a: 1}') }, /no key "constructor"/)
    await fails({ env: { KITH_NETWORK_MDN: 'true' } }, /Did you mean "KITH_NETWORK_MDNS"\?/)
  })

  it('names key, value and source of a wrong value, and what would be right', async () => {
    await fails({ sets: ['log.level=inof'] }, /^log\.level \(--set\): "inof" is none of info, .*Did you mean "info"\?/)
    await fails(
      { env: { KITH_ROUTING_IPFS_DELAY: '150' } },
      /^routing\.ipfsDelay \(KITH_ROUTING_IPFS_DELAY\): 150 is not a duration\. .*ms s m h d/
    )
    await fails({ file: await fileWith('cache: {maxBytes: 10gb}') }, /^cache\.maxBytes \(.*given\.yaml\): "10gb" is not a size\. .*GiB/)
    await fails({ sets: ['network.maxConnections=0'] }, /not between 1 and/)
    await fails({ sets: ['network.maxConnections="12"'] }, /not a whole number/)
    await fails({ sets: ['network.mdns=yes'] }, /neither true nor false/)
    await fails({ sets: ['network=7'] }, /not a section with keys/)
    await fails({ sets: ['adverts.maxBytes=5GiB'] }, /more than the 2097152 bytes/)
    await fails({ sets: ['adverts.falsePositiveRate=.nan'] }, /not a number/)
    await fails({ sets: ['api.socket=12'] }, /not a path/)
  })

  it('refuses addresses and gateways that cannot be meant', async () => {
    await fails({ sets: ['network.listen=127.0.0.1:80'] }, /not an address to listen on/)
    await fails({ sets: ['network.listen=/ip4/127.0.0.1/tcp/99999'] }, /not an address to listen on/)
    await fails({ sets: ['network.listen=/ip4/127.0.0.1/udp/1/quic-v1'] }, /not an address to listen on/)
    await fails({ sets: ['network.peering=/ip4/127.0.0.1/tcp/1'] }, /not the address of a peer/)
    await fails({ sets: ['gateways=[{uri: "http://x"}]'] }, /unknown key "uri"/)
    await fails({ sets: ['gateways=ftp://x'] }, /no http or https URL/)
    await fails({ sets: ['gateways=https://user:secret@x.example'] }, /user name or password/)
    await fails({ sets: ['gateways=[{url: "http://x", timeout: 5}]'] }, /5|not a duration/)
    await fails({ sets: ['gateways=[7]'] }, /neither a URL nor/)
    await fails({ sets: ['gateways=[{}]'] }, /names no url/)
  })

  it('says of what comes later that it comes later', async () => {
    await fails({ sets: ['ipfs.type=kubo'] }, /comes later/, 'NOT_BUILT')
    await fails({ sets: ['http.listen=127.0.0.1:8420'] }, /comes later/, 'NOT_BUILT')
    await fails({ sets: ['access.socket=token'] }, /comes later/, 'NOT_BUILT')
    await fails({ sets: ['pinning.maxAutoBytes=1GiB'] }, /pinning .*comes later/, 'NOT_BUILT')
    await fails({ sets: ['trust.halfLife=1d'] }, /comes later/, 'NOT_BUILT')
  })

  it('refuses broken YAML, a missing file and a malformed --set in words', async () => {
    await fails({ file: await fileWith('a: [1') }, /not valid YAML/)
    await fails({ file: await fileWith('log: {level: info}\nlog: {level: warn}\n') }, /not valid YAML.*unique/s)
    await fails({ file: join(home, 'nowhere.yaml') }, /nowhere\.yaml cannot be read \(ENOENT\)/)
    await fails({ file: home }, /cannot be read \(EISDIR\)/)
    await fails({ sets: ['log.level'] }, /key=value/)
    await fails({ file: await fileWith(`#${'x'.repeat(1_100_000)}`) }, /at most 1048576/)
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefg'.split('').map((letter, index) => `${letter}: &${letter} [${Array(10).fill(`*${'abcdef'[index]}`).join(',')}]`)
    ]
    await fails({ file: await fileWith(bomb.join('\n')) }, /not valid YAML.*alias/is)
  })

  it('shows values as they were written', async () => {
    const { shown } = await load({ sets: ['routing.ipfsDelay=2s'] })
    assert.deepEqual(shown['routing'], { hedgeDelay: '250ms', ipfsDelay: '2s', gatewayDelay: '600ms', maxParallelPeers: 3, strict: false })
  })

  it('can be made from a tree, for embedders', () => {
    assert.equal(configFrom({ cache: { maxBytes: '1kB' } }).cache.maxBytes, 1000)
    assert.throws(() => configFrom({ cahce: {} }), { code: 'CONFIG', message: /Did you mean "cache"/ })
  })
})
