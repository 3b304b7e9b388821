/** One run of the comparison: a daemon that knows nobody yet, ordering peers in one way, makes the requests of a scenario. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { toKithError } from '../../src/errors.ts'
import type { Bytes, Ms } from '../../src/model/units.ts'
import type { Scenario } from '../../src/sim/scenario.ts'
import type { DaemonProcess } from './daemon-process.ts'
import type { LinkedNetwork } from './linked-network.ts'

/** Settings of the daemon that asks; all else is the same. */
export const POLICIES: Readonly<Record<string, readonly string[]>> = {
  'expected-time': ['routing.ranking="expected-time"'],
  weighted: ['routing.ranking="weighted"'],
  random: ['routing.ranking="random"'],
  race: ['routing.ranking="random"', 'routing.maxParallelPeers=64', 'routing.hedgeDelay="1ms"']
}

/** What is not here after this long counts as that, and as failed. Seconds. */
const REQUEST_SECONDS_MAX = 60

export interface Sample {
  readonly file: string
  readonly size: Bytes
  /** From the call to the content in a file. */
  readonly ms: Ms
  /** Who delivered most, by name. */
  readonly by?: string
  readonly error?: string
}

export interface RankingRun {
  readonly policy: string
  readonly seed: number
  readonly samples: readonly Sample[]
  /** What came over the asker's link, for each byte of content. */
  readonly bytesRatio: number
}

/** The policy's name is also that of its lane. */
export async function runPolicy(
  network: LinkedNetwork,
  scenario: Scenario,
  { policy, cids }: { readonly policy: string; readonly cids: ReadonlyMap<string, string> }
): Promise<RankingRun> {
  network.resetLinks(policy)
  await using asker = await network.startAsker(policy, POLICIES[policy] ?? [])
  const before = network.received(policy)
  const samples: Sample[] = []
  for (const step of scenario.steps) {
    if (step.action === 'link') network.setLink(policy, step.node, step.link)
    if (step.action !== 'get') continue
    const size = scenario.files.find(({ name }) => name === step.file)?.size ?? 0
    samples.push(await request(network, asker, { file: step.file, size, cid: cids.get(step.file) ?? '' }))
  }
  await network.assertLinked(policy, asker)
  const wanted = samples.reduce((sum, { size }) => sum + size, 0)
  return { policy, seed: scenario.seed, samples, bytesRatio: (network.received(policy) - before) / wanted }
}

async function request(
  network: LinkedNetwork,
  asker: DaemonProcess,
  { file, size, cid }: { readonly file: string; readonly size: Bytes; readonly cid: string }
): Promise<Sample> {
  const path = join(asker.home, 'fetched')
  const startedAt = performance.now()
  try {
    const { source } = await asker.client.call('content.get', { content: `ipfs://${cid}`, path, deadline: REQUEST_SECONDS_MAX })
    const by = network.nameOf(source.peer)
    return { file, size, ms: performance.now() - startedAt, ...(by === undefined ? {} : { by }) }
  } catch (error) {
    return { file, size, ms: REQUEST_SECONDS_MAX * 1000, error: toKithError(error).message }
  } finally {
    await rm(path, { force: true })
  }
}

export interface Summary {
  readonly policy: string
  readonly seed: number
  readonly medianMs: Ms
  readonly p95Ms: Ms
  readonly meanMs: Ms
  readonly failed: number
  readonly bytesRatio: number
}

export function summarise({ policy, seed, samples, bytesRatio }: RankingRun): Summary {
  const times = samples.map(({ ms }) => ms).toSorted((a, b) => a - b)
  return {
    policy,
    seed,
    medianMs: quantile(times, 0.5),
    p95Ms: quantile(times, 0.95),
    meanMs: times.reduce((sum, ms) => sum + ms, 0) / times.length,
    failed: samples.filter(({ error }) => error !== undefined).length,
    bytesRatio
  }
}

/** Nearest rank: a time that was measured. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}
