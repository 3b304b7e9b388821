/** How far a search looked: who was asked, and who could not be. Pure: made from the attempts. */
import type { Attempt, Stage } from '../model/source.ts'

export interface HowFar {
  /** Sources that were asked and had their say, or their time. */
  readonly asked: number
  /** Sources that are configured or connected, and gave no answer. What is off is neither. */
  readonly unreachable: number
  /** Of these, peers that were connected and asked, and let their time pass. */
  readonly silent: number
  /** To put after a message: who gave no answer, and what to do. Empty when everybody did. */
  readonly words: string
}

const NAMES: Readonly<Partial<Record<Stage, readonly [one: string, several: string]>>> = {
  peer: ['a peer', 'peers'],
  proxy: ['a peer that was to fetch it', 'peers that were to fetch it'],
  ipfs: ['IPFS', 'IPFS'],
  gateway: ['a gateway', 'gateways']
}

/** A source may have been tried several times; one answer is enough. */
export function howFar(attempts: readonly Attempt[]): HowFar {
  const asked = new Set(attempts.filter(isAnswered).map(sourceOf))
  const unanswered = attempts.filter(attempt => isUnanswered(attempt) && !asked.has(sourceOf(attempt)))
  const stages = new Map(unanswered.map(attempt => [sourceOf(attempt), attempt.stage]))
  const silent = new Set(unanswered.filter(({ outcome }) => outcome === 'timeout').map(sourceOf))
  return { asked: asked.size, unreachable: stages.size, silent: silent.size, words: wordsFor([...stages.values()]) }
}

function isAnswered(attempt: Attempt): boolean {
  return attempt.outcome !== 'skipped' && !isUnanswered(attempt)
}

/**
 * IPFS and gateways search for others, so their silence is an answer; their refusal is not: it is about the access. A peer
 * answers by refusing; what its silence as a proxy says is that it has not found anything yet.
 */
function isUnanswered({ stage, outcome, reason }: Attempt): boolean {
  if (outcome === 'skipped') return reason === 'unhealthy'
  if (outcome === 'fault') return true
  if (stage === 'peer') return outcome === 'timeout'
  return stage !== 'proxy' && outcome === 'refused'
}

/** A peer that was asked for its own and to fetch is one. */
function sourceOf({ stage, peer, url }: Attempt): string {
  return peer === undefined ? `${stage} ${url ?? ''}` : `peer ${peer}`
}

function wordsFor(stages: readonly string[]): string {
  if (stages.length === 0) return ''
  const named = Object.entries(NAMES).flatMap(([stage, [one, several]]) => {
    const count = stages.filter(other => other === stage).length
    return count === 0 ? [] : [count === 1 || one === several ? one : `${count} ${several}`]
  })
  return `. No answer came from ${named.join(' and ')}: "kith doctor" looks into it`
}
