/** An explanation as people read it: privacy, stages and candidates in tables that fit the terminal, reasons in words. */
import type { PrivacyReason } from '../model/privacy.ts'
import { scoreWithin } from '../model/score.ts'
import type { RouteCandidate, RouteExplanation } from '../rpc/services-people.ts'
import { cut, displayWidth, facts, formatMs, printable, table } from './text.ts'

/** Below it lines are not made to fit: nothing would be left of them. Columns. */
const COLUMNS_MIN = 40
/** Below it the terms of each place would take more lines than all else. Columns. */
const TERMS_COLUMNS_MIN = 60
/** Columns that go where not all fit, in this order. What people look for stays: who is asked, and what is expected of them. */
const LEAST_NEEDED = ['access', 'trust', 'score', 'claim']
/** What there is room for of a peer's id at the least. Columns. */
const WHO_COLUMNS_MIN = 16
/** Last characters of a PeerId, by which people tell them apart: the first ones are the same for all. */
const ID_TAIL = 8
/** Below a line of a table. */
const INDENT = '     '
const EXPLORING = 'Of small requests about one in a hundred for each peer begins with another of its kind, to see how it fares now.'
const STRANGER = 'after those you trust:'

const PRIVACY_REASONS: Readonly<Record<PrivacyReason, string>> = {
  'local-record': 'that is what is recorded here',
  group: 'a group it belongs to says so',
  peer: 'a trusted peer says so',
  request: 'you asked for it as such',
  address: 'its address says so',
  update: 'a trusted peer announced it',
  cid: 'it is a bare CID that nobody here knows (privacy.unknownCid)',
  'unknown-hash': 'it is a bare hash that nobody here knows (privacy.unknown)'
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['local', 'all of it is here'],
  ['no-cid', 'only the hash is known, and this way needs a CID'],
  ['not-public', 'the content is not public'],
  ['not-allowed', 'not allowed to'],
  ['not-preferred', 'not among the sources asked for'],
  ['off', 'turned off in the configuration'],
  ['unhealthy', 'it does not answer at the moment'],
  ['no-peers', 'no peer is there to be asked'],
  ['not-trusted', 'not trusted with what is not public'],
  ['shunned', 'blocked, suspended or distrusted'],
  ['below-min-trust', 'claims nothing, and its trust is below routing.askUnknownMinTrust'],
  ['not-connected', 'not connected'],
  ['says-no', 'says it does not have it'],
  ['no-ipfs', 'no IPFS node there to ask'],
  ['hops', 'the request may go no further'],
  ['have-first', 'asked first whether it has it as private'],
  ['have-round', 'asked whether it has it before the next stage begins'],
  ['peers-first', 'once every trusted peer has said whether it has it as private: 2 s at most'],
  ['strict', 'when the stage before has failed (routing.strict)'],
  ['enough', 'enough better ones are asked']
])

/** @param columns - of the terminal */
export function explanationText(explanation: RouteExplanation, columns: number): string {
  const width = Math.max(COLUMNS_MIN, columns)
  const asked = explanation.candidates.filter(({ eligible }) => eligible)
  const others = explanation.candidates.filter(({ eligible }) => !eligible)
  return [
    headText(explanation, width),
    stagesText(explanation, width),
    asked.length === 0 ? 'nobody would be asked' : `asked in this order:\n${askedText(asked, width)}`,
    ...(others.length === 0 ? [] : [`left out:\n${leftOutText(others, width)}`]),
    ...(hasExpectedTimes(asked) ? [wrapped(EXPLORING.split(' '), width, '')] : [])
  ].join('\n\n')
}

/** The address stays whole, so that it can be copied. */
function headText({ content, privacy, classes }: RouteExplanation, width: number): string {
  const label = 'privacy  '
  const why = wrapped(`${privacy.class}: ${PRIVACY_REASONS[privacy.reason]}`.split(' '), width, ' '.repeat(label.length))
  return [
    facts({ content }),
    `${label}${why.slice(label.length)}`,
    ...(classes.length === 0 ? [] : [facts({ classes: classes.join(', ') })])
  ].join('\n')
}

/** Why a stage begins when it does stands beside it, or below it where there is no room. */
function stagesText({ stages }: RouteExplanation, width: number): string {
  const rows = stages.map(({ stage, startsAfterMs, reason }) => [stage, startText(startsAfterMs, reason), reasonOf(reason)])
  const beside = table(['stage', 'starts', 'why'], rows)
  if (widest(beside) <= width) return beside
  const [head = '', ...lines] = table(
    ['stage', 'starts'],
    rows.map(([stage = '', starts = '']) => [stage, starts])
  ).split('\n')
  const explained = lines.flatMap((line, index) => {
    const why = rows[index]?.[2] ?? ''
    return [cut(line, width), ...(why === '' ? [] : [wrapped(why.split(' '), width, INDENT)])]
  })
  return [head, ...explained].join('\n')
}

function startText(startsAfterMs: number | null, reason: string | undefined): string {
  if (startsAfterMs === null) return reason === 'strict' ? 'at last' : 'not asked'
  if (reason === 'peers-first') return `within ${formatMs(startsAfterMs)}`
  return startsAfterMs === 0 ? 'at once' : `after ${formatMs(startsAfterMs)}`
}

