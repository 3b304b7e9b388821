import assert from 'node:assert/strict'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { systemClock as clock } from '../../../src/adapters/system/clock.ts'
import type { Capabilities } from '../../../src/adverts/claims.ts'
import { CapabilityAnswers } from '../../../src/adverts/capabilities.ts'
import { KithError } from '../../../src/errors.ts'
import { EventBus } from '../../../src/observe/events.ts'
import { Bindings } from '../../../src/peers/bindings.ts'
import { publicKeyFromDid } from '../../../src/peers/did-key.ts'
import { signBinding } from '../../../src/peers/sign-binding.ts'
import { TrustBook } from '../../../src/peers/trust-book.ts'
import { askForBindings } from '../../../src/start/open-capabilities.ts'
import { silentLog as log } from '../../support/silent-log.ts'
import { until } from '../../support/until.ts'
import { identity } from '../adverts/support.ts'

const WEB = 'did:web:ana.example'

describe('asking peers who speaks for them', () => {
  it('is done once a connection, and again when the operator names a person whose keys could not be looked up; who shows none has none', async () => {
    await using parts = new AsyncDisposableStack()
    const [self, peer, ana] = [await identity(1), await identity(2), await identity(3)]
    const book = new TrustBook({ state: memoryState() })
    const events = new EventBus({ clock })
    const resolver = {
      resolve: async (did: string): Promise<readonly Uint8Array[]> => {
        if (book.get(did) === undefined) throw new KithError('UNAUTHORIZED', 'not named')
        return [publicKeyFromDid(ana.did)]
      }
    }
    const bindings = new Bindings({ clock, identity: self, resolver })
    const iat = Math.floor(clock.now() / 1000)
    const shown = [await signBinding({ ...ana, did: WEB }, peer.did, { iat, exp: iat + 3600 })]
    let caps: Capabilities = {
      did: peer.did,
      ipfsNode: { enabled: true, type: 'helia' },
      contentIndex: { digest: 'A'.repeat(43), bytes: 100, count: 5, truncated: false },
      bindings: 1
    }
    const answerFor = () => ({ seq: 1, caps, version: '0.1.0', protocols: [], bindings: shown })
    const answers = new CapabilityAnswers({ identity: peer, clock, answerFor })
    let asked = 0
    let disconnected = (): void => assert.fail('it listens for lost connections')
    const connected = { peer: peer.peerId, addresses: [], since: 0, protocols: [], identified: true, relayed: false }
    askForBindings(
      { log, parts },
      {
        host: {
          self: self.peerId,
          on: heard => {
            disconnected = () => heard.disconnected?.(peer.peerId)
            return () => {}
          },
          isConnected: () => true,
          peers: () => [connected]
        },
        directory: { capabilitiesOf: () => caps },
        events,
        bindings,
        book,
        exchange: {
          capabilities: async () => {
            asked++
            return (await answers.for(self.peerId)) ?? assert.fail()
          }
        }
      }
    )
    for (let times = 0; times < 2; times++) events.emit('advert.received', { peerId: peer.peerId })
    await until(() => asked === 1)
    await book.setLevel(ana.did, 80)
    await book.setLevel(WEB, 80)
    await until(() => bindings.boundDids(peer.peerId).includes(WEB))
    assert.equal(asked, 2, 'a did:key needs no looking up, so naming one asks nobody')
    const { bindings: _bindings, ...none } = caps
    caps = none
    disconnected()
    events.emit('advert.received', { peerId: peer.peerId })
    await until(() => bindings.boundDids(peer.peerId).length === 0)
    assert.equal(asked, 2, 'its advert says that nobody speaks for it any more')
  })
})
