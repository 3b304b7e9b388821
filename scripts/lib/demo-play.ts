/** Plays the steps of a scenario on a running network and judges each answer: the stage, and the bytes. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { toKithError, type KithError } from '../../src/errors.ts'
import type { SourceId, Stage } from '../../src/model/source.ts'
import { isRecord } from '../../src/rpc/error-body.ts'
import type { Expectation, Scenario, ScenarioStep } from '../../src/sim/scenario.ts'
import { sameFile } from './compare-files.ts'
import type { DemoNetwork } from './demo-network.ts'

/** Everybody is on this machine: who has not begun to deliver by then will not. Seconds. */
const SEARCH_SECONDS = 10

type GetStep = Extract<ScenarioStep, { action: 'get' }>

/** What one `get` came to; as `--json` shows it. */
export interface Answer {
  readonly get: string
  readonly by: string
  readonly size: number
  readonly expected: Expectation
  /** As the daemon reported it; `failed` for errors other than NOT_FOUND. */
  readonly stage: Stage | 'not-found' | 'failed'
  /** Name of the node that served. */
  readonly from?: string
  /** Bytes and SHA-256 are those of the original; null when nothing was to be delivered and nothing was. */
  readonly equal: boolean | null
  readonly ok: boolean
  readonly firstByteMs?: number
  /** As the daemon reported it. */
  readonly ms: number
  /** Until the file lay on disk and the answer was here. */
  readonly totalMs: number
  readonly attempts: readonly unknown[]
  readonly error?: string
  /** What happened since the `get` before: `stop ana`. */
  readonly after: readonly string[]
}

export interface Onlooker {
  said(text: string): void
  stopped(node: string): void
  started(node: string): void
  asking(step: GetStep, size: number): void
  progress(bytes: number, total: number, source: SourceId | undefined): void
  answered(answer: Answer): void
}

export async function play(network: DemoNetwork, scenario: Scenario, onlooker: Onlooker, signal: AbortSignal): Promise<Answer[]> {
  const answers: Answer[] = []
  let after: string[] = []
  for (const step of scenario.steps) {
    signal.throwIfAborted()
    if (step.action === 'get') {
      const size = scenario.files.find(({ name }) => name === step.file)?.size ?? 0
      onlooker.asking(step, size)
      const answer = { ...(await ask(network, step, size, onlooker, signal)), after }
      onlooker.answered(answer)
      answers.push(answer)
      after = []
    } else if (step.action === 'say') onlooker.said(step.text)
    else if (step.action !== 'link') {
      after.push(`${step.action} ${step.node}`)
      await turn(network, step, onlooker)
    }
  }
  return answers
}

async function turn(
  network: DemoNetwork,
  { action, node }: Extract<ScenarioStep, { action: 'stop' | 'start' }>,
  onlooker: Onlooker
): Promise<void> {
  if (action === 'stop') {
    await network.stop(node)
    onlooker.stopped(node)
  } else {
    await network.restart(node)
    onlooker.started(node)
  }
}

async function ask(
  network: DemoNetwork,
  step: GetStep,
  size: number,
  onlooker: Onlooker,
  signal: AbortSignal
): Promise<Omit<Answer, 'after'>> {
  const original = network.file(step.file)
  const path = join(network.directory, `got-${step.file}`)
  const facts = { get: step.file, by: step.by, size, expected: step.expect }
  const began = performance.now()
  const elapsed = (): number => Math.round(performance.now() - began)
  const onProgress = ({ bytes, total, source }: Record<string, unknown>): void =>
    onlooker.progress(Number(bytes), typeof total === 'number' ? total : size, isRecord(source) ? sourceOf(source) : undefined)
  try {
    const report = await network
      .client(step.by)
      .call('content.get', { content: `ipfs://${original.cid}`, path, ttl: SEARCH_SECONDS }, { signal, onProgress })
    const totalMs = elapsed()
    const equal = await sameFile(path, original)
    const { source, ms, firstByteMs, attempts } = report
    const from = whoServed(network, step.by, source)
    return {
      ...facts,
      stage: source.stage,
      ...(from === undefined ? {} : { from }),
      equal,
      ok: equal && source.stage === step.expect,
      firstByteMs,
      ms,
      totalMs,
      attempts
    }
  } catch (error) {
    signal.throwIfAborted()
    return { ...facts, ...failure(toKithError(error), step.expect), ms: elapsed(), totalMs: elapsed() }
  } finally {
    await rm(path, { force: true })
  }
}

function failure(error: KithError, expected: Expectation): Pick<Answer, 'stage' | 'equal' | 'ok' | 'attempts' | 'error'> {
  const { attempts } = error.data
  const stage = error.code === 'NOT_FOUND' ? 'not-found' : 'failed'
  return {
    stage,
    equal: expected === 'not-found' && stage === 'not-found' ? null : false,
    ok: stage === expected,
    attempts: Array.isArray(attempts) ? attempts : [],
    error: `${error.code}: ${error.message}`
  }
}

function whoServed(network: DemoNetwork, by: string, { stage, peer, url }: SourceId): string | undefined {
  if (stage === 'local') return by
  const place = peer ?? url
  if (place !== undefined) return network.nameOf(place)
  const [only, ...others] = network.ipfsPeersOf(by)
  return others.length === 0 ? only : undefined
}

function sourceOf({ stage, peer, url }: Record<string, unknown>): SourceId | undefined {
  if (stage !== 'local' && stage !== 'peer' && stage !== 'proxy' && stage !== 'ipfs' && stage !== 'gateway') return undefined
  return { stage, ...(typeof peer === 'string' ? { peer } : {}), ...(typeof url === 'string' ? { url } : {}) }
}