/** One line for each candidate, and below it what its place is made of. */
function askedText(candidates: readonly RouteCandidate[], width: number): string {
  const head = ['#', 'stage', 'who', 'claim', 'access', 'trust', 'score', 'expected']
  const rows = (who: number): (string | number)[][] => candidates.map((candidate, index) => askedRow(candidate, index + 1, who))
  const [first = '', ...others] = fitted(head, rows, width)
  const explained = others.flatMap((line, index) => {
    const why = reasonOf(candidates[index]?.reason)
    const terms = width < TERMS_COLUMNS_MIN ? [] : termsText(candidates[index])
    return [
      line,
      ...(why === '' ? [] : [wrapped(why.split(' '), width, INDENT)]),
      ...(terms.length === 0 ? [] : [wrapped(terms, width, INDENT)])
    ]
  })
  return [first, ...explained].join('\n')
}

function askedRow(candidate: RouteCandidate, place: number, who: number): (string | number)[] {
  const { stage, claim, access, trust, score, expectedMs } = candidate
  return [
    place,
    stage,
    whoText(candidate, who),
    claim,
    rounded(access),
    rounded(trust),
    rounded(scoreWithin(score).score),
    expectedMs === null ? '-' : formatMs(expectedMs)
  ]
}

function leftOutText(candidates: readonly RouteCandidate[], width: number): string {
  const rows = (who: number): (string | number)[][] =>
    candidates.map(candidate => {
      const { stage, claim, access, trust } = candidate
      return [stage, whoText(candidate, who), claim, rounded(access), rounded(trust)]
    })
  const [first = '', ...others] = fitted(['stage', 'who', 'claim', 'access', 'trust'], rows, width)
  const explained = others.flatMap((line, index) => [line, wrapped(whyText(candidates[index]).split(' '), width, INDENT)])
  return [first, ...explained].join('\n')
}

/** Lines of a table in which `who` takes what the other columns leave; the least needed of them go until it has enough. */
function fitted(head: readonly string[], rows: (who: number) => (string | number)[][], width: number): string[] {
  const without = (count: number): string[] => head.filter(name => !LEAST_NEEDED.slice(0, count).includes(name))
  const shown = (names: readonly string[], who: number): string =>
    table(
      names,
      rows(who).map(row => row.filter((_, column) => names.includes(head[column] ?? '')))
    )
  const rest = (names: readonly string[]): number => widest(shown(names, 0)) - 'who'.length
  const choices = [...LEAST_NEEDED.keys(), LEAST_NEEDED.length].map(without)
  const kept = choices.find(names => rest(names) + WHO_COLUMNS_MIN <= width) ?? without(LEAST_NEEDED.length)
  return shown(kept, Math.max(WHO_COLUMNS_MIN, width - rest(kept)))
    .split('\n')
    .map(line => cut(line, width))
}

function widest(text: string): number {
  return Math.max(...text.split('\n').map(displayWidth))
}

/** A name and the end of the id, or as much of the id as there is room for. */
function whoText({ stage, peer, name, url }: RouteCandidate, columns: number): string {
  if (columns === 0) return ''
  if (peer === undefined) return cut(printable(url ?? stage), columns)
  const id = printable(peer)
  if (name === undefined) return displayWidth(id) <= columns ? id : `${cut(id, columns - ID_TAIL)}${id.slice(-ID_TAIL)}`
  return `${cut(printable(name), columns - ID_TAIL - ' (…)'.length)} (…${id.slice(-ID_TAIL)})`
}

/** `first byte 20 ms`, `+ transfer 6 ms`, `- hope 4 ms`; nothing for what is nothing. Of strangers also whom they come after. */
function termsText(candidate: RouteCandidate | undefined): string[] {
  if (candidate === undefined) return []
  const unit = candidate.expectedMs === null ? '' : ' ms'
  const terms = Object.entries(candidate.terms).map(([name, value]) => ({ name: words(name), value: rounded(value) }))
  const told = terms
    .filter(({ value }) => value !== 0)
    .map(({ name, value }, index) => `${value < 0 ? '- ' : index === 0 ? '' : '+ '}${name} ${Math.abs(value)}${unit}`)
  return scoreWithin(candidate.score).isStranger ? [STRANGER, ...told] : told
}

function whyText(candidate: RouteCandidate | undefined): string {
  const { reason, note } = candidate ?? {}
  return note === undefined ? reasonOf(reason) || 'no reason given' : printable(note)
}

function reasonOf(reason: string | undefined): string {
  return reason === undefined ? '' : (REASONS.get(reason) ?? printable(reason))
}

/** `firstByte` as two words. */
function words(name: string): string {
  return printable(name).replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
}

/** To a tenth; tenths of large numbers say nothing. */
function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 10) / 10
}

/** Pieces over as many lines as they need, all indented. */
function wrapped(pieces: readonly string[], width: number, indent: string): string {
  const lines: string[] = []
  for (const piece of pieces) {
    const longer = `${lines.at(-1) ?? ''} ${piece}`
    if (lines.length > 0 && displayWidth(indent + longer) <= width) lines[lines.length - 1] = longer
    else lines.push(piece)
  }
  return lines.map(line => cut(indent + line, width)).join('\n')
}

function hasExpectedTimes(candidates: readonly RouteCandidate[]): boolean {
  return candidates.filter(({ stage, expectedMs }) => stage === 'peer' && expectedMs !== null).length > 1
}
