/**
 * The root logger: pino behind the log port, one JSON object or one readable line each, on stderr.
 * Written at once, so that the last line before a crash is there.
 */
import { pino, stdSerializers, type Logger } from 'pino'
import { LOG_LEVELS, type Log, type LogLevel, type RootLog } from '../../ports/log.ts'

export interface LogInit {
  readonly level: LogLevel
  readonly format: 'pretty' | 'json'
  /** Default: stderr. */
  readonly destination?: { write(text: string): unknown }
}

/** Shared by a root and all its children. */
interface Gate {
  level: LogLevel
}

export function createLog({ level, format, destination = process.stderr }: LogInit): RootLog {
  const gate: Gate = { level }
  const write =
    format === 'json' ? (line: string) => void destination.write(line) : (line: string) => void destination.write(prettyLine(line))
  const logger = pino({ level: 'trace', base: null, serializers: { err: stdSerializers.err, error: stdSerializers.err } }, { write })
  return Object.assign(new PinoLog(logger, gate), {
    setLevel: (next: LogLevel) => {
      gate.level = next
    }
  })
}

class PinoLog implements Log {
  readonly #logger: Logger
  readonly #gate: Gate

  constructor(logger: Logger, gate: Gate) {
    this.#logger = logger
    this.#gate = gate
  }

  get level(): LogLevel {
    return this.#gate.level
  }

  trace(fields: object, message: string): void {
    if (this.#shows('trace')) this.#logger.trace(fields, message)
  }

  debug(fields: object, message: string): void {
    if (this.#shows('debug')) this.#logger.debug(fields, message)
  }

  info(fields: object, message: string): void {
    if (this.#shows('info')) this.#logger.info(fields, message)
  }

  warn(fields: object, message: string): void {
    if (this.#shows('warn')) this.#logger.warn(fields, message)
  }

  error(fields: object, message: string): void {
    if (this.#shows('error')) this.#logger.error(fields, message)
  }

  child(bindings: Record<string, unknown>): Log {
    return new PinoLog(this.#logger.child(bindings), this.#gate)
  }

  #shows(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.#gate.level)
  }
}

const PINO_LEVELS = new Map([
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error']
])

/** `12:34:56.789 warn  message key=value …`: a line for people, from a line of pino. */
export function prettyLine(line: string): string {
  const { level, time, msg, ...fields }: Record<string, unknown> = JSON.parse(line)
  const clock = new Date(Number(time)).toISOString().slice(11, 23)
  const name = PINO_LEVELS.get(Number(level)) ?? String(level)
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${shownValue(value)}`)
  return `${clock} ${name.padEnd(5)} ${String(msg)}${pairs.join('')}\n`
}

/** Bare words stay bare; everything else is quoted, so that no value can break or forge a line. */
function shownValue(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@+-]+$/.test(value)) return value
  return JSON.stringify(value)
}
