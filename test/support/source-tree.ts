/** The source files and what they import, read as text: no compiler, so that the tidiness test stays fast. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

export interface ImportOf {
  /** As written: `./x.ts`, `node:fs`, `multiformats/cid`. */
  readonly specifier: string
  /** Path of the file below the repository; undefined for packages. */
  readonly file: string | undefined
  /** Gone at run time. */
  readonly typeOnly: boolean
  /** `import()`: happens when it is called. */
  readonly dynamic: boolean
}

export interface SourceFile {
  /** Below the repository, with `/`. */
  readonly path: string
  readonly text: string
  /** `text` without comments: rules about code do not apply to prose. */
  readonly code: string
  readonly imports: readonly ImportOf[]
}

export function readSources(folders: readonly string[]): SourceFile[] {
  return folders.flatMap(filesBelow).map(path => {
    const text = readFileSync(join(ROOT, path), 'utf8')
    const code = withoutComments(text)
    return { path, text, code, imports: importsOf(path, code) }
  })
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.(ts|js|mjs)$/.test(entry.name))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
    .toSorted()
}

/** Takes strings, templates and regular expressions along unharmed, so that `'//'` is no comment. */
const TOKEN =
  /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|(?<=[=(,:]\s*)\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/|\/\/[^\n]*|\/\*[\s\S]*?\*\//g

export function withoutComments(text: string): string {
  return text.replace(TOKEN, token => (token.startsWith('//') || token.startsWith('/*') ? '' : token))
}

const STATIC_IMPORT = /^(?:import|export)\s+(type\s+)?(?:[\w*\s{},$]+?\s+from\s+)?'([^']+)'/gm
const DYNAMIC_IMPORT = /\bimport\('([^']+)'\)/g

function importsOf(path: string, code: string): ImportOf[] {
  const resolve = (specifier: string): string | undefined => (specifier.startsWith('.') ? join(dirname(path), specifier) : undefined)
  const fixed = [...code.matchAll(STATIC_IMPORT)].map(([, type, specifier = '']) => ({
    specifier,
    file: resolve(specifier),
    typeOnly: type !== undefined,
    dynamic: false
  }))
  const dynamic = [...code.matchAll(DYNAMIC_IMPORT)].map(([, specifier = '']) => ({
    specifier,
    file: resolve(specifier),
    typeOnly: false,
    dynamic: true
  }))
  return [...fixed, ...dynamic]
}
