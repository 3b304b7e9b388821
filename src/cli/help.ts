/** `kith --help`, made from the table of commands. */
import type { Command, OptionSpec } from './command.ts'
import { COMMANDS, COMMON_OPTIONS, NOT_BUILT_COMMANDS } from './commands.ts'

export function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map(name => name.length))
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return `kith: asks the Kith daemon on this machine.

usage: kith COMMAND [options]

${commands.join('\n')}

not built yet: ${Object.keys(NOT_BUILT_COMMANDS).join(', ')}

options of every command:
${optionLines(COMMON_OPTIONS)}

example: kith put hello.txt
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 daemon not running, 4 not found, 5 not permitted, 70 bug.
`
}

export function commandHelp(name: string, command: Command): string {
  const own = command.options === undefined ? '' : `\noptions:\n${optionLines(command.options)}\n`
  return `kith ${name}: ${command.summary}

usage: kith ${name} ${command.usage}
${own}
options of every command:
${optionLines(COMMON_OPTIONS)}

example: ${command.example}
`
}

/** For a command of a later version. */
export function notBuiltHelp(name: string): string {
  return `kith ${name}: not built yet in this version of Kith. It will ${NOT_BUILT_COMMANDS[name] ?? 'come later'}.\n`
}

function optionLines(options: Readonly<Record<string, OptionSpec>>): string {
  const rows = Object.entries(options).map(
    ([name, { short, value, doc }]) =>
      [`${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`, doc] as const
  )
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, doc]) => `  ${left.padEnd(width)}  ${doc}`).join('\n')
}
