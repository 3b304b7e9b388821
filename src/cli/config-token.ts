/**
 * `kith config token`: makes an access token and the lines that let it in. Asks no daemon and writes nothing: the token
 * is shown once, and the configuration holds its SHA-256 only.
 */
import { createHash, randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { parseDuration } from '../config/quantities.ts'
import { configFrom } from '../config/resolve.ts'
import { TOKEN_SCOPES } from '../config/tokens.ts'
import type { TokenScope } from '../config/tokens.ts'
import { REALMS } from '../model/privacy.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { oneOfWords, textOption } from './search-options.ts'
import { printable } from './text.ts'

/** More than can be guessed, ever. Bytes. */
const TOKEN_BYTES = 32

/** An entry of `access.tokens`, as it is written there. */
interface TokenEntry {
  readonly name: string
  readonly sha256: string
  readonly scopes: readonly TokenScope[]
  readonly paths?: readonly string[]
  readonly realms?: readonly string[]
  readonly expires?: string
}

/** @throws KithError INVALID_PARAMS and CONFIG naming what is wrong and the nearest right word */
export async function makeToken(context: CommandContext): Promise<void> {
  const [, name = '', ...words] = context.words
  const scopes = words.flatMap(listOf).map(word => oneOfWords('scopes', word, TOKEN_SCOPES))
  if (scopes.length === 0)
    throw usage(`give a name and what the token may do: kith config token NAME SCOPES. Scopes: ${TOKEN_SCOPES.join(', ')}`)
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  const entry: TokenEntry = { name, sha256: createHash('sha256').update(token).digest('hex'), scopes, ...limitsOf(context) }
  // Whatever else may be wrong with it is said here, and not at the next start of the daemon.
  configFrom({ access: { tokens: [entry] } })
  context.print({ token, entry }, () => explanation(token, entry))
}

function limitsOf(context: CommandContext): Pick<TokenEntry, 'paths' | 'realms' | 'expires'> {
  const [paths, realms, expires] = ['paths', 'realms', 'expires'].map(option => textOption(context, option))
  return {
    ...(paths === undefined ? {} : { paths: listOf(paths).map(path => resolve(context.io.cwd, path)) }),
    ...(realms === undefined ? {} : { realms: listOf(realms).map(realm => oneOfWords('--realms', realm, REALMS)) }),
    ...(expires === undefined ? {} : { expires: expiryOf(expires) })
  }
}

/** A date, or a time from now on such as `90d`. */
function expiryOf(text: string): string {
  const ms = parseDuration(text)
  const at = ms === undefined ? Date.parse(text) : Date.now() + ms
  if (Number.isNaN(at)) throw usage(`--expires ${text}: write a date such as 2027-01-31, or a time from now such as 90d`)
  if (at <= Date.now()) throw usage(`--expires ${text}: that is over already`)
  return new Date(at).toISOString()
}

function listOf(words: string): string[] {
  return words
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
}

/** YAML of the entry; every value as JSON writes it, which YAML reads alike. */
function explanation(token: string, entry: TokenEntry): string {
  const fields = Object.entries(entry).map(([key, value]) => `${key}: ${printable(JSON.stringify(value))}`)
  return `token: ${token}

It is shown once. Whoever uses it sets KITH_TOKEN, or sends "Authorization: Bearer" over HTTP.
Add this to config.yaml and start the daemon again:

access:
  socket: token
  tokens:
    - ${fields.join('\n      ')}`
}
