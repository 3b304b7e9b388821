/** The configuration a daemon would take, and what in it will not do what its author may think. */
import type { Config } from '../../config/schema.ts'
import { toKithError } from '../../errors.ts'
import type { Ms } from '../../model/units.ts'
import type { Environment } from '../command.ts'
import type { Finding } from './finding.ts'

/** Tokens that end within this time are worth a word. */
const SOON_MS: Ms = 7 * 86_400_000

export interface Settings {
  /** Undefined when it is not valid. */
  readonly config: Config | undefined
  readonly findings: readonly Finding[]
}

export interface SettingsSources {
  readonly home: string
  readonly env: Environment
  /** What kithd is started with by `--config`. */
  readonly file: string | undefined
}

export async function readSettings({ home, env, file }: SettingsSources): Promise<Settings> {
  const [{ loadConfig }, { openDoors }] = await Promise.all([import('../../config/load.ts'), import('../../config/rules.ts')])
  try {
    const { config, warnings } = await loadConfig({ home, env, file })
    const doors = openDoors(config).map(({ message }) => message) // told by trustFindings, of the configuration in force
    const odd = warnings
      .filter(({ message }) => !doors.includes(message))
      .map(({ message, keys }): Finding => ({
        code: 'CONFIG_ODD',
        severity: 'warning',
        message: `${message}: ${keys.join(', ')}`
      }))
    return { config, findings: odd.length > 0 ? odd : [{ code: 'CONFIG', severity: 'ok', message: 'the configuration is valid' }] }
  } catch (error) {
    const { message } = toKithError(error)
    return {
      config: undefined,
      findings: [{ code: 'CONFIG_INVALID', severity: 'error', message, remedy: 'correct it, and check it with kith config validate' }]
    }
  }
}

/** Tokens that no longer let anybody in. */
export function tokenFindings({ access }: Config, now: Ms): Finding[] {
  const ends = access.tokens.filter(({ expires }) => expires !== undefined && expires <= now + SOON_MS)
  const over = ends.filter(({ expires = 0 }) => expires <= now)
  if (access.socket === 'token' && over.length === access.tokens.length)
    return [
      {
        code: 'TOKENS_EXPIRED',
        severity: 'error',
        message: 'every token in access.tokens has expired, so nobody can log in',
        remedy: 'make a new one with kith config token NAME SCOPES'
      }
    ]
  return ends.map(({ name, expires = 0 }) => ({
    code: 'TOKEN_EXPIRED',
    severity: 'warning',
    message: `the token "${name}" ${expires <= now ? 'expired' : 'expires'} ${new Date(expires).toISOString().slice(0, 10)}`,
    remedy: `replace it with kith config token ${name} SCOPES, or take it out`
  }))
}

/** Who is trusted without having been chosen. */
export async function trustFindings(config: Config): Promise<Finding[]> {
  const { openDoors } = await import('../../config/rules.ts')
  return openDoors(config).map(({ message }) => ({
    code: 'EVERYBODY_TRUSTED',
    severity: 'warning',
    message,
    remedy: 'set trust.default below trust.minTrusted, and give single peers a level with kith trust set'
  }))
}

/** What lies open on the disk. */
export function sealFindings({ storage }: Config): Finding[] {
  if (storage.passphraseFile !== null) return []
  return [
    {
      code: 'UNSEALED',
      severity: 'info',
      message:
        'no passphrase: in this version private content and the keys of the home lie unencrypted on the disk, for whoever can read it',
      remedy: 'keep the home on an encrypted disk if others may get hold of it'
    }
  ]
}
