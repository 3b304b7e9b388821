/**
 * A scenario: which nodes there are, what they hold, and what happens, step by step. `npm run demo` plays one with
 * real processes, the simulator with virtual ones; both read it here. Pure: text in, a checked scenario or an error
 * that names the place out.
 */
import { parseDocument } from 'yaml'
import { KithError } from '../errors.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import type { Stage } from '../model/source.ts'
import { MIB, type Bytes, type Ms, type Rate } from '../model/units.ts'
import { checkConfig, checkReferences, checkSteps } from './scenario-checks.ts'
import { writeOutFiles, writeOutSteps, type FileGroup, type WrittenStep } from './scenario-crowd.ts'
import { bad, count, duration, fields, list, nameOf, oneOf, rate, share, size, text } from './scenario-fields.ts'

/** Larger files are no scenarios; keeps a wrong file name from being parsed for minutes. Characters. */
const SCENARIO_CHARACTERS_MAX = MIB
/** Aliases a file may unfold into; against documents that explode. */
const YAML_ALIASES_MAX = 100
/** The simulator's largest network, with room to spare. */
const NODES_MAX = 10_000
const FILES_MAX = 100_000
const STEPS_MAX = 100_000
/** The highest level of trust. */
const LEVEL_MAX = 100

export const SCENARIO_VERSION = 1
/** `kith`: a daemon · `helia`: an IPFS node that never heard of Kith · `gateway`: a trustless HTTP gateway. */
export const NODE_KINDS = ['kith', 'helia', 'gateway'] as const
export type NodeKind = (typeof NODE_KINDS)[number]
/** What a `get` must come to: the stage that serves most of it, or that nobody does. */
export const EXPECTATIONS = ['local', 'peer', 'proxy', 'ipfs', 'gateway', 'not-found'] as const satisfies readonly (Stage | 'not-found')[]
export type Expectation = (typeof EXPECTATIONS)[number]
const PRIVACY_CLASSES = ['public', 'private'] as const satisfies readonly PrivacyClass[]

/** The node's way to everybody else. What is absent is not limited. The demo has real links and ignores these. */
export interface ScenarioLink {
  readonly latency?: Ms
  readonly bandwidth?: Rate
  /** Share of packets lost, 0–1. */
  readonly loss?: number
}

export interface ScenarioNode {
  readonly name: string
  readonly kind: NodeKind
  /** What this node is to the reader: `your friend`. */
  readonly about?: string
  /** Configuration on top of an isolated daemon's, as in a file; checked against the schema. Daemons only. */
  readonly config: Readonly<Record<string, unknown>>
  /** Nodes this one connects to at its start. Daemons only. */
  readonly connect: readonly string[]
  /** Gateways of this scenario that it is configured with, in this order. Daemons only. */
  readonly gateways: readonly string[]
  /** Levels (0–100) it gives to other nodes at its start, by their names. Daemons only. */
  readonly trust: ReadonlyMap<string, number>
  readonly link: ScenarioLink
}

/** Its bytes follow from the scenario's seed and its name. */
export interface ScenarioFile {
  readonly name: string
  readonly size: Bytes
  /** Nodes that hold it from the beginning. */
  readonly at: readonly string[]
  readonly privacy: PrivacyClass
}

export type ScenarioStep =
  | { readonly action: 'get'; readonly file: string; readonly by: string; readonly expect: Expectation }
  | { readonly action: 'stop'; readonly node: string }
  | { readonly action: 'start'; readonly node: string }
  /** The link of a node becomes another one. The demo has real links and leaves it aside. */
  | { readonly action: 'link'; readonly node: string; readonly link: ScenarioLink }
  | { readonly action: 'say'; readonly text: string }

export interface Scenario {
  readonly version: typeof SCENARIO_VERSION
  readonly title?: string
  readonly seed: number
  /** All of them run when the first step begins. */
  readonly nodes: readonly ScenarioNode[]
  readonly files: readonly ScenarioFile[]
  /** A `get` of several files stands here as one step each, and so does what was drawn by lot. */
  readonly steps: readonly ScenarioStep[]
}

