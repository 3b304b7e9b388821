/** A real daemon that gets public contents from a slow peer that has them, while a gateway has them too. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { LinkProxy } from '../../scripts/lib/link-proxy.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { KIB, MIB } from '../../src/model/units.ts'
import { fileDag } from '../support/dag-builder.ts'
import { startTrustlessGateway, type TrustlessGateway } from '../support/trustless-gateway.ts'

describe('a slow peer that delivers first', () => {
  const parts = new AsyncDisposableStack()
  const atGateway = new Map<string, Uint8Array>()
  let gateway: TrustlessGateway
  let asker: DaemonProcess
  let holder: DaemonProcess
  before(async () => {
    const proxy = parts.use(new LinkProxy({ clock: systemClock }))
    gateway = parts.use(await startTrustlessGateway(atGateway))
    asker = parts.use(await DaemonProcess.start({ set: ['network.listen=[]', `gateways=[{url: "${gateway.url}"}]`] }))
    holder = parts.use(await DaemonProcess.start())
    const door = await proxy.open({ to: 'holder' })
    door.lead(Number(/\/tcp\/(\d+)/.exec(holder.address)?.[1]))
    await asker.client.call('peers.connect', { address: `/ip4/127.0.0.1/tcp/${door.port}/p2p/${holder.ready.peerId}` })
    proxy.setLink('holder', { latency: 5, bandwidth: 100 * KIB })
  })
  after(async () => {
    await parts[Symbol.asyncDispose]()
  })

  const put = async (mib: number): Promise<string> => {
    const bytes = new Uint8Array(randomBytes(mib * MIB))
    const dag = await fileDag(bytes)
    for (const block of dag.blocks.values()) atGateway.set(block.cid.toString(), block.bytes)
    const path = join(holder.home, `of ${mib} MiB`)
    await writeFile(path, bytes)
    const { cid, uri } = await holder.client.call('content.put', { path, privacy: 'public' })
    assert.equal(cid, dag.root.toString())
    return uri
  }

  it('is left alone with what was asked of peers only', async () => {
    const { bytes } = await asker.client.call('content.get', { content: await put(2), preferredSources: ['peer'] })
    assert.deepEqual([bytes.gateway, bytes.peer > 2 * MIB, gateway.requests.length], [0, true, 0])
  })

  it('is joined by a gateway when it is a stranger: both have delivered, and hardly anything came twice', async () => {
    const uri = await put(6)
    const { source, bytes, attempts } = await asker.client.call('content.get', { content: uri })
    assert.equal(source.peer, holder.ready.peerId)
    assert.equal(bytes.gateway >= 4 * MIB, true, JSON.stringify(attempts))
    assert.equal(bytes.peer > 0 && bytes.peer + bytes.gateway <= 8 * MIB, true, JSON.stringify(attempts))
    assert.deepEqual(
      new Set(attempts.filter(each => each.bytes > 0).map(({ stage, outcome }) => `${stage} ${outcome}`)),
      new Set(['peer ok', 'gateway ok'])
    )
  })
})
