/** What single values cannot show: whether the parts of a scenario fit together, and whether its story can happen. */
import { ConfigBuilder } from '../config/resolve.ts'
import { KithError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import type { NodeKind, Scenario, ScenarioFile, ScenarioNode, ScenarioStep } from './scenario.ts'
import { bad } from './scenario-fields.ts'

/** @throws KithError CONFIG for names that are taken, unknown or of the wrong kind */
export function checkReferences({ nodes, files, steps }: Scenario): void {
  const known = new Map(nodes.map(({ name, kind }) => [name, kind]))
  assertDistinct('nodes', nodes)
  assertDistinct('files', files)
  for (const node of nodes) {
    const here = `node "${node.name}"`
    for (const name of node.connect) assertNode(known, name, `${here}: connect`, ['kith', 'helia'])
    for (const name of node.gateways) assertNode(known, name, `${here}: gateways`, ['gateway'])
    for (const name of node.trust.keys()) assertNode(known, name, `${here}: trust`, ['kith'])
    if (node.trust.has(node.name)) throw bad(`${here}: trust`, 'a node says nothing about itself')
    if (node.connect.includes(node.name)) throw bad(`${here}: connect`, 'a node does not connect to itself')
    if (node.gateways.length > 0 && node.config['gateways'] !== undefined)
      throw bad(here, 'config.gateways and gateways exclude each other: name gateways of the scenario in gateways')
  }
  for (const file of files) checkHolders(file, known)
  for (const step of steps) checkNames(step, known, files)
}

function checkHolders({ name, at, privacy }: ScenarioFile, known: ReadonlyMap<string, NodeKind>): void {
  for (const holder of at) {
    const kind = assertNode(known, holder, `file "${name}": at`)
    if (kind !== 'kith' && privacy !== 'public')
      throw bad(
        `file "${name}"`,
        `"${holder}" (${kind}) gives what it has to anybody, so the file is not private. Write privacy: public, or take it off there`
      )
  }
}

function checkNames(step: ScenarioStep, known: ReadonlyMap<string, NodeKind>, files: readonly ScenarioFile[]): void {
  if (step.action === 'stop' || step.action === 'start' || step.action === 'link') assertNode(known, step.node, `step "${step.action}"`)
  if (step.action !== 'get') return
  assertNode(known, step.by, `step "get ${step.file}": by`, ['kith'])
  const names = files.map(({ name }) => name)
  if (!names.includes(step.file)) throw bad('step "get"', `there is no file "${step.file}".${didYouMean(step.file, names)}`)
}

/** @throws KithError CONFIG when a node that is stopped is asked or stopped, or one that runs is started */
export function checkSteps({ steps }: Scenario): void {
  const stopped = new Set<string>()
  for (const step of steps) {
    if (step.action === 'get' && stopped.has(step.by))
      throw bad(`step "get ${step.file}"`, `"${step.by}" is stopped at that point; start it before, or let another node ask`)
    if (step.action === 'stop') {
      if (stopped.has(step.node)) throw bad(`step "stop ${step.node}"`, 'it is stopped already')
      stopped.add(step.node)
    }
    if (step.action === 'start' && !stopped.delete(step.node))
      throw bad(`step "start ${step.node}"`, 'it runs already: all nodes run when the first step begins')
  }
}

/** @throws KithError CONFIG or NOT_BUILT for what the daemon's configuration does not know */
export function checkConfig({ name, config }: ScenarioNode): void {
  const builder = new ConfigBuilder()
  try {
    builder.add('', config, { kind: 'file', where: 'config' })
    builder.finish()
  } catch (error) {
    if (!(error instanceof KithError)) throw error
    throw new KithError(error.code, `node "${name}": ${error.message}`, error.data, { cause: error })
  }
}

function assertNode(known: ReadonlyMap<string, NodeKind>, name: string, place: string, kinds?: readonly NodeKind[]): NodeKind {
  const kind = known.get(name)
  if (kind === undefined) throw bad(place, `there is no node "${name}".${didYouMean(name, known.keys())}`)
  if (kinds !== undefined && !kinds.includes(kind))
    throw bad(place, `"${name}" is a ${kind} node; here stands one of kind ${kinds.join(' or ')}`)
  return kind
}

function assertDistinct(what: string, items: readonly { readonly name: string }[]): void {
  const seen = new Set<string>()
  for (const { name } of items) {
    if (seen.has(name)) throw bad(what, `"${name}" stands there twice`)
    seen.add(name)
  }
}
