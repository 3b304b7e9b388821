/** Where a gateway may lead: redirects and names, against real HTTP servers on loopback. */
import assert from 'node:assert/strict'
import type { LookupFunction } from 'node:net'
import { AddressRefusedError, publicLookup } from '../../src/adapters/gateway/address-guard.ts'
import { createGatewaySource } from '../../src/adapters/gateway/gateway-source.ts'
import type { GatewaySource, GatewaySourceInit } from '../../src/adapters/gateway/gateway-source.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { SourceError } from '../../src/ports/block-source.ts'
import { silentLog } from '../support/silent-log.ts'
import { startTrustlessGateway } from '../support/trustless-gateway.ts'
import type { TrustlessGateway } from '../support/trustless-gateway.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const BYTES = new Uint8Array(300_000).fill(9)
const BLOCK = rawCid(sha256(BYTES))

const isFault = (message: RegExp) => (error: unknown) =>
  error instanceof SourceError && error.outcome === 'fault' && message.test(error.message)

describe('gateway source and where it is led', () => {
  let gateway: TrustlessGateway
  const made: GatewaySource[] = []

  function make(init: Partial<GatewaySourceInit> = {}, lookup?: LookupFunction): GatewaySource {
    const components = {
      clock: new VirtualClock(),
      log: silentLog,
      random: { number: () => 0 },
      ...(lookup === undefined ? {} : { lookup })
    }
    const one = createGatewaySource(components, { url: gateway.url, timeout: 30_000, ...init })
    made.push(one)
    return one
  }

  async function get(from: GatewaySource): Promise<Uint8Array> {
    return await from.open(BLOCK).get(BLOCK, { signal: AbortSignal.timeout(50_000) })
  }

  beforeEach(async () => {
    gateway = await startTrustlessGateway()
    gateway.put(BLOCK, BYTES)
  })

  afterEach(async () => {
    for (const one of made.splice(0)) await one.stop()
    await gateway[Symbol.asyncDispose]()
  })

  describe('redirects', () => {
    let other: TrustlessGateway

    beforeEach(async () => {
      other = await startTrustlessGateway()
    })
    afterEach(async () => {
      await other[Symbol.asyncDispose]()
    })

    it('are followed on the configured host, twice and no more, without cookies', async () => {
      const target = rawCid(sha256(new Uint8Array([1])))
      const [first, second] = [rawCid(sha256(new Uint8Array([2]))), rawCid(sha256(new Uint8Array([3])))]
      gateway.put(target, new Uint8Array([1]))
      gateway.behave({ redirect: `/ipfs/${second.toString()}?format=raw` }, first)
      gateway.behave({ redirect: `/ipfs/${target.toString()}?format=raw` }, second)
      assert.deepEqual([...(await make().open(first).get(first, {}))], [1])
      assert.ok(gateway.requests.every(({ headers }) => headers.cookie === undefined))
      gateway.behave({ redirect: `/ipfs/${first.toString()}?format=raw` }, target)
      await assert.rejects(make().open(first).get(first, {}), isFault(/more than 2 times/))
    })

    it('never lead to another place on this machine', async () => {
      for (const to of [
        other.url,
        `http://localhost:${other.port}`,
        `http://[::ffff:127.0.0.1]:${other.port}`,
        `http://2130706433:${other.port}`,
        'http://169.254.169.254/latest/meta-data'
      ]) {
        const fresh = make()
        gateway.behave({ redirect: `${to}/ipfs/${BLOCK.toString()}?format=raw` })
        await assert.rejects(get(fresh), isFault(/not on the public internet/), to)
      }
      assert.equal(other.requests.length, 0)
    })

    it('that are not followed are not tried again', async () => {
      const retrying = make({ retry: { attempts: 3, base: 1_000, max: 60_000 } })
      for (const to of ['file:///etc/passwd', `http://localhost:${other.port}/`]) {
        gateway.behave({ redirect: to })
        await assert.rejects(get(retrying), SourceError)
      }
      assert.equal(gateway.requests.length, 2)
    })

    it('to anything but HTTP are faults', async () => {
      for (const to of ['file:///etc/passwd', 'http://', 'ftp://example.net/', 'http://me:secret@127.0.0.1/']) {
        gateway.behave({ redirect: to })
        await assert.rejects(get(make()), isFault(/redirects to/), to)
      }
    })
  })

  describe('a name that resolves to this machine', () => {
    const loopback: LookupFunction = (_name, options, callback) => {
      if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }])
      else callback(null, '127.0.0.1', 4)
    }

    it('is refused', async () => {
      await assert.rejects(get(make({ url: `http://gateway.example:${gateway.port}` }, loopback)), isFault(/not on the public internet/))
      assert.equal(gateway.requests.length, 0)
    })

    it('or to the metadata service of a cloud is refused, at every look-up anew', async () => {
      const answers = ['169.254.169.254', '10.0.0.1', 'fd00:ec2::254', '::ffff:169.254.169.254', '127.0.0.1']
      const asked: string[] = []
      const changing: LookupFunction = (name, _options, callback) => {
        asked.push(name)
        const address = answers.shift() ?? '127.0.0.1'
        callback(null, [{ address, family: address.includes(':') ? 6 : 4 }])
      }
      const source = make({ url: `http://gateway.example:${gateway.port}`, retry: { attempts: 1, base: 0, max: 0 } }, changing)
      for (let round = 0; round < 2; round++) await assert.rejects(get(source), isFault(/not on the public internet/))
      for (let round = 0; round < 3; round++)
        await assert.rejects(get(make({ url: `http://gateway.example:${gateway.port}` }, changing)), isFault(/not on the public internet/))
      assert.deepEqual([asked.length, gateway.requests.length], [5, 0])
    })

    it('is refused where a redirect leads, though it was public a moment ago', async () => {
      const answers = ['93.184.216.34', '127.0.0.1']
      const changing: LookupFunction = (_name, _options, callback) => {
        callback(null, [{ address: answers.shift() ?? '127.0.0.1', family: 4 }])
      }
      const lookup = publicLookup(changing)
      const found = async (): Promise<unknown> =>
        await new Promise(resolve => {
          lookup('rebind.example', { all: true }, (error, address) => {
            resolve(error ?? address)
          })
        })
      assert.deepEqual(await found(), [{ address: '93.184.216.34', family: 4 }])
      assert.equal((await found()) instanceof AddressRefusedError, true)
      gateway.behave({ redirect: `http://rebind.example:${gateway.port}/ipfs/${BLOCK.toString()}?format=raw` })
      await assert.rejects(get(make({}, changing)), isFault(/not on the public internet/))
      assert.equal(gateway.requests.length, 1)
    })

    it('is allowed where the operator says so, for that host and port only', async () => {
      const allowed = make({ url: `http://gateway.example:${gateway.port}`, allowPrivate: true }, loopback)
      await get(allowed)
      gateway.behave({ redirect: `http://another.example:${gateway.port}/ipfs/${BLOCK.toString()}` })
      await assert.rejects(get(allowed), isFault(/not on the public internet/))
      gateway.behave({ redirect: `http://gateway.example:${gateway.port + 1}/` })
      await assert.rejects(get(allowed), isFault(/not on the public internet/))
    })
  })
})
