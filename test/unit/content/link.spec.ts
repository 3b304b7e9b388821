import assert from 'node:assert/strict'
import { linkTo } from '../../../src/content/link.ts'
import { leaf } from '../../support/dag-nodes.ts'

describe('linkTo', () => {
  const root = leaf('hello').cid
  const cid = root.toString()

  it('gives the ipfs address and one URL for each gateway, base or template', () => {
    const gateways = ['https://ipfs.io', 'https://example.org/base/', 'https://{cid}.ipfs.dweb.link/', 'https://g.example/x/{cid}/y']
    assert.deepEqual(linkTo({ root, path: [] }, gateways), {
      uri: `ipfs://${cid}`,
      gateways: [
        `https://ipfs.io/ipfs/${cid}`,
        `https://example.org/base/ipfs/${cid}`,
        `https://${cid}.ipfs.dweb.link`,
        `https://g.example/x/${cid}/y`
      ]
    })
  })

  it('escapes names in the path and in the query', () => {
    const link = linkTo({ root, path: ['a b', 'ü?#%'], filename: 'my file & more.txt', download: true }, ['https://ipfs.io'])
    assert.equal(link.uri, `ipfs://${cid}/a%20b/%C3%BC%3F%23%25`)
    const url = new URL(link.gateways[0] ?? '')
    assert.equal(url.pathname, `/ipfs/${cid}/a%20b/%C3%BC%3F%23%25`)
    assert.deepEqual(
      [...url.searchParams],
      [
        ['filename', 'my file & more.txt'],
        ['download', 'true']
      ]
    )
  })
})
