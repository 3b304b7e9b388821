import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { parseScenario, type Scenario } from '../../../src/sim/scenario.ts'

const FOLDER = new URL('../../../configs/scenarios/', import.meta.url).pathname

type Tree = Record<string, unknown>

/** A small scenario that is right, with some of it replaced. */
const scenarioWith = (parts: Tree = {}): string =>
  stringify({
    version: 1,
    seed: 7,
    nodes: [
      { name: 'you', kind: 'kith', connect: ['ana', 'iris'], gateways: ['gate'] },
      { name: 'ana', kind: 'kith' },
      { name: 'iris', kind: 'helia' },
      { name: 'gate', kind: 'gateway' }
    ],
    files: [
      { name: 'a', size: '1KiB', at: ['ana', 'iris'], privacy: 'public' },
      { name: 'b', size: '5MiB', at: 'ana' }
    ],
    steps: [{ get: 'a', by: 'you', expect: 'peer' }],
    ...parts
  })
const parse = (parts?: Tree): Scenario => parseScenario(scenarioWith(parts), 'x.yaml')
const refuses = (parts: Tree, message: RegExp, code = 'CONFIG'): void => assert.throws(() => parse(parts), { code, message })
const node = (facts: Tree): Tree => ({
  nodes: [
    { name: 'you', kind: 'kith', ...facts },
    { name: 'ana', kind: 'kith' },
    { name: 'iris', kind: 'helia' }
  ]
})
const file = (facts: Tree): Tree => ({ files: [{ name: 'a', size: '1KiB', at: ['ana'], ...facts }] })
const steps = (...all: unknown[]): Tree => ({ steps: all })

