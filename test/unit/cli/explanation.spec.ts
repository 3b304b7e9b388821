import assert from 'node:assert/strict'
import { explanationText } from '../../../src/cli/explanation.ts'
import { displayWidth } from '../../../src/cli/text.ts'
import type { RouteCandidate, RouteExplanation } from '../../../src/rpc/services-people.ts'

const ANA = '12D3KooWGzBRs8ZBDqBRBBZ1fkvp2LJTvcWBYKqkCJKBVTbjSCzB'
const NOBODY = '12D3KooWNobodyKnowsMeZ1fkvp2LJTvcWBYKqkCJKBVTbj99999'

function candidate(known: Partial<RouteCandidate>): RouteCandidate {
  return { stage: 'peer', eligible: true, claim: 'yes', access: 0, trust: 0, score: 0, terms: {}, expectedMs: null, ...known }
}

const PEERS: RouteExplanation = {
  content: 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
  privacy: { public: true, class: 'public', reason: 'cid' },
  classes: ['public', 'small'],
  stages: [
    { stage: 'local', startsAfterMs: 0 },
    { stage: 'peer', startsAfterMs: 0 },
    { stage: 'ipfs', startsAfterMs: 150 },
    { stage: 'gateway', startsAfterMs: null, reason: 'off' }
  ],
  candidates: [
    candidate({
      peer: ANA,
      name: 'Ana',
      access: 10,
      trust: 10,
      score: -22.5,
      terms: { firstByte: 20, queue: 0, transfer: 6.25, faults: 0.44, miss: 1.2, dial: 0, hope: -2.89 },
      expectedMs: 25
    }),
    candidate({
      peer: NOBODY,
      trust: 1.234,
      score: -1_000_000_061,
      terms: { firstByte: 1250, queue: 2500, transfer: 6.25, faults: 91.1, miss: 87.5, dial: 300, hope: -2110.4 },
      expectedMs: 2124.5
    }),
    candidate({ stage: 'ipfs', claim: 'unknown' }),
    candidate({ peer: ANA.replace('G', 'H'), eligible: false, reason: 'says-no', claim: 'no' }),
    candidate({
      peer: NOBODY.replace('N', 'M'),
      name: 'Bob',
      eligible: false,
      reason: 'shunned',
      note: 'suspended until 2026-11-22T10:00Z: it sent wrong bytes',
      trust: -5
    })
  ]
}

const AT_80 = `content  bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e
privacy  public: it is a bare CID that nobody here knows (privacy.unknownCid)
classes  public, small

stage    starts        why
local    at once
peer     at once
ipfs     after 150 ms
gateway  not asked     turned off in the configuration

asked in this order:
#  stage  who                            claim    access  trust  score  expected
1  peer   Ana (…VTbjSCzB)                yes          10     10  -22.5  25 ms
     first byte 20 ms + transfer 6.3 ms + faults 0.4 ms + miss 1.2 ms
     - hope 2.9 ms
2  peer   12D3KooWNobodyKnowsM…Tbj99999  yes           0    1.2    -61  2.1 s
     after those you trust: first byte 1250 ms + queue 2500 ms + transfer 6.3 ms
     + faults 91.1 ms + miss 87.5 ms + dial 300 ms - hope 2110 ms
3  ipfs   ipfs                           unknown       0      0      0  -

left out:
stage  who                                                  claim  access  trust
peer   12D3KooWHzBRs8ZBDqBRBBZ1fkvp2LJTvcWBYKqkCJ…VTbjSCzB  no          0      0
     says it does not have it
peer   Bob (…Tbj99999)                                      yes         0     -5
     suspended until 2026-11-22T10:00Z: it sent wrong bytes

Of small requests about one in a hundred for each peer begins with another of
its kind, to see how it fares now.`

const PEERS_AT_120 = `#  stage  who                                                   claim    access  trust  score  expected
1  peer   Ana (…VTbjSCzB)                                       yes          10     10  -22.5  25 ms
     first byte 20 ms + transfer 6.3 ms + faults 0.4 ms + miss 1.2 ms - hope 2.9 ms
2  peer   12D3KooWNobodyKnowsMeZ1fkvp2LJTvcWBYKqkCJKBVTbj99999  yes           0    1.2    -61  2.1 s
     after those you trust: first byte 1250 ms + queue 2500 ms + transfer 6.3 ms + faults 91.1 ms + miss 87.5 ms
     + dial 300 ms - hope 2110 ms
3  ipfs   ipfs                                                  unknown       0      0      0  -`

