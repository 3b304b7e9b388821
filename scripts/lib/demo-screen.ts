/** How the demo looks: a table that grows, its last line alive on a terminal, plain lines everywhere else. */
import { styleText } from 'node:util'
import { formatBytes, formatMs, printable } from '../../src/cli/text.ts'
import { isRecord } from '../../src/rpc/error-body.ts'
import type { SourceId } from '../../src/model/source.ts'
import type { Scenario } from '../../src/sim/scenario.ts'
import type { Answer, Onlooker } from './demo-play.ts'

/** The parts of process.stdout that are used. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

type Style = 'bold' | 'dim' | 'reset' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'magenta'

const CLEAR_LINE = '\r\u001b[K'
const BAR_CHARACTERS = 20
/** Longer reasons of a failed attempt are cut. Characters. */
const REASON_CHARACTERS_MAX = 90
const STAGE_COLORS: Readonly<Record<string, Style>> = { local: 'green', peer: 'cyan', proxy: 'cyan', ipfs: 'blue', gateway: 'magenta' }
const COLUMNS = { file: 10, size: 9, stage: 9, from: 8, first: 11, total: 9, rate: 12 }

export class DemoScreen implements Onlooker {
  readonly #out: Screen
  readonly #isAlive: boolean
  readonly #hasColors: boolean
  #row = ''
  #isActBegun = false

  constructor(out: Screen, env: Readonly<Record<string, string | undefined>>) {
    this.#out = out
    this.#isAlive = out.isTTY === true && env['TERM'] !== 'dumb'
    this.#hasColors = this.#isAlive && (env['NO_COLOR'] ?? '') === ''
  }

  /** What is being prepared; gone when it is done. */
  phase(text: string): void {
    this.#draw(this.#paint('dim', `  ${text} …`))
  }

  opening({ title, nodes, files }: Scenario, ms: number): void {
    this.#line('')
    this.#line(`  ${this.#paint('bold', 'Kith demo')}${title === undefined ? '' : `: ${printable(title)}`}`)
    this.#line('')
    const width = Math.max(...nodes.map(({ name }) => name.length))
    for (const { name, kind, about } of nodes) {
      const held = files.filter(({ at }) => at.includes(name)).length
      const holds = held === 0 ? 'has nothing yet' : `has ${held === files.length ? `all ${held}` : held} files`
      this.#line(`  ${this.#paint('green', '●')} ${name.padEnd(width)}  ${printable(about ?? kind)}; ${holds}`)
    }
    this.#line('')
    this.#line(this.#paint('dim', `  ${nodes.length} processes, ready in ${formatMs(ms)}; all of it on this machine, nothing leaves it`))
    const isLinked = nodes.some(({ link }) => Object.keys(link).length > 0)
    if (isLinked) this.#line(this.#paint('dim', '  links of the scenario are left aside: these connections are real'))
    this.#line('')
    this.#line(this.#paint('dim', `    ${cells(['file', 'size', 'served by', 'first byte', 'total', 'rate'])}   same bytes`))
  }

  said(text: string): void {
    if (!this.#isActBegun) this.#line('')
    this.#isActBegun = false
    this.#line(`  ${this.#paint('bold', printable(text))}`)
  }

  stopped(node: string): void {
    this.#turn(this.#paint('red', `  ○ ${node}: process killed`))
  }

  started(node: string): void {
    this.#turn(this.#paint('green', `  ● ${node}: process started`))
  }

  /** What changes stands together with what is said about it. */
  #turn(text: string): void {
    if (!this.#isActBegun) this.#line('')
    this.#isActBegun = true
    this.#line(text)
  }

  asking({ file }: { readonly file: string }, size: number): void {
    this.#isActBegun = false
    this.#row = `${file.padEnd(COLUMNS.file)}${formatBytes(size).padStart(COLUMNS.size)}`
    this.#draw(`    ${this.#row}   …`)
  }

  progress(bytes: number, total: number, source: SourceId | undefined): void {
    const full = total === 0 ? 0 : Math.round(Math.min(1, bytes / total) * BAR_CHARACTERS)
    const bar =
      this.#paint(STAGE_COLORS[source?.stage ?? ''] ?? 'dim', '━'.repeat(full)) + this.#paint('dim', '─'.repeat(BAR_CHARACTERS - full))
    this.#draw(`    ${this.#row}   ${(source?.stage ?? '').padEnd(COLUMNS.stage)}${bar} ${formatBytes(bytes)}`)
  }

  answered(answer: Answer): void {
    const { get, size, stage, from = '', ok, totalMs, firstByteMs } = answer
    if (stage === 'not-found' || stage === 'failed') return this.#unanswered(answer)
    const [head, served, times] = row({
      get,
      size,
      stage,
      from,
      first: formatMs(firstByteMs ?? 0),
      total: formatMs(totalMs),
      rate: rateOf(size, totalMs)
    })
    this.#line(`    ${head}   ${this.#paint(STAGE_COLORS[stage] ?? 'reset', served)}${times}   ${this.#verdict(answer)}`)
    if (!ok) this.#attempts(answer)
  }

  closing(answers: readonly Answer[], ms: number): void {
    const wrong = answers.filter(({ ok }) => !ok).length
    this.#line('')
    this.#line(
      wrong === 0
        ? `  ${this.#paint('green', '✓')} ${answers.length} of ${answers.length} answers as expected, every byte compared. ${formatMs(ms)}, and everything is cleaned up.`
        : `  ${this.#paint('red', '✗')} ${wrong} of ${answers.length} answers are not as expected: see above.`
    )
    if (wrong > 0) return
    this.#line('')
    this.#line('  Now yours:')
    this.#line('')
    const hint = (command: string, what: string): void => this.#line(`    ${command.padEnd(42)}${this.#paint('dim', what)}`)
    hint('npm start', 'a daemon; leave it running')
    hint('node bin/kith.js put package.json', 'in another terminal: prints a kith:// address')
    hint('node bin/kith.js get kith://… -o copy', 'the same bytes, by that address')
    hint('node bin/kith.js --help', 'everything else')
    this.#line('')
  }

