import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { AddressRefusedError, publicLookup } from '../../../../src/adapters/gateway/address-guard.ts'
import { isPublicAddress } from '../../../../src/lib/public-address.ts'

const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.1',
  '172.15.0.1',
  '172.32.0.1',
  '192.167.1.1',
  '2606:4700:4700::1111',
  '2a00:1450::1'
]
const REFUSED = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '192.0.0.8',
  '198.18.0.1',
  '224.0.0.1',
  '239.1.1.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'fc00::1',
  'fd12:3456::1',
  'fd00:ec2::254',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  '2001::1',
  '2001:db8::1',
  'localhost',
  '',
  '2130706433'
]

const answers =
  (...found: string[]): LookupFunction =>
  (_name, _options, callback) => {
    callback(
      null,
      found.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
    )
  }

async function look(lookup: LookupFunction, all: boolean): Promise<string | LookupAddress[]> {
  return await new Promise((resolve, reject) => {
    publicLookup(lookup)('gateway.example', { all }, (error, found) => {
      if (error === null) resolve(found)
      else reject(error)
    })
  })
}

describe('address guard', () => {
  it('tells public addresses from all others', () => {
    for (const address of PUBLIC) assert.equal(isPublicAddress(address), true, address)
    for (const address of REFUSED) assert.equal(isPublicAddress(address), false, address)
  })

  it('hands on the public ones of the addresses found', async () => {
    assert.deepEqual(await look(answers('10.0.0.1', '1.1.1.1', '::1'), true), [{ address: '1.1.1.1', family: 4 }])
    assert.equal(await look(answers('10.0.0.1', '1.1.1.1'), false), '1.1.1.1')
  })

  it('refuses a name with none, and passes on that a name does not resolve', async () => {
    await assert.rejects(look(answers('127.0.0.1', 'fd00::1'), true), AddressRefusedError)
    const failure = new Error('ENOTFOUND')
    await assert.rejects(
      look((_name, _options, callback) => {
        callback(failure, '')
      }, true),
      failure
    )
  })
})