const PEERS_AT_60 = `#  stage  who                claim    trust  score  expected
1  peer   Ana (…VTbjSCzB)    yes         10  -22.5  25 ms
     first byte 20 ms + transfer 6.3 ms + faults 0.4 ms
     + miss 1.2 ms - hope 2.9 ms
2  peer   12D3KooW…Tbj99999  yes        1.2    -61  2.1 s
     after those you trust: first byte 1250 ms
     + queue 2500 ms + transfer 6.3 ms + faults 91.1 ms
     + miss 87.5 ms + dial 300 ms - hope 2110 ms
3  ipfs   ipfs               unknown      0      0  -`

const AT_40 = `content  bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e
privacy  public: it is a bare CID that
         nobody here knows
         (privacy.unknownCid)
classes  public, small

stage    starts
local    at once
peer     at once
ipfs     after 150 ms
gateway  not asked
     turned off in the configuration

asked in this order:
#  stage  who                   expected
1  peer   Ana (…VTbjSCzB)       25 ms
2  peer   12D3KooWNob…Tbj99999  2.1 s
3  ipfs   ipfs                  -

left out:
stage  who                  claim  trust
peer   12D3KooWHz…VTbjSCzB  no         0
     says it does not have it
peer   Bob (…Tbj99999)      yes       -5
     suspended until 2026-11-22T10:00Z:
     it sent wrong bytes

Of small requests about one in a hundred
for each peer begins with another of its
kind, to see how it fares now.`

const widest = (text: string): number => Math.max(...text.split('\n').map(displayWidth))

describe('an explanation on a terminal', () => {
  it('shows privacy, stages, who is asked in which order and who is not, in 80 columns', () => {
    assert.equal(explanationText(PEERS, 80), AT_80)
    assert.ok(widest(AT_80) <= 80)
  })

  it('uses the width there is', () => {
    const text = explanationText(PEERS, 120)
    assert.ok(text.includes(PEERS_AT_120), text)
    assert.ok(widest(text) <= 120)
  })

  it('keeps who is asked and what is expected on a narrow terminal, and leaves out what is needed least', () => {
    const text = explanationText(PEERS, 60)
    assert.ok(text.includes(PEERS_AT_60), text)
    assert.equal(explanationText(PEERS, 40), AT_40)
    for (let columns = 40; columns <= 140; columns++) {
      const lines = explanationText(PEERS, columns).split('\n').slice(1)
      assert.ok(widest(lines.join('\n')) <= columns, `at ${columns} columns`)
      assert.match(lines.find(line => line.startsWith('#')) ?? '', /who .*expected$/, `at ${columns} columns`)
      for (const told of ['25 ms', '2.1 s'])
        assert.ok(
          lines.some(line => line.endsWith(told)),
          `${told} at ${columns} columns`
        )
    }
  })

  it('says why a stage waits in full, below it where there is no room', () => {
    const waits: RouteExplanation = { ...PEERS, stages: [{ stage: 'ipfs', startsAfterMs: 2000, reason: 'peers-first' }] }
    for (const columns of [40, 60, 80, 120])
      assert.match(explanationText(waits, columns).replaceAll(/\s+/g, ' '), /within 2.0 s .*as private: 2 s at most/)
  })

  it('shows the points of the fixed formula as points', () => {
    const terms = { direct: 100, ipfs: 50, trust: 80, bandwidth: 0, latency: -4 }
    const text = explanationText({ ...PEERS, candidates: [candidate({ peer: ANA, score: 226, terms, access: 8, trust: 8 })] }, 80)
    assert.match(text, /^1 +peer .* 226 +-$/m)
    assert.match(text, /^ {5}direct 100 \+ ipfs 50 \+ trust 80 - latency 4$/m)
    assert.doesNotMatch(text, /one in a hundred/)
  })

  it('says why nobody would be asked', () => {
    const text = explanationText(
      {
        ...PEERS,
        privacy: { public: false, class: 'private', reason: 'address' },
        stages: [{ stage: 'ipfs', startsAfterMs: null, reason: 'not-public' }],
        candidates: []
      },
      80
    )
    assert.match(text, /private: its address says so/)
    assert.match(text, /ipfs +not asked +the content is not public/)
    assert.match(text, /nobody would be asked$/)
  })

  it('lets nothing that peers name move the cursor or break the lines', () => {
    const evil = 'x\u001b[2J\u202e\n'.repeat(40)
    const named = { name: evil, note: evil, reason: evil, url: evil, terms: { [evil]: 5 } }
    const text = explanationText(
      {
        ...PEERS,
        stages: [{ stage: 'peer', startsAfterMs: 0, reason: evil }],
        candidates: [
          candidate({ peer: ANA, ...named }),
          candidate({ peer: ANA, ...named, eligible: false }),
          candidate({ stage: 'gateway', ...named }),
          candidate({ peer: evil })
        ]
      },
      80
    )
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u202e]/)
    assert.ok(widest(text) <= 80, `${widest(text)} columns`)
  })
})
