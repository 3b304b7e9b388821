/**
 * `npm run demo`: real daemons, a plain IPFS node and a gateway on this machine; files are asked for while those who
 * have them are switched off one by one. It is a test as well: the exit code is 1 unless every answer came from the
 * stage that was expected, with the bytes of the original. Leaves nothing behind, also when it is interrupted.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { KithError, toKithError } from '../src/errors.ts'
import { parseScenario, type Scenario } from '../src/sim/scenario.ts'
import { DemoNetwork } from './lib/demo-network.ts'
import { play, type Answer } from './lib/demo-play.ts'
import { DemoScreen, type Screen } from './lib/demo-screen.ts'

const DEFAULT_SCENARIO = fileURLToPath(new URL('../configs/scenarios/stages.yaml', import.meta.url))
const EXIT_FAILED = 1
const EXIT_USAGE = 2
const EXIT_INTERRUPTED = 130
const USAGE = `npm run demo [-- OPTIONS]: see who serves a file while sources disappear one by one

  --scenario FILE   another story (default: configs/scenarios/stages.yaml, which explains the format)
  --json            print one JSON object instead: {ok, ms, scenario, nodes, steps}
  --help            show this

Exit codes: 0 every answer as expected, 1 not, 2 wrong usage, 130 interrupted.
`

const SILENT: Screen = { write: () => true }

interface Options {
  readonly json: boolean
  readonly file: string
}

async function run({ json, file }: Options, signal: AbortSignal): Promise<boolean> {
  const scenario = parseScenario(await readText(file), file)
  const screen = new DemoScreen(json ? SILENT : process.stdout, process.env)
  const began = performance.now()
  const elapsed = (): number => Math.round(performance.now() - began)
  signal.addEventListener('abort', () => screen.phase('interrupted: cleaning up'))
  const answers = await onNetwork(scenario, screen, signal, elapsed).finally(() => screen.clear())
  screen.closing(answers, elapsed())
  const ok = answers.every(answer => answer.ok)
  if (json) process.stdout.write(`${JSON.stringify(report(scenario, { ok, ms: elapsed(), file, answers }))}\n`)
  return ok
}

async function onNetwork(scenario: Scenario, screen: DemoScreen, signal: AbortSignal, elapsed: () => number): Promise<Answer[]> {
  await using network = await DemoNetwork.start(scenario, text => screen.phase(text), signal)
  screen.opening(scenario, elapsed())
  const answers = await play(network, scenario, screen, signal)
  screen.phase('cleaning up')
  return answers
}

function report(
  { nodes }: Scenario,
  { ok, ms, file, answers }: { readonly ok: boolean; readonly ms: number; readonly file: string; readonly answers: readonly Answer[] }
): Readonly<Record<string, unknown>> {
  return { ok, ms, scenario: file, nodes: nodes.map(({ name, kind }) => ({ name, kind })), steps: answers }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new KithError('CONFIG', `the scenario ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** @throws KithError INVALID_PARAMS */
function readOptions(argv: readonly string[]): Options | 'help' {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        json: { type: 'boolean', default: false },
        scenario: { type: 'string', default: DEFAULT_SCENARIO },
        help: { type: 'boolean', short: 'h', default: false }
      }
    })
    return values.help ? 'help' : { json: values.json, file: values.scenario }
  } catch (error) {
    throw new KithError('INVALID_PARAMS', error instanceof Error ? error.message : String(error))
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupted.abort())
  try {
    const options = readOptions(argv)
    if (options !== 'help') return (await run(options, interrupted.signal)) ? 0 : EXIT_FAILED
    process.stdout.write(USAGE)
    return 0
  } catch (error) {
    // Ctrl-C reaches the daemons as well: what fails after it fails because of it.
    if (interrupted.signal.aborted) return EXIT_INTERRUPTED
    const known = toKithError(error)
    process.stderr.write(`demo: ${known.fault === 'bug' && error instanceof Error ? error.stack : known.message}\n`)
    return known.kind.exit === EXIT_USAGE ? EXIT_USAGE : EXIT_FAILED
  }
}

process.exitCode = await main(process.argv.slice(2))
