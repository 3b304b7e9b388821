/**
 * What the order in which peers are asked is worth: the same requests, to the same real daemons behind the same links,
 * by a daemon that orders its peers in one way after the other. docs/benchmarks.md says how to read it.
 *
 *   node scripts/compare-rankings.ts [--scenario FILE] [--seeds N] [--policies A,B] [--json] [--verbose]
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parseScenario } from '../src/sim/scenario.ts'
import { median } from './bench/measure.ts'
import { LinkedNetwork } from './lib/linked-network.ts'
import { POLICIES, runPolicy, summarise, type RankingRun, type Summary } from './lib/ranking-run.ts'

const DEFAULT_SCENARIO = fileURLToPath(new URL('../configs/scenarios/ten-peers.yaml', import.meta.url))
const SUBJECT = 'expected-time'
/** The 95th percentile of the subject, as a share of that of the best other one, in the median of the seeds. */
const SHARE_MAX = 0.9
const SEEDS_MAX = 100
const USAGE = `node scripts/compare-rankings.ts [OPTIONS]: what the order in which peers are asked is worth

  --scenario FILE   who has what behind which link (default: configs/scenarios/ten-peers.yaml)
  --seeds N         so many seeds, from the scenario's on (default 5)
  --policies A,B    of ${Object.keys(POLICIES).join(', ')} (default: all)
  --verbose         also print each request
  --json            print one JSON object instead: {scenario, seconds, met?, share?, summaries}
  --help            show this

Exit codes: 0 if the 95th percentile of ${SUBJECT} is at most ${SHARE_MAX} of that of the best other policy, in the median
of the seeds; 1 if not; 2 wrong usage.
`

interface Options {
  readonly file: string
  readonly seeds: number
  readonly policies: readonly string[]
  readonly json: boolean
  readonly verbose: boolean
}

async function compare({ file, seeds, policies, json, verbose }: Options): Promise<boolean> {
  const yaml = await readFile(file, 'utf8')
  const first = parseScenario(yaml, file)
  const say = (text: string): void => {
    if (!json) console.log(text)
  }
  const startedAt = performance.now()
  say(`${first.title ?? file}: starting ${first.nodes.length} daemons`)
  await using network = await LinkedNetwork.start(first, policies)
  const summaries: Summary[] = []
  for (let index = 0; index < seeds; index++) {
    const scenario = parseScenario(yaml, file, first.seed + index)
    const cids = await network.fill(scenario)
    // All at once, each over links of its own: what the machine does meanwhile, it does to all.
    const runs = await Promise.all(policies.map(async policy => await runPolicy(network, scenario, { policy, cids })))
    for (const run of runs) {
      if (verbose) for (const line of details(run)) say(line)
      summaries.push(summarise(run))
      say(printSummary(summarise(run)))
    }
  }
  const share = shareOf(summaries)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const met = share === undefined ? undefined : share <= SHARE_MAX
  if (json) console.log(JSON.stringify({ scenario: file, seconds, met, share, summaries }))
  else for (const line of [...overall(summaries, policies), ...verdict(share), `(${seconds} s, Node ${process.version})`]) console.log(line)
  return met ?? true
}

/** Of each seed the best other policy counts: it need not be the same one. Undefined when there is nothing to compare. */
function shareOf(summaries: readonly Summary[]): number | undefined {
  const shares = [...Map.groupBy(summaries, ({ seed }) => seed).values()].flatMap(those => {
    const subject = those.find(({ policy }) => policy === SUBJECT)
    const others = those.filter(({ policy }) => policy !== SUBJECT)
    return subject === undefined || others.length === 0 ? [] : [subject.p95Ms / Math.min(...others.map(({ p95Ms }) => p95Ms))]
  })
  return shares.length === 0 ? undefined : median(shares)
}

function overall(summaries: readonly Summary[], policies: readonly string[]): string[] {
  const of = (policy: string, figure: (summary: Summary) => number): number =>
    median(summaries.filter(summary => summary.policy === policy).map(figure))
  return [
    '\nin the median of the seeds:',
    ...policies.map(policy => {
      const p95 = of(policy, ({ p95Ms }) => p95Ms)
      const ratio = `${(p95 / of(SUBJECT, ({ p95Ms }) => p95Ms)).toFixed(2)} × ${SUBJECT}`
      const [middle, mean] = [of(policy, ({ medianMs }) => medianMs), of(policy, ({ meanMs }) => meanMs)]
      return `  ${policy.padEnd(14)} median ${ms(middle)}   p95 ${ms(p95)}   mean ${ms(mean)}   p95 ${ratio}`
    })
  ]
}

function verdict(share: number | undefined): string[] {
  if (share === undefined) return []
  const words = `p95 of ${SUBJECT} is ${share.toFixed(2)} of that of the best other policy of each seed, in the median`
  return [`\n${share <= SHARE_MAX ? 'PASS' : 'MISS'}  ${words} (at most ${SHARE_MAX})`]
}

function printSummary({ policy, seed, medianMs, p95Ms, meanMs, failed, bytesRatio }: Summary): string {
  const troubles = failed === 0 ? '' : `   ${failed} FAILED`
  return `seed ${seed}  ${policy.padEnd(14)} median ${ms(medianMs)}   p95 ${ms(p95Ms)}   mean ${ms(meanMs)}   ${bytesRatio.toFixed(2)} bytes for each byte${troubles}`
}

function details({ samples }: RankingRun): string[] {
  return samples.map(
    ({ file, ms: time, by, error }) => `    ${file.padEnd(12)} ${ms(time)}  ${by ?? ''}${error === undefined ? '' : `failed: ${error}`}`
  )
}

function ms(time: number): string {
  return `${Math.round(time).toString().padStart(6)} ms`
}

/** @throws TypeError for what is no option */
function readOptions(argv: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: { type: 'string', default: DEFAULT_SCENARIO },
      seeds: { type: 'string', default: '5' },
      policies: { type: 'string', default: Object.keys(POLICIES).join(',') },
      json: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false }
    }
  })
  if (values.help) return 'help'
  const seeds = Number(values.seeds)
  if (!Number.isSafeInteger(seeds) || seeds < 1 || seeds > SEEDS_MAX)
    throw new TypeError(`--seeds ${values.seeds} is not a number from 1 to ${SEEDS_MAX}`)
  const policies = values.policies.split(',')
  const unknown = policies.find(policy => POLICIES[policy] === undefined)
  if (unknown !== undefined) throw new TypeError(`there is no policy "${unknown}"`)
  return { file: values.scenario, seeds, policies, json: values.json, verbose: values.verbose }
}

function optionsOrUsage(): Options | undefined {
  try {
    const options = readOptions(process.argv.slice(2))
    if (options !== 'help') return options
    process.stdout.write(USAGE)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    process.exitCode = 2
  }
  return undefined
}

const options = optionsOrUsage()
if (options !== undefined) process.exitCode = (await compare(options)) ? 0 : 1
