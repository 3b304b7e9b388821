import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { openHttp, rpcFixture } from './support.ts'

describe('content that breaks off behind its first byte', () => {
  it('says behind the bytes why they end, to who looks for it there', async () => {
    await using fixture = await rpcFixture()
    const { cid } = await fixture.services.content.put({ bytes: randomBytes(1_000_000) }, {}, {})
    fixture.services.faults.failAfter = 200_000
    const response = await openHttp(fixture.socketPath, `/content/${cid}`, { headers: { te: 'trailers', 'kith-error': 'trailer' } })
    assert.deepEqual([response.headers['kith-content-length'], response.headers.trailer], ['1000000', 'kith-report, kith-error'])
    let received = 0
    for await (const part of response) received += Buffer.from(part).byteLength
    assert.ok(received < 1_000_000)
    const error: { data: Record<string, unknown> } = JSON.parse(decodeURIComponent(String(response.trailers['kith-error'])))
    assert.deepEqual(error.data, { code: 'INTEGRITY', fault: 'world' })
    assert.equal(response.trailers['kith-report'], undefined)
  })
})