describe('scenario', () => {
  it('reads sizes, durations, rates and shares as the configuration does', () => {
    const { nodes, files, seed } = parse({
      ...node({ link: { latency: '40ms', bandwidth: '2MiB/s', loss: 0.01 }, about: 'the one who asks' })
    })
    assert.deepEqual(nodes[0], {
      name: 'you',
      kind: 'kith',
      about: 'the one who asks',
      config: {},
      connect: [],
      gateways: [],
      trust: new Map(),
      link: { latency: 40, bandwidth: 2_097_152, loss: 0.01 }
    })
    assert.deepEqual(files, [
      { name: 'a', size: 1024, at: ['ana', 'iris'], privacy: 'public' },
      { name: 'b', size: 5_242_880, at: ['ana'], privacy: 'private' }
    ])
    assert.equal(seed, 7)
  })

  it('makes one step of each file of a get', () => {
    const read = parse(steps({ say: 'hello' }, { get: ['a', 'b'], by: 'you', expect: 'peer' }, { stop: 'ana' }, { start: 'ana' }))
    assert.deepEqual(read.steps, [
      { action: 'say', text: 'hello' },
      { action: 'get', file: 'a', by: 'you', expect: 'peer' },
      { action: 'get', file: 'b', by: 'you', expect: 'peer' },
      { action: 'stop', node: 'ana' },
      { action: 'start', node: 'ana' }
    ])
  })

  const CROWD = {
    nodes: [{ name: 'you', kind: 'kith', trust: { ana: 80 } }, ...['ana', 'ben', 'cleo', 'dora'].map(name => ({ name, kind: 'kith' }))],
    files: [
      { name: 'letter', size: '4KiB', at: ['ana', 'ben', 'cleo', 'dora'], privacy: 'public', repeat: 20, copies: 2 },
      { name: 'film', size: '4MiB', at: ['ana'] }
    ],
    steps: [
      { requests: 10, of: ['letter', 'film'], by: 'you', expect: 'peer' },
      { link: 'ana', latency: '400ms', bandwidth: '100KiB/s' },
      { requests: 11, of: ['letter', 'film'], by: 'you', expect: 'peer' }
    ]
  }
  const crowd = (seed?: number, parts: Tree = {}): Scenario => parseScenario(scenarioWith({ ...CROWD, ...parts }), 'x.yaml', seed)

  it('writes out files that come in numbers, at holders drawn by lot', () => {
    const { files, nodes } = crowd()
    assert.equal(files.length, 21)
    assert.deepEqual([files[0]?.name, files[19]?.name, files[20]?.name], ['letter-1', 'letter-20', 'film'])
    for (const { name, at } of files) assert.equal(new Set(at).size, name === 'film' ? 1 : 2)
    for (const { name } of nodes.slice(1)) assert.ok(files.some(({ at }) => at.includes(name)))
    assert.deepEqual(nodes[0]?.trust, new Map([['ana', 80]]))
  })

  it('draws requests by lot, each for another file, and changes links in between', () => {
    const { steps: all } = crowd()
    assert.equal(all.length, 22)
    assert.deepEqual(all[10], { action: 'link', node: 'ana', link: { latency: 400, bandwidth: 102_400 } })
    const asked = all.flatMap(step => (step.action === 'get' ? [step.file] : []))
    assert.equal(new Set(asked).size, 21)
  })

  it('draws the same from the same seed, and another from another', () => {
    assert.deepEqual(crowd(5), crowd(5))
    assert.equal(crowd(5).seed, 5)
    assert.notDeepEqual(crowd(5).steps, crowd(6).steps)
    assert.notDeepEqual(crowd(5).files, crowd(6).files)
  })

  it('refuses lots that cannot be drawn', () => {
    const [letter, film] = CROWD.files
    const requests = (count: unknown, of: unknown = 'letter'): Tree => ({ steps: [{ requests: count, of, by: 'you', expect: 'peer' }] })
    assert.throws(() => crowd(1, requests(21)), { message: /21 are to be made and 20 files are left/ })
    assert.throws(() => crowd(1, requests(0)), { message: /step 1: requests: 0 is not a whole number from 1/ })
    assert.throws(() => crowd(1, requests(1, 'letters')), { message: /there is no file "letters"/ })
    assert.throws(() => crowd(1, { files: [{ ...letter, copies: 5 }, film] }), { message: /copies: 5 is not a whole number from 1 to 4/ })
    assert.throws(() => crowd(1, { files: [{ ...letter, repeat: 'many' }, film] }), { message: /repeat: "many" is not a whole number/ })
    refuses(node({ trust: { anna: 80 } }), /node "you": trust: there is no node "anna"\. Did you mean "ana"\?/)
    refuses(node({ trust: { ana: 101 } }), /trust: ana: 101 is not a whole number from 0 to 100/)
    refuses(node({ trust: { iris: 50 } }), /"iris" is a helia node/)
    refuses(node({ trust: { you: 50 } }), /says nothing about itself/)
    refuses(steps({ link: 'anna', latency: '1s' }), /there is no node "anna"/)
    refuses(steps({ link: 'ana', bandwidth: 7 }), /step 1: link: bandwidth: 7 is not a rate/)
  })

  it('in configs/scenarios are all right', () => {
    const names = readdirSync(FOLDER).filter(name => name.endsWith('.yaml'))
    assert.ok(names.includes('stages.yaml'))
    for (const name of names) parseScenario(readFileSync(join(FOLDER, name), 'utf8'), name)
  })

  it('says file and place of what it cannot read', () => {
    assert.throws(() => parseScenario('a: [', 'x.yaml'), { code: 'CONFIG', message: /^x\.yaml: it is not valid YAML: / })
    assert.throws(() => parseScenario('[]', 'x.yaml'), { message: 'x.yaml: the scenario: [] is not a mapping of keys to values' })
    assert.throws(() => parseScenario(`#${'x'.repeat(1_048_576)}`, 'x.yaml'), { message: /at most 1048576/ })
    refuses({ version: 2 }, /^x\.yaml: version: 2 is not known here/)
    refuses({ seed: -1 }, /seed: -1 is not a whole number/)
    refuses({ seed: null }, /"seed" is missing/)
    refuses({ stepps: [] }, /no "stepps" here\. Did you mean "steps"\?/)
    refuses({ files: [] }, /files: the list is empty/)
    refuses({ nodes: {} }, /nodes: \{\} is not a list/)
    refuses(
      { nodes: [{ name: 'you', kind: 'kit' }] },
      /node 1 \(you\): kind: "kit" is none of kith, helia, gateway\. Did you mean "kith"\?/
    )
    refuses({ nodes: [{ name: '../you', kind: 'kith' }] }, /node 1: "\.\.\/you" is not a name/)
    refuses(file({ size: 1024 }), /file 1 \(a\): size: 1024 is not a size\. Write a number and one of B kB/)
    refuses(file({ privacy: 'restricted' }), /privacy: "restricted" is none of public, private/)
    refuses(file({ at: ['ana', 'ana'] }), /at: "ana" stands there twice/)
    refuses(node({ link: { latency: 40 } }), /link: latency: 40 is not a duration/)
    refuses(node({ link: { bandwidth: '2MiB' } }), /link: bandwidth: "2MiB" is not a rate/)
    refuses(node({ link: { loss: 2 } }), /link: loss: 2 is not a share/)
  })

  it('knows what each step needs', () => {
    refuses(steps({}), /step 1: a step does exactly one of get, stop, start, say/)
    refuses(steps({ stop: 'ana', start: 'ana' }), /exactly one of/)
    refuses(steps({ stop: 'ana', by: 'you' }), /step 1: there is no "by" here/)
    refuses(steps({ get: 'a', by: 'you' }), /step 1: "expect" is missing/)
    refuses(steps({ get: 'a', by: 'you', expect: 'peers' }), /step 1: expect: "peers" is none of .* Did you mean "peer"\?/)
    refuses(steps({ halt: 'ana' }), /there is no "halt" here/)
  })

  it('refuses names that are doubled, unknown or of the wrong kind', () => {
    refuses(
      {
        nodes: [
          { name: 'ana', kind: 'kith' },
          { name: 'ana', kind: 'kith' }
        ]
      },
      /nodes: "ana" stands there twice/
    )
    refuses(file({ at: ['anna'] }), /file "a": at: there is no node "anna"\. Did you mean "ana"\?/)
    refuses(node({ connect: ['you'] }), /does not connect to itself/)
    refuses(node({ gateways: ['iris'] }), /"iris" is a helia node; here stands one of kind gateway/)
    refuses(steps({ get: 'c', by: 'you', expect: 'peer' }), /there is no file "c"/)
    refuses(steps({ get: 'a', by: 'iris', expect: 'peer' }), /"iris" is a helia node; here stands one of kind kith/)
    refuses(file({ at: ['iris'] }), /"iris" \(helia\) gives what it has to anybody/)
  })

  it('refuses a story that cannot happen', () => {
    refuses(steps({ stop: 'you' }, { get: 'a', by: 'you', expect: 'peer' }), /"you" is stopped at that point/)
    refuses(steps({ stop: 'ana' }, { stop: 'ana' }), /stopped already/)
    refuses(steps({ start: 'ana' }), /runs already/)
  })

  it('checks configuration against the schema of the daemon', () => {
    assert.deepEqual(parse(node({ config: { routing: { strict: true } } })).nodes[0]?.config, { routing: { strict: true } })
    refuses(node({ config: { routing: { strct: true } } }), /node "you": routing\.strct \(config\): .* Did you mean "strict"\?/)
    refuses(node({ config: { routing: { strict: 'yes' } } }), /"yes" is neither true nor false/)
    refuses(node({ config: { storage: { passphraseFile: '/x' } } }), /comes later/, 'NOT_BUILT')
    refuses({ nodes: [{ name: 'gate', kind: 'gateway', config: {} }] }, /a gateway node has no config; only kith nodes do/)
    refuses(
      {
        nodes: [
          { name: 'you', kind: 'kith', gateways: ['g'], config: { gateways: [] } },
          { name: 'g', kind: 'gateway' }
        ]
      },
      /exclude each other/
    )
  })
})
