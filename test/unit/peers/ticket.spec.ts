/** Tickets survive the way from one person to another whole, or are refused. */
import assert from 'node:assert/strict'
import { encode } from 'cborg'
import fc from 'fast-check'
import { base32 } from 'multiformats/bases/base32'
import { concat } from 'uint8arrays'
import { KithError } from '../../../src/errors.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import { didFromPublicKey } from '../../../src/peers/did-key.ts'
import { decodeTicket, encodeTicket, isTicket, type Ticket } from '../../../src/peers/ticket.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const address = fc.oneof(
  fc.tuple(fc.ipV4(), fc.nat(65_535)).map(([host, port]) => `/ip4/${host}/tcp/${port}`),
  fc
    .tuple(fc.domain(), fc.nat(65_535))
    .filter(([name]) => name.length < 200)
    .map(([name, port]) => `/dns4/${name}/tcp/${port}`)
)
const anyTicket: fc.Arbitrary<Ticket> = fc.record(
  {
    did: bytes(32).map(didFromPublicKey),
    addresses: fc.array(address, { maxLength: 8 }),
    secret: bytes(16),
    expires: fc.nat(),
    level: fc.nat(100),
    device: fc.constant(true),
    swarm: fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme' }),
    content: bytes(32).map(rawCid)
  },
  { requiredKeys: ['did', 'addresses', 'secret', 'expires'], noNullPrototype: true }
)

const fixed: Ticket = {
  did: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
  addresses: ['/ip4/192.0.2.7/tcp/4001'],
  secret: new Uint8Array(16).fill(7),
  expires: 1_800_000_000,
  level: 80
}

function reasonOf(text: string): unknown {
  try {
    decodeTicket(text)
    return undefined
  } catch (error) {
    assert.ok(error instanceof KithError)
    assert.equal(error.code, 'INVALID_PARAMS')
    return error.data['reason']
  }
}

/** A ticket of any map, with a right checksum. */
function written(map: unknown): string {
  const body = encode(map)
  return `kith:${base32.baseEncode(concat([body, sha256(body).subarray(0, 4)]))}`
}

const fields = {
  v: 1,
  k: new Uint8Array(32).fill(1),
  a: ['/ip4/192.0.2.7/tcp/4001'],
  s: new Uint8Array(16),
  e: 1_800_000_000
}

describe('tickets', () => {
  it('say the same to the one who reads them as to the one who wrote them', () => {
    fc.assert(
      fc.property(anyTicket, ticket => {
        const text = encodeTicket(ticket)
        assert.deepEqual(decodeTicket(text), ticket)
        assert.match(text, /^kith:[a-z2-7]+$/)
        assert.equal(isTicket(text), true)
      })
    )
  })

  it('are refused as mistyped if any character is another', () => {
    fc.assert(
      fc.property(anyTicket, fc.nat(), fc.nat(30), (ticket, where, step) => {
        const text = encodeTicket(ticket)
        const at = 5 + (where % (text.length - 5))
        const other = ALPHABET[(ALPHABET.indexOf(text[at] ?? '') + 1 + step) % 32] ?? ''
        assert.equal(reasonOf(`${text.slice(0, at)}${other}${text.slice(at + 1)}`), 'mistyped')
      })
    )
  })

  it('are refused as mistyped if a character is missing, doubled or swapped with the next', () => {
    const text = encodeTicket(fixed)
    for (let at = 5; at < text.length; at++) {
      const [before, here, next, rest] = [text.slice(0, at), text[at] ?? '', text[at + 1] ?? '', text.slice(at + 2)]
      assert.equal(reasonOf(`${before}${next}${rest}`), 'mistyped')
      assert.equal(reasonOf(`${before}${here}${here}${next}${rest}`), 'mistyped')
      if (here !== next && next !== '') assert.equal(reasonOf(`${before}${next}${here}${rest}`), 'mistyped')
    }
  })

  it('may be in capitals and broken into lines, as mail and QR codes have them', () => {
    const text = encodeTicket(fixed)
    assert.deepEqual(decodeTicket(` ${text.toUpperCase().replaceAll(/.{20}/g, '$&\r\n ')}\n`), fixed)
  })

  it('are told from everything else', () => {
    for (const text of ['', 'kith:', 'kith', 'kith://bafkqaaa', 'ticket', 'kith:!!!', `kith:${'a'.repeat(100_000)}`])
      assert.equal(['malformed', 'mistyped'].includes(String(reasonOf(text))), true, text.slice(0, 20))
    assert.deepEqual([isTicket('kith://bafkqaaa'), isTicket('KITH:ABC'), isTicket('bafkqaaa')], [false, true, false])
    fc.assert(fc.property(fc.string(), text => reasonOf(text) !== undefined))
    fc.assert(fc.property(fc.string(), text => reasonOf(`kith:${text}`) !== undefined))
  })

  it('of another version say so', () => {
    assert.equal(reasonOf(written({ v: 2, new: 'things' })), 'version')
  })

  it('whose fields are none are refused, whoever wrote the checksum', () => {
    assert.equal(reasonOf(written(fields)), undefined)
    const bad: Record<string, unknown>[] = [
      { ...fields, k: new Uint8Array(31) },
      { ...fields, k: 'key' },
      { ...fields, s: new Uint8Array(15) },
      { ...fields, e: -1 },
      { ...fields, e: 1.5 },
      { ...fields, e: '2030' },
      { ...fields, a: 'address' },
      { ...fields, a: Array.from({ length: 9 }, () => '/ip4/192.0.2.7/tcp/1') },
      { ...fields, a: ['nonsense'] },
      { ...fields, a: ['/unix/etc/passwd'] },
      { ...fields, a: ['/ip4/192.0.2.7/tcp/1\n'] },
      { ...fields, a: [`/dns4/${'a'.repeat(300)}/tcp/1`] },
      { ...fields, l: 101 },
      { ...fields, l: 0.5 },
      { ...fields, d: false },
      { ...fields, w: '' },
      { ...fields, w: 'a'.repeat(256) },
      { ...fields, c: new Uint8Array(4) }
    ]
    for (const map of bad) assert.equal(reasonOf(written(map)), 'malformed', JSON.stringify(map))
    assert.equal(reasonOf(written([1])), 'malformed')
    assert.equal(reasonOf(written({ ...fields, later: 'unknown keys are passed over' })), undefined)
  })
})
