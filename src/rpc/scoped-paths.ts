/**
 * Paths of this machine that a token may name: below its `paths`, after every symbolic link on the way is followed.
 * What is handed on is the resolved path, whose last segment is never followed by what opens it, and the folders it lies
 * below: folders may be renamed at any time, so whoever opens it asks again of what was opened.
 */
import { realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { KithError } from '../errors.ts'
import type { AccessToken } from './access.ts'

export interface AllowedPath {
  readonly path: string
  /** The token's paths as they really lie. */
  readonly within: readonly string[]
}

/**
 * @returns what to use instead
 * @throws KithError UNAUTHORIZED outside of the token's paths · INVALID_PARAMS if its folder does not exist
 */
export async function allowedPath({ name, paths = [] }: AccessToken, path: string): Promise<AllowedPath> {
  if (paths.length === 0)
    throw new KithError(
      'UNAUTHORIZED',
      `the token "${name}" may name no paths of this machine. Send the content itself, or give the token "paths" in access.tokens.`,
      { path }
    )
  const roots = await Promise.all(paths.map(async root => [resolve(root), await realpath(root).catch(() => undefined)]))
  const known = roots.flat().filter(root => root !== undefined)
  const wanted = resolve(path)
  // Said before anything is looked up, so that nobody learns what exists elsewhere.
  if (!known.some(root => isBelow(wanted, root))) throw outside(name, path, paths)
  const folder = await realpath(dirname(wanted)).catch((error: unknown) => {
    throw new KithError('INVALID_PARAMS', `cannot use "${path}": its folder does not exist`, { path }, { cause: error })
  })
  const real = join(folder, basename(wanted))
  const within = roots.flatMap(([, root]) => (root === undefined ? [] : [root]))
  if (!within.some(root => isBelow(real, root))) throw outside(name, path, paths)
  return { path: real, within }
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)
}

function outside(name: string, path: string, paths: readonly string[]): KithError {
  return new KithError('UNAUTHORIZED', `"${path}" lies outside of the paths of the token "${name}": ${paths.join(', ')}`, { path })
}
