import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig, type ConfigSources } from '../../../src/config/load.ts'
import { ConfigBuilder, configFrom, type LoadedConfig } from '../../../src/config/resolve.ts'
import { CONFIG_SCHEMA, WITHOUT_EFFECT } from '../../../src/config/schema.ts'
import { leaves } from '../../../src/config/tree.ts'
import { GIB, MIB } from '../../../src/model/units.ts'

const CONFIGS = join(import.meta.dirname, '../../../configs')
const DAY = 86_400_000
const UNLIMITED = Number.POSITIVE_INFINITY

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
    assert.deepEqual(config.routing, {
      ranking: 'expected-time',
      maxParallelPeers: 3,
      hedgeDelay: 250,
      ipfsDelay: 150,
      gatewayDelay: 600,
      askUnknownMinTrust: 0,
      strict: false
    })
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
    assert.deepEqual(config.ipfs, {
      type: 'helia',
      api: ['/ip4/127.0.0.1/tcp/5001'],
      timeout: 60_000,
      projectId: null,
      projectSecret: null,
      dht: 'client',
      delegatedRouters: [],
      publicGateway: null,
      swarmAddresses: []
    })
    assert.deepEqual(config.network.relay, { use: true, serve: true, maxBytesPerDay: 10 * GIB })
    assert.deepEqual(config.p2pIpfs, {
      preferP2P: ['private', 'recent', 'small'],
      preferIPFS: ['public', 'large', 'archived'],
      p2pBandwidthLimit: UNLIMITED,
      ipfsBandwidthLimit: UNLIMITED,
      cacheStrategy: 'lru'
    })
    assert.deepEqual(config.trust, { default: 0, maxDepth: 2, halfLife: 90 * DAY, minTrusted: 5 })
    assert.deepEqual(config.proxy, { minTrust: 5, serveMinTrust: 5, maxBytes: 100 * MIB, quotaBytesPerDay: GIB, maxConcurrent: 4 })
    assert.deepEqual(config.pinning, {
      autoPinTrustThreshold: 8,
      recentAccessWindow: DAY,
      maxAutoBytes: 10 * GIB,
      maxBytesForOthers: 10 * GIB,
      repairBytesPerHour: 10 * GIB,
      collaborativePinning: { enabled: true, minPeers: 3, trustRequired: 5 }
    })
    assert.deepEqual(config.swarms, { minTrust: 5, autoAcceptTrust: 9, overlap: 7 * DAY })
    assert.deepEqual(config.cache, { maxBytes: 10 * GIB, ttl: 30 * DAY })
    assert.deepEqual(config.gc, { interval: 3_600_000, watermark: 0.9, scrubInterval: 30 * DAY, policies: [] })
    assert.deepEqual(config.storage, { reserve: 0.05, passphraseFile: null })
    assert.deepEqual(config.limits, {
      maxFileSize: UNLIMITED,
      unconfirmedBytes: 256 * MIB,
      maxConcurrent: 64,
      allowedTypes: [],
      maxSockets: 100
    })
    assert.deepEqual(config.access, { socket: 'admin', tokens: [] })
    assert.deepEqual(config.http.rateLimit, { perMinute: 60, burst: 10 })
    assert.deepEqual(config.retry, { attempts: 3, base: 1000, max: 60_000 })
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

  it('reads every example of configs/, and none asks for what has no effect', async () => {
    for (const name of readdirSync(CONFIGS).filter(file => file.endsWith('.yaml')))
      assert.deepEqual((await load({ file: join(CONFIGS, name) })).warnings, [], name)
    const { config } = await load({ file: join(CONFIGS, 'isolated.yaml') })
    assert.deepEqual(
      [config.network.bootstrap, config.network.mdns, config.network.publicSwarm, config.gateways, config.ipfs.dht],
      [[], false, false, [], 'off']
    )
  })

  it('has an example that says every default, and nothing else', async () => {
    const file = join(CONFIGS, 'default.yaml')
    const { config, provenance } = await load({ file })
    assert.deepEqual(config, (await load({})).config)
    const left = [...provenance].filter(([, { kind }]) => kind === 'default').map(([name]) => name)
    const commented = await readFile(file, 'utf8')
    assert.deepEqual(
      left.filter(name => !new RegExp(`^ *# ${name.split('.').at(-1)}:`, 'm').test(commented)),
      []
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

  it('warns of a trust that leaves nothing private', async () => {
    for (const set of ['trust.default=5', 'trust.minTrusted=0']) {
      const { warnings } = await load({ sets: [set] })
      assert.deepEqual(
        warnings.map(({ keys }) => keys),
        [['trust.default', 'trust.minTrusted']]
      )
    }
  })

  it('takes keys of later parts, checks them, and warns once of all that have no effect', async () => {
    const { warnings } = await load({
      sets: ['pinning.maxAutoBytes=1GiB', 'gc.interval=2h', 'http.listen=127.0.0.1:8420', 'cache.ttl=30d']
    })
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]?.message ?? '', /no effect in this version/)
    assert.deepEqual(warnings[0]?.keys, ['pinning.maxAutoBytes', 'gc.interval', 'http.listen'])
    await fails({ sets: ['pinning.maxAutoBytes=1'] }, /not a size/)
    for (const listed of WITHOUT_EFFECT)
      assert.ok(
        leaves(CONFIG_SCHEMA).some(({ name }) => name === listed || name.startsWith(`${listed}.`)),
        listed
      )
  })

  it('names the right thing for names one would expect in the environment', async () => {
    await fails({ env: { KITH_SOCKET: '/s' } }, /KITH_SOCKET.*KITH_API_SOCKET for kithd, and --socket for kith/)
    await fails({ env: { KITH_CONFIG: '/c' } }, /KITH_CONFIG.*--config FILE/)
  })

  it('refuses to run without encryption when it was asked for', async () => {
    await fails(
      { sets: ['storage.passphraseFile=/run/secret'] },
      /storage\.passphraseFile .*encryption at rest comes later.*unsealed/,
      'NOT_BUILT'
    )
  })

  it('reads a file that says its version, and refuses one of a newer Kith', async () => {
    assert.equal((await load({ file: await fileWith('version: 1\nlog: {level: warn}') })).config.log.level, 'warn')
    await fails({ file: await fileWith('version: 2') }, /written for a newer Kith: its version is 2, and this one knows 1/)
    await fails({ file: await fileWith('version: one') }, /no version of a configuration/)
  })

  it('goes on taking former names of keys and sections, and says the new ones', () => {
    const builder = new ConfigBuilder({ renamed: { net: 'network', 'network.peers': 'network.peering', 'log.colour': 'log.format' } })
    builder.add('', { net: { mdns: false, peers: [] }, log: { colour: 'json' } }, { kind: 'file', where: 'old.yaml' })
    const { config, warnings } = builder.finish()
    assert.deepEqual([config.network.mdns, config.log.format], [false, 'json'])
    assert.deepEqual(
      warnings.map(({ keys }) => keys),
      [['net'], ['network.peers'], ['log.colour']]
    )
    assert.match(warnings[2]?.message ?? '', /old\.yaml\) is called log\.format now/)
  })

  it('refuses broken YAML, a missing file and a malformed --set in words', async () => {
    await fails({ file: await fileWith('a: [1') }, /not valid YAML/)
    await fails({ file: await fileWith('log: {level: info}\nlog: {level: warn}\n') }, /not valid YAML.*unique/s)
    await fails({ file: join(home, 'nowhere.yaml') }, /nowhere\.yaml does not exist/)
    await fails({ file: home }, /is no plain file/)
    await fails({ sets: ['log.level'] }, /key=value/)
    await fails({ file: await fileWith(`#${'x'.repeat(1_100_000)}`) }, /at most 1048576/)
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefg'.split('').map((letter, index) => `${letter}: &${letter} [${Array(10).fill(`*${'abcdef'[index]}`).join(',')}]`)
    ]
    await fails({ file: await fileWith(bomb.join('\n')) }, /not valid YAML.*alias/is)
  })

  it('says where YAML is broken in one line, and warns of nothing beside it', async () => {
    await fails({ file: await fileWith('log:\n  level: a: b\n') }, /given\.yaml is not valid YAML: [^\n]+ at line 2, column 10$/)
    const warnings: unknown[] = []
    const listen = (warning: unknown): void => void warnings.push(warning)
    process.on('warning', listen)
    await fails({ file: await fileWith('? [a, b]\n: c\n') }, /no key "\[ a, b \]"/)
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', listen)
    assert.deepEqual(warnings, [])
  })

  it('does not take a list that somebody emptied for the usual one', async () => {
    const usual = leaves(CONFIG_SCHEMA).filter(({ key }) => key.type.includes('list of ') && JSON.stringify(key.default) !== '[]')
    assert.ok(usual.length >= 5)
    for (const { name, env } of usual) {
      const message = new RegExp(`^${name.replaceAll('.', '\\.')} .*nothing in this list.*\\[\\] for none`)
      await fails({ sets: [`${name}=null`] }, message)
      await fails({ sets: [`${name}=`] }, message)
      await fails({ env: { [env]: '' } }, message)
    }
    await fails({ file: await fileWith('gateways:\n#  - url: https://example.org\nlog: {level: info}\n') }, /^gateways .*given\.yaml/)
    await fails({ file: await fileWith('network:\n  bootstrap:\n') }, /^network\.bootstrap /)
    const { config } = await load({ file: await fileWith('gateways: []\nnetwork:\n  peering:\nrouting:\n') })
    assert.deepEqual([config.gateways, config.network.peering], [[], []])
  })

  it('reads no device, however it is called', async () => {
    await fails({ file: '/dev/zero' }, /\/dev\/zero is no plain file, so it cannot be a configuration/)
    const lair = join(home, 'nul')
    await mkdir(lair)
    await symlink('/dev/zero', join(lair, 'config.yaml'))
    await fails({ home: lair }, /config\.yaml is no plain file/)
  })

  it('shows values as they were written', async () => {
    const { shown } = await load({ sets: ['routing.ipfsDelay=2s'] })
    assert.deepEqual(Object(shown['routing']).ipfsDelay, '2s')
    assert.deepEqual(Object(shown['routing']).hedgeDelay, '250ms')
  })

  it('can be made from a tree, for embedders', () => {
    assert.equal(configFrom({ cache: { maxBytes: '1kB' } }).cache.maxBytes, 1000)
    assert.throws(() => configFrom({ cahce: {} }), { code: 'CONFIG', message: /Did you mean "cache"/ })
  })
})
