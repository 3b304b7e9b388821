import assert from 'node:assert/strict'
import { rawCid } from '../../../src/model/content-id.ts'
import { HeadClaims } from '../../../src/retrieval/head-claims.ts'

describe('what peers call a content', () => {
  const cid = rawCid(new Uint8Array(32))

  it('is kept by who says it, and only if a file and a header could bear it', () => {
    const heads = new HeadClaims()
    heads.note('ana', { cid, name: 'letter.txt', contentType: 'text/plain; charset=utf-8' })
    heads.note('eve', { cid, name: '../../etc/passwd', contentType: 'text/plain\r\nset-cookie: a=b' })
    heads.note('bob', { cid, name: 'a\u001b[2J', contentType: 'no type' })
    heads.note('ann', { cid })
    assert.deepEqual(heads.of('ana'), { name: 'letter.txt', contentType: 'text/plain; charset=utf-8' })
    for (const peer of ['eve', 'bob', 'ann', 'nobody', undefined]) assert.deepEqual(heads.of(peer), {}, peer)
  })
})
