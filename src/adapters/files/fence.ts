/**
 * Which paths may be touched: nothing of what the daemon keeps in its home, and for some callers only what lies below
 * given folders. Holds nothing that a crash could lose.
 */
import { lstat, realpath } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { KithError } from '../../errors.ts'

/** What a home holds (docs/decisions/0040). Names that begin so, such as a journal or a file being replaced, count too. */
const KEPT = ['config.yaml', 'identity.key', 'api.sock', 'lock', 'store', 'state', 'swarms', 'keys']

export interface Fence {
  readonly home?: Home
  /** Real paths; absent: anywhere. */
  readonly within?: readonly string[]
}

/** The daemon's own directory, known by what it is and not by one of its names: it may be moved, or mounted elsewhere. */
export class Home {
  readonly #real: string
  readonly #id: string
  /** The last folder that was found to lie elsewhere: a walk reads thousands of files of one folder. */
  #elsewhere: string | undefined

  private constructor(real: string, id: string) {
    this.#real = real
    this.#id = id
  }

  /** @throws what node:fs throws if it does not exist */
  static async at(path: string): Promise<Home> {
    const real = await realpath(path)
    return new Home(real, await idOf(real))
  }

  /** Whether this very path is the home. */
  async is(path: string): Promise<boolean> {
    return (await idOf(path).catch(() => undefined)) === this.#id
  }

  /** Whether a name in a folder (`''`: the folder itself) is the home, or something the daemon keeps in it. */
  async keeps(folder: string, name: string): Promise<boolean> {
    const path = join(folder, name)
    if (isBelow(path, this.#real)) return isKept(relative(this.#real, path))
    if (folder === this.#elsewhere) return false
    const above = [folder]
    for (let at = folder; dirname(at) !== at; at = dirname(at)) above.push(dirname(at))
    const homes = await Promise.all(above.map(async at => await this.is(at)))
    const home = above.find((_, index) => homes[index] === true)
    if (home !== undefined) return isKept(relative(home, path))
    this.#elsewhere = folder
    return false
  }
}

/**
 * @param path - as the caller wrote it, for the error
 * @param folder - where its folder really lies
 * @param name - in that folder; `''`: the folder itself
 * @throws KithError UNAUTHORIZED outside of the given folders · INVALID_PARAMS for the home and what it keeps
 */
export async function assertAllowed({ home, within }: Fence, path: string, folder: string, name: string): Promise<void> {
  const real = join(folder, name)
  if (within !== undefined && !within.some(each => isBelow(real, each)))
    throw new KithError('UNAUTHORIZED', `"${path}" lies outside of the paths of this token`, { path })
  if ((await home?.keeps(folder, name)) !== true) return
  throw new KithError(
    'INVALID_PARAMS',
    `"${path}" belongs to the home of this daemon, whose keys and databases nobody else may read or write. Copy what you mean to share elsewhere first, or choose a path outside.`,
    { path }
  )
}

async function idOf(path: string): Promise<string> {
  const { dev, ino } = await lstat(path, { bigint: true })
  return `${dev}:${ino}`
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

function isKept(inHome: string): boolean {
  const [first = ''] = inHome.split(sep)
  return first === '' || KEPT.some(kept => first === kept || first.startsWith(`${kept}.`) || first.startsWith(`${kept}-`))
}