  /** Ends a line that is still alive. */
  clear(): void {
    if (this.#isAlive) this.#out.write(CLEAR_LINE)
  }

  #unanswered(answer: Answer): void {
    const { get, size, error = '', ok } = answer
    const mark = ok ? this.#paint('green', '✓') : this.#paint('red', '✗')
    this.#line(
      `    ${get.padEnd(COLUMNS.file)}${formatBytes(size).padStart(COLUMNS.size)}   ${this.#paint('yellow', printable(error))}   ${mark}`
    )
    if (!ok) this.#line(this.#paint('red', `      expected: ${answer.expected}`))
    this.#attempts(answer)
  }

  /** Who was asked, and what came of it. */
  #attempts({ attempts }: Answer): void {
    for (const attempt of attempts.filter(isRecord)) {
      const { stage, outcome, url, peer, reason = '' } = attempt
      const why = printable(String(reason)).slice(0, REASON_CHARACTERS_MAX)
      const who = printable(typeof url === 'string' ? url : typeof peer === 'string' ? peer : '')
      const where = who === '' || why.includes(who.replace('http://', '')) ? '' : ` (${who})`
      this.#line(this.#paint('dim', `      ${String(stage).padEnd(COLUMNS.stage)}${String(outcome)}: ${why}${where}`))
    }
  }

  #verdict({ ok, equal, expected }: Answer): string {
    if (ok) return this.#paint('green', '✓')
    return this.#paint('red', equal === true ? `✗ expected ${expected}` : '✗ the bytes differ')
  }

  #paint(style: Style, text: string): string {
    return this.#hasColors ? styleText(style, text, { validateStream: false }) : text
  }

  /** A line that the next one replaces; on a pipe it is left out. */
  #draw(text: string): void {
    if (this.#isAlive) this.#out.write(CLEAR_LINE + text)
  }

  #line(text: string): void {
    this.#out.write(`${this.#isAlive ? CLEAR_LINE : ''}${text}\n`)
  }
}

interface Row {
  readonly get: string
  readonly size: number
  readonly stage: string
  readonly from: string
  readonly first: string
  readonly total: string
  readonly rate: string
}

function row({ get, size, stage, from, first, total, rate }: Row): readonly [string, string, string] {
  return [
    get.padEnd(COLUMNS.file) + formatBytes(size).padStart(COLUMNS.size),
    stage.padEnd(COLUMNS.stage) + from.padEnd(COLUMNS.from),
    first.padStart(COLUMNS.first) + total.padStart(COLUMNS.total) + rate.padStart(COLUMNS.rate)
  ]
}

function cells([file = '', size = '', served = '', first = '', total = '', rate = '']: readonly string[]): string {
  const { stage, from } = COLUMNS
  return `${file.padEnd(COLUMNS.file)}${size.padStart(COLUMNS.size)}   ${served.padEnd(stage + from)}${first.padStart(COLUMNS.first)}${total.padStart(COLUMNS.total)}${rate.padStart(COLUMNS.rate)}`
}

/** Of small files the rate says nothing. */
function rateOf(size: number, ms: number): string {
  return size < 1024 * 1024 || ms === 0 ? '' : `${formatBytes(Math.round((size * 1000) / ms))}/s`
}
