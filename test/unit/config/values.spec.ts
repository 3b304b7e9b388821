import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig, type ConfigSources } from '../../../src/config/load.ts'
import type { LoadedConfig } from '../../../src/config/resolve.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const DAY = 86_400_000
const UNLIMITED = Number.POSITIVE_INFINITY

describe('values of the configuration', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  before(async () => {
    directory = await temporaryDirectory()
  })
  after(async () => {
    await directory[Symbol.asyncDispose]()
  })

  const load = async (sources: Partial<ConfigSources>): Promise<LoadedConfig> => await loadConfig({ home: directory.path, ...sources })
  const fileWith = async (text: string): Promise<string> => {
    const file = join(directory.path, 'given.yaml')
    await writeFile(file, text)
    return file
  }
  const fails = async (sources: Partial<ConfigSources>, message: RegExp): Promise<void> => {
    await assert.rejects(load(sources), { code: 'CONFIG', message })
  }

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
    await fails({ sets: ['adverts.maxBytes=60B'] }, /less than the 512 bytes/)
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
    await fails({ sets: ['gateways=[7]'] }, /not a URL or/)
    await fails({ sets: ['gateways=[{}]'] }, /names no url/)
  })

  it('reads rates, shares, words and types', async () => {
    const { config } = await load({
      sets: [
        'p2pIpfs.p2pBandwidthLimit=10MB/s',
        'storage.reserve=12.5%',
        'p2pIpfs.preferIPFS=large',
        'limits.allowedTypes=["image/*", Text/Plain]',
        'http.rateLimit=5/min',
        'gc.policies=[{type: log, maxAge: 2d}]',
        'cache.maxBytes=0MB'
      ]
    })
    assert.deepEqual(
      [config.p2pIpfs.p2pBandwidthLimit, config.storage.reserve, config.p2pIpfs.preferIPFS, config.limits.allowedTypes],
      [10_000_000, 0.125, ['large'], ['image/*', 'text/plain']]
    )
    assert.deepEqual([config.http.rateLimit, config.gc.policies], [{ perMinute: 5, burst: 10 }, [{ type: 'log', maxAge: 2 * DAY }]])
    assert.equal(config.cache.maxBytes, UNLIMITED, 'a 0 with a unit is a 0')
    await fails({ sets: ['p2pIpfs.p2pBandwidthLimit=10MB'] }, /not a rate/)
    await fails({ sets: ['storage.reserve=0.05'] }, /not a percentage/)
    await fails({ sets: ['p2pIpfs.preferIPFS=[large, large]'] }, /twice/)
    await fails({ sets: ['p2pIpfs.preferIPFS=lagre'] }, /Did you mean "large"/)
    await fails({ sets: ['limits.allowedTypes=image'] }, /not a media type/)
    await fails({ sets: ['http.rateLimit=60'] }, /not a rate of calls/)
    await fails({ sets: ['gc.policies=[{type: log, maxage: 2d}]'] }, /unknown key "maxage".*Did you mean "maxAge"/)
    await fails({ sets: ['maxConnections=7'] }, /Did you mean "network\.maxConnections"/)
  })

  it('takes IPFS nodes as URLs and multiaddrs, and the credentials for them as a pair, as they stand', async () => {
    const { config, shown } = await load({
      sets: ['ipfs.type=kubo', 'ipfs.api=[/dns4/a.example/tcp/443/https, "http://127.0.0.1:5001"]', 'ipfs.projectId=0012'],
      env: { KITH_IPFS_PROJECT_SECRET: 'a: [b # c' }
    })
    assert.deepEqual(config.ipfs.api, ['/dns4/a.example/tcp/443/https', 'http://127.0.0.1:5001'])
    assert.deepEqual([config.ipfs.projectId, config.ipfs.projectSecret], ['0012', 'a: [b # c'])
    assert.doesNotMatch(JSON.stringify(shown), /a: \[b/)
    await fails({ sets: ['ipfs.projectId=me'] }, /ipfs\.projectId and ipfs\.projectSecret go together/)
    await fails({ sets: ['ipfs.api=localhost'] }, /not where an IPFS node takes calls.*http:\/\/127/)
    await fails({ sets: ['ipfs.api=https://me:secret@a.example'] }, /user name or password/)
    await fails({ sets: ['ipfs.type=kubo', 'ipfs.api=[]'] }, /no node is named/)
    await fails({ file: await fileWith('ipfs: {projectId: me, projectSecret: 17}') }, /^ipfs\.projectSecret \(.*\): "\*\*\*" is not text/)
    await fails({ sets: ['network.announce=/ip4/1.2.3.4'] }, /not an address to announce/)
    await fails({ sets: ['retry={base: 10s, max: 1s}'] }, /retry\.max is shorter/)
  })
})
