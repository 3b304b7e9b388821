/** What a command of `kith` is, and what it gets to work with. Types only: loading this costs nothing. */
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../ports/clock.ts'
import type { KithClient } from '../rpc/client.ts'
import type { ProgressBar } from './progress.ts'

/** The outside of the program, so that tests can be the terminal. */
export interface CliIo {
  readonly stdin: Readable
  readonly stdout: Output
  readonly stderr: Output
  /** Aborted when the person interrupts. */
  readonly signal: AbortSignal
  readonly cwd: string
  /** What moves the progress bar. */
  readonly clock?: Clock
}

export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number }

export type Environment = Readonly<Record<string, string | undefined>>

export interface OptionSpec {
  readonly doc: string
  readonly short?: string
  /** What its value is called in the help; absent: it takes none. */
  readonly value?: string
}

export interface Command {
  readonly summary: string
  /** What follows the name. */
  readonly usage: string
  readonly example: string
  readonly options?: Readonly<Record<string, OptionSpec>>
  /** How many words it takes. */
  readonly words: readonly [min: number, max: number]
  /** Words that may come first, if it has sub-commands. */
  readonly subcommands?: readonly string[]
  /** Loaded when it is used: help and errors stay quick. */
  load(): Promise<CommandRun>
}

export interface CommandContext {
  readonly words: readonly string[]
  readonly options: Readonly<Record<string, string | boolean>>
  readonly io: CliIo
  readonly env: Environment
  readonly json: boolean
  readonly home: string | undefined
  readonly socket: string | undefined
  /** What to log in with. */
  readonly token: string | undefined
  /** `--timeout` in milliseconds. */
  readonly timeout: number | undefined
  readonly signal: AbortSignal
  /** Connects at the first use. @throws KithError UNAVAILABLE if no daemon runs */
  client(): Promise<KithClient>
  /** One result: an object for programs, or lines for people. */
  print(value: unknown, human: () => string): void
  /** A remark beside the result, for people only. */
  note(text: string): void
  /** The line that moves while something long goes on: on a terminal only, never with `--json`. */
  progress(label: string): ProgressBar
}

/** @returns an exit status other than 0, for commands whose answer is a judgement */
export type CommandRun = (context: CommandContext) => Promise<number | void>
