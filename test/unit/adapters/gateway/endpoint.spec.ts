import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { parseEndpoint, redirectTarget } from '../../../../src/adapters/gateway/endpoint.ts'
import { KithError } from '../../../../src/errors.ts'

const V1 = 'bafybeihdndb4izktxzkwahg3pwgg4f3ijstijw4522czwyhfl4r4noyliq'
const cid = CID.parse(V1)

describe('gateway endpoint', () => {
  it('makes the URL of a raw block from a base or a template, always with CIDv1', () => {
    const urls = {
      'https://ipfs.io': `https://ipfs.io/ipfs/${V1}?format=raw`,
      'https://ipfs.io/': `https://ipfs.io/ipfs/${V1}?format=raw`,
      'https://host/gw?key=1': `https://host/gw/ipfs/${V1}?key=1&format=raw`,
      'https://{cid}.ipfs.dweb.link': `https://${V1}.ipfs.dweb.link/?format=raw`,
      'https://host/get/{cid}?format=car': `https://host/get/${V1}?format=raw`
    }
    for (const [url, block] of Object.entries(urls)) {
      assert.equal(parseEndpoint(url).blockUrl(cid).href, block)
      assert.equal(parseEndpoint(url).blockUrl(cid.toV0()).href, block)
    }
  })

  it('refuses what is no usable URL, and says why', () => {
    for (const url of ['', 'ipfs.io', 'ftp://ipfs.io', 'file:///etc', 'https://me:secret@ipfs.io', '{cid}']) {
      assert.throws(
        () => parseEndpoint(url),
        (error: unknown) => error instanceof KithError && error.code === 'CONFIG',
        url
      )
    }
  })

  it('names its own host and port only where the address is written out or private ones are allowed', () => {
    const local = parseEndpoint('http://127.0.0.1:8080')
    assert.equal(local.names('127.0.0.1', '8080', 'http:'), true)
    assert.equal(local.names('127.0.0.1', '5001', 'http:'), false)
    assert.equal(local.names('127.0.0.2', '8080', 'http:'), false)
    assert.equal(parseEndpoint('http://[::1]').names('::1', '', 'http:'), true)
    assert.equal(parseEndpoint('http://localhost:8080').names(`${V1}.ipfs.localhost`, '8080', 'http:'), true)
    assert.equal(parseEndpoint('https://ipfs.io').names('ipfs.io', '', 'https:'), false)
    assert.equal(parseEndpoint('http://nas.lan:8080', { allowPrivate: true }).names('nas.lan', '8080', 'http:'), true)
    const template = parseEndpoint('http://{cid}.ipfs.lan', { allowPrivate: true })
    assert.equal(template.names(`${V1}.ipfs.lan`, '', 'http:'), true)
    assert.equal(template.names('other.lan', '', 'http:'), false)
  })

  it('follows redirects from http to https and never back', () => {
    assert.equal(redirectTarget(new URL('http://a.example/x'), 'https://b.example/y').href, 'https://b.example/y')
    assert.equal(redirectTarget(new URL('https://a.example/x'), '/y').href, 'https://a.example/y')
    assert.throws(() => redirectTarget(new URL('https://a.example/x'), 'http://a.example/x'), /https to http/)
  })
})
