/**
 * `kith doctor`: what is wrong with this node and what to do about it, with a daemon or without. Changes nothing, and
 * tells nobody beyond this machine anything unless `--network` says so.
 */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Config } from '../../config/schema.ts'
import { visibility } from '../../config/visibility.ts'
import type { VisibilityLine } from '../../config/visibility.ts'
import { KithError, toKithError } from '../../errors.ts'
import type { Ms } from '../../model/units.ts'
import { connect } from '../../rpc/client.ts'
import type { KithClient } from '../../rpc/client.ts'
import type { CommandContext } from '../command.ts'
import { packageVersion } from '../package-version.ts'
import { textOption } from '../search-options.ts'
import { printable } from '../text.ts'
import { clockFindings } from './clock.ts'
import { askDaemon, daemonFindings, refusalFinding } from './daemon-answers.ts'
import type { DaemonSays } from './daemon-answers.ts'
import { diskFindings } from './disk.ts'
import { endpointFindings } from './endpoints.ts'
import type { Finding } from './finding.ts'
import { homeFindings } from './home.ts'
import { nodeFindings } from './node.ts'
import { portFindings } from './ports.ts'
import { silentFindings, socketLengthFindings, socketPathIn } from './running.ts'
import { readSettings, sealFindings, tokenFindings, trustFindings } from './settings.ts'

/** Exit status when something is wrong. */
const EXIT_WRONG = 1
/** A daemon that has not said how it is by then hangs. */
const ANSWER_MS_MAX: Ms = 10_000
/** What stays free of a disk when the configuration cannot be read. */
const RESERVE_DEFAULT = 0.05

export async function doctor(context: CommandContext): Promise<number> {
  const { findings, seenBy } = await examine(context)
  const ok = findings.every(({ severity }) => severity !== 'error')
  context.print({ ok, findings, visibility: seenBy }, () => {
    const visible = seenBy.length === 0 ? [] : ['', 'Who can see this node:', ...seenBy.map(({ what }) => `  ${printable(what)}`)]
    return [...findings.map(lineOf), ...visible, '', summary(findings)].join('\n')
  })
  return ok ? 0 : EXIT_WRONG
}

interface Diagnosis {
  readonly findings: readonly Finding[]
  /** Empty when no configuration can be read. */
  readonly seenBy: readonly VisibilityLine[]
}

async function examine(context: CommandContext): Promise<Diagnosis> {
  const { env, io } = context
  const home = resolve(io.cwd, context.home ?? join(homedir(), '.kith'))
  const file = textOption(context, 'config')
  const settings = await readSettings({ home, env, file: file === undefined ? undefined : resolve(io.cwd, file) })
  const { config } = settings
  const socketPath = context.socket ?? socketPathIn(home, config?.api.socket ?? null)
  const here = [
    ...(await machineFindings(home, config)),
    ...settings.findings,
    ...(config === undefined ? [] : [...tokenFindings(config, Date.now()), ...sealFindings(config)]),
    ...socketLengthFindings(socketPath)
  ]
  const { says, findings } = await daemonOrNot(context, { home, socketPath, config })
  const inForce = says?.config ?? config
  const doors = inForce === undefined ? [] : await trustFindings(inForce)
  return {
    // What the daemon says as well was said already.
    findings: [...here, ...doors, ...findings.filter(({ code }) => !here.some(said => said.code === code))],
    seenBy: inForce === undefined ? [] : visibility(inForce, { addresses: says?.status.addresses ?? [] })
  }
}

async function machineFindings(home: string, config: Config | undefined): Promise<Finding[]> {
  return [
    ...(await nodeFindings()),
    ...(await homeFindings(home)),
    ...(await diskFindings(home, config?.storage.reserve ?? RESERVE_DEFAULT)),
    ...(await clockFindings(home))
  ]
}

interface Place {
  readonly home: string
  readonly socketPath: string
  readonly config: Config | undefined
}

interface Heard {
  /** Undefined when no daemon answered. */
  readonly says?: DaemonSays
  readonly findings: readonly Finding[]
}

async function daemonOrNot(context: CommandContext, { home, socketPath, config }: Place): Promise<Heard> {
  const network = context.options['network'] === true
  const endpoints = async (): Promise<Finding[]> =>
    config === undefined ? [] : await endpointFindings(config, { network, signal: context.signal })
  try {
    const says = await hear(context, socketPath)
    const findings = daemonFindings(says, await packageVersion())
    // A daemon that runs says itself how its IPFS nodes and gateways are.
    return { says, findings: network ? [...findings, ...(await endpoints())] : findings }
  } catch (thrown) {
    context.signal.throwIfAborted()
    const error = toKithError(thrown)
    if (error.data['notRunning'] !== true) return { findings: [refusalFinding(error, context.token !== undefined)] }
    const silent = await silentFindings(home, socketPath)
    const isHeld = silent.some(({ code }) => code === 'DAEMON_SILENT')
    const ports = config === undefined || isHeld ? [] : await portFindings(home, config.network.listen)
    return { findings: [...silent, ...ports, ...(await endpoints())] }
  }
}

async function hear({ token, signal, timeout }: CommandContext, socketPath: string): Promise<DaemonSays> {
  const late = AbortSignal.timeout(timeout ?? ANSWER_MS_MAX)
  const either = AbortSignal.any([signal, late])
  let client: KithClient | undefined
  try {
    client = await connect({ socket: socketPath, token }, { signal: either })
    return await askDaemon(client, either)
  } catch (error) {
    if (late.aborted && !signal.aborted) throw new KithError('TIMEOUT', 'nothing came in time', {}, { cause: error })
    throw error
  } finally {
    client?.close()
  }
}

function lineOf({ severity, message, remedy }: Finding): string {
  return printable(`${severity.padEnd('warning'.length)}  ${remedy === undefined ? message : `${sentence(message)} To do: ${remedy}`}`)
}

/** Messages of the daemon are whole sentences; those made here have no full stop. */
function sentence(text: string): string {
  return /[.?!…]$/.test(text) ? text : `${text}.`
}

function summary(findings: readonly Finding[]): string {
  const count = (severity: Finding['severity']): number => findings.filter(finding => finding.severity === severity).length
  const [errors, warnings] = [count('error'), count('warning')]
  if (errors === 0)
    return warnings === 0 ? 'Nothing is wrong.' : `Nothing is wrong (${warnings} ${warnings === 1 ? 'warning' : 'warnings'}).`
  return `${errors} ${errors === 1 ? 'thing is' : 'things are'} wrong.`
}