/**
 * @param where - the file it comes from, for errors
 * @param seed - in place of the one written there
 * @throws KithError CONFIG naming place, value and what would be right
 */
export function parseScenario(yaml: string, where: string, seed?: number): Scenario {
  try {
    const scenario = readScenario(parseYaml(yaml), seed)
    checkReferences(scenario)
    checkSteps(scenario)
    for (const node of scenario.nodes) checkConfig(node)
    return scenario
  } catch (error) {
    if (!(error instanceof KithError)) throw error
    throw new KithError(error.code, `${where}: ${error.message}`, { ...error.data, file: where }, { cause: error })
  }
}

function parseYaml(yaml: string): unknown {
  if (yaml.length > SCENARIO_CHARACTERS_MAX)
    throw bad('', `it has ${yaml.length} characters; a scenario has at most ${SCENARIO_CHARACTERS_MAX}`)
  const document = parseDocument(yaml, { prettyErrors: true })
  const [broken] = document.errors
  if (broken !== undefined) throw bad('', `it is not valid YAML: ${broken.message.trim()}`)
  try {
    return document.toJS({ maxAliasCount: YAML_ALIASES_MAX })
  } catch (error) {
    throw bad('', `it is not valid YAML: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function readScenario(scenario: unknown, otherSeed?: number): Scenario {
  const {
    version,
    title,
    seed: ownSeed,
    nodes,
    files,
    steps
  } = fields(scenario, 'the scenario', {
    needs: ['version', 'seed', 'nodes', 'files', 'steps'],
    may: ['title']
  })
  if (version !== SCENARIO_VERSION)
    throw bad('version', `${JSON.stringify(version)} is not known here; this version of Kith reads ${SCENARIO_VERSION}`)
  const seed = otherSeed ?? ownSeed
  if (typeof seed !== 'number' || !Number.isSafeInteger(seed) || seed < 0)
    throw bad('seed', `${JSON.stringify(seed)} is not a whole number from 0 on`)
  const groups = list(files, 'files', FILES_MAX).map((file, index) => readFile(file, `file ${index + 1}`))
  const written = list(steps, 'steps', STEPS_MAX).flatMap((step, index) => readStep(step, `step ${index + 1}`))
  return {
    version,
    seed,
    ...(title === undefined ? {} : { title: text(title, 'title') }),
    nodes: list(nodes, 'nodes', NODES_MAX).map((node, index) => readNode(node, `node ${index + 1}`)),
    files: writeOutFiles(groups, seed),
    steps: writeOutSteps(written, groups, seed)
  }
}

function readNode(written: unknown, place: string): ScenarioNode {
  const node = fields(written, place, { needs: ['name', 'kind'], may: ['about', 'config', 'connect', 'gateways', 'trust', 'link'] })
  const name = nameOf(node['name'], place)
  const here = `${place} (${name})`
  const kind = oneOf(node['kind'], `${here}: kind`, NODE_KINDS)
  for (const key of ['config', 'connect', 'gateways', 'trust'])
    if (kind !== 'kith' && node[key] !== undefined) throw bad(here, `a ${kind} node has no ${key}; only kith nodes do`)
  return {
    name,
    kind,
    ...(node['about'] === undefined ? {} : { about: text(node['about'], `${here}: about`) }),
    config: node['config'] === undefined ? {} : fields(node['config'], `${here}: config`),
    connect: names(node['connect'] ?? [], `${here}: connect`),
    gateways: names(node['gateways'] ?? [], `${here}: gateways`),
    trust: readTrust(node['trust'] ?? {}, `${here}: trust`),
    link: node['link'] === undefined ? {} : readLink(node['link'], `${here}: link`)
  }
}

function readLink(written: unknown, place: string): ScenarioLink {
  const { latency, bandwidth, loss } = fields(written, place, { may: ['latency', 'bandwidth', 'loss'] })
  return {
    ...(latency === undefined ? {} : { latency: duration(latency, `${place}: latency`) }),
    ...(bandwidth === undefined ? {} : { bandwidth: rate(bandwidth, `${place}: bandwidth`) }),
    ...(loss === undefined ? {} : { loss: share(loss, `${place}: loss`) })
  }
}

function readTrust(written: unknown, place: string): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(fields(written, place)).map(([name, level]) => [
      nameOf(name, place),
      count(level, `${place}: ${name}`, { min: 0, max: LEVEL_MAX })
    ])
  )
}

function readFile(written: unknown, place: string): FileGroup {
  const file = fields(written, place, { needs: ['name', 'size', 'at'], may: ['privacy', 'repeat', 'copies'] })
  const name = nameOf(file['name'], place)
  const here = `${place} (${name})`
  const at = names(file['at'], `${here}: at`)
  const { repeat, copies } = file
  return {
    file: {
      name,
      size: size(file['size'], `${here}: size`),
      at,
      privacy: file['privacy'] === undefined ? 'private' : oneOf(file['privacy'], `${here}: privacy`, PRIVACY_CLASSES)
    },
    ...(repeat === undefined ? {} : { repeat: count(repeat, `${here}: repeat`, { min: 1, max: FILES_MAX }) }),
    ...(copies === undefined ? {} : { copies: count(copies, `${here}: copies`, { min: 1, max: at.length }) })
  }
}

const ACTIONS = ['get', 'stop', 'start', 'say', 'link', 'requests'] as const
/** What else a step may hold, by its action. */
const DETAILS = ['by', 'expect', 'of', 'latency', 'bandwidth', 'loss']

function readStep(written: unknown, place: string): WrittenStep[] {
  const step = fields(written, place, { may: [...ACTIONS, ...DETAILS] })
  const [action, ...others] = ACTIONS.filter(word => step[word] !== undefined)
  if (action === undefined || others.length > 0)
    throw bad(place, `a step does exactly one of ${ACTIONS.join(', ')}, such as {get: letter, by: you, expect: peer} or {stop: ana}`)
  const here = `${place}: ${action}`
  if (action === 'get') return readGet(step, place)
  if (action === 'requests') return [readRequests(step, place)]
  if (action === 'link') {
    const { link, ...terms } = step
    return [{ action, node: nameOf(link, here), link: readLink(terms, here) }]
  }
  fields(step, place, { needs: [action] })
  if (action === 'say') return [{ action, text: text(step['say'], here) }]
  return [{ action, node: nameOf(step[action], here) }]
}

function readGet(step: Readonly<Record<string, unknown>>, place: string): ScenarioStep[] {
  const { get, by, expect } = fields(step, place, { needs: ['get', 'by', 'expect'] })
  const asked = { by: nameOf(by, `${place}: by`), expect: oneOf(expect, `${place}: expect`, EXPECTATIONS) }
  return names(get, `${place}: get`).map(file => ({ action: 'get', file, ...asked }))
}

function readRequests(step: Readonly<Record<string, unknown>>, place: string): WrittenStep {
  const { requests, of, by, expect } = fields(step, place, { needs: ['requests', 'of', 'by', 'expect'] })
  return {
    action: 'requests',
    count: count(requests, `${place}: requests`, { min: 1, max: STEPS_MAX }),
    of: names(of, `${place}: of`),
    by: nameOf(by, `${place}: by`),
    expect: oneOf(expect, `${place}: expect`, EXPECTATIONS)
  }
}

/** One name or several. */
function names(written: unknown, place: string): readonly string[] {
  const all = (Array.isArray(written) ? written : [written]).map(name => nameOf(name, place))
  const doubled = all.find((name, index) => all.indexOf(name) !== index)
  if (doubled !== undefined) throw bad(place, `"${doubled}" stands there twice`)
  return all
}
