/** The shape of the code. Each test lists all offenders, so that one run tells everything. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { objection } from './support/folder-rules.ts'
import { readSources, ROOT, withoutComments, type SourceFile } from './support/source-tree.ts'

/** A file one still reads in one go. Lines. */
const FILE_LINES_MAX = 300
/** The composition root is the file that would grow without end. Lines. */
const DAEMON_LINES_MAX = 200
/** What would make the client slow to start, or draw the daemon into it. */
const HEAVY_PACKAGES = /^(libp2p|helia|zod|@libp2p\/|@helia\/|@chainsafe\/|pino|undici|did-jwt|bloom-filters|ipfs-unixfs)/

describe('tidiness', () => {
  const sources = readSources(['src'])
  const everything = [...sources, ...readSources(['test', 'scripts', 'bin'])]

  const none = (found: readonly string[]): void => assert.deepEqual(found, [])
  const matching = (files: readonly SourceFile[], pattern: RegExp): string[] =>
    files.flatMap(({ path, code }) => [...code.matchAll(pattern)].map(([text]) => `${path}: ${text.trim()}`))

  it('folders import only what their rule allows', () => {
    none(
      sources.flatMap(source =>
        source.imports.flatMap(found => {
          const why = objection(source, found)
          return why === undefined ? [] : [`${source.path}: ${why}`]
        })
      )
    )
  })

  it('imports name files that exist', () => {
    none(
      everything.flatMap(({ path, imports }) =>
        imports
          .filter(({ file }) => file !== undefined && !file.startsWith('dist/') && !existsSync(join(ROOT, file)))
          .map(({ file }) => `${path}: ${file}`)
      )
    )
  })

  it('no imports go round in circles', () => {
    none(cycles(sources))
  })

  it('files stay small enough to be read', () => {
    const most = (path: string): number => (path === 'src/daemon.ts' ? DAEMON_LINES_MAX : FILE_LINES_MAX)
    const lines = (text: string): number => text.trimEnd().split('\n').length
    none(everything.filter(({ path, text }) => lines(text) > most(path)).map(({ path, text }) => `${path}: ${lines(text)} lines`))
  })

  it('files of src/ begin by saying what they own', () => {
    none(sources.filter(({ text }) => !text.startsWith('/**')).map(({ path }) => path))
  })

  it('nothing is called `any`, and the compiler is not silenced', () => {
    none([
      ...matching(sources, /(?:[:<|(,]|\bas) *any\b(?! \w)/g),
      ...everything.filter(({ text }) => /@ts-(ignore|expect-error|nocheck)\b/.test(text)).map(({ path }) => path)
    ])
  })

  it('no cast goes through unknown', () => {
    none(matching(everything, /\bas unknown as\b|\bas never as\b/g))
  })

  it('bytes become a verified block in one place', () => {
    assert.deepEqual(
      matching(sources, /\bas (?:readonly )?VerifiedBlock\b|<VerifiedBlock>\{/g).map(found => found.split(':')[0]),
      ['src/model/block.ts']
    )
  })

  it('nothing is put off in a comment', () => {
    const later = new RegExp(String.raw`\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\b`)
    none(everything.filter(({ text }) => later.test(text)).map(({ path }) => path))
  })

  it('exports have names', () => {
    none(matching(everything, /^export default\b.*/gm))
  })

  it('tests do not leave others out', () => {
    none(matching(everything, /\b(?:describe|it)\.only\b/g))
  })

  it('the client reaches nothing heavy when it starts', () => {
    none(
      reachablePackages(sources, path => path.startsWith('src/cli/') || path === 'src/rpc/client.ts').filter(name =>
        HEAVY_PACKAGES.test(name.split(' ')[0] ?? '')
      )
    )
  })

  it('sees through comments, and only through them', () => {
    assert.equal(withoutComments(`const a = 'https://x' // b\n/* c */const d = /[/*]/ // e`), `const a = 'https://x' \nconst d = /[/*]/ `)
  })
})

/** Imports that exist at run time, as a map from file to files. */
function graphOf(sources: readonly SourceFile[]): Map<string, string[]> {
  const fixed = ({ imports }: SourceFile): string[] =>
    imports.filter(found => !found.typeOnly && !found.dynamic).flatMap(({ file }) => file ?? [])
  return new Map(sources.map(source => [source.path, fixed(source)]))
}

function cycles(sources: readonly SourceFile[]): string[] {
  const graph = graphOf(sources)
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
    if (done.has(path) || trail.includes(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}

/** `package (file that imports it)` for all packages loaded with the files chosen. */
function reachablePackages(sources: readonly SourceFile[], isStart: (path: string) => boolean): string[] {
  const graph = graphOf(sources)
  const reached = new Set([...graph.keys()].filter(isStart))
  for (const path of reached) for (const next of graph.get(path) ?? []) reached.add(next)
  return sources
    .filter(({ path }) => reached.has(path))
    .flatMap(({ path, imports }) =>
      imports
        .filter(found => found.file === undefined && !found.typeOnly && !found.dynamic)
        .map(({ specifier }) => `${specifier} (${path})`)
    )
}
