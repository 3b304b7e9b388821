/**
 * Conversations with the socket as text, in the way of the examples of the JSON-RPC 2.0 specification:
 *
 *     # a remark                      @set key=value          the daemon is started with it
 *     === NAME                        from here on the connection of that name, opened when first named
 *     --> TEXT                        sent as it is, with $NAME replaced by what was captured
 *     <-- JSON                        the next message but progress must be this; `<-- closed`: the connection must end
 *
 * In what is expected, "<text>", "<number>", "<any>" stand for any such value, "<NAME=text>" also captures it, and
 * a field "..." allows for others that are not named.
 */
import assert from 'node:assert/strict'
import { RawLines } from './raw-lines.ts'

export interface Transcript {
  /** Settings of the daemon it is played against. */
  readonly set: readonly string[]
  readonly steps: readonly Step[]
}

interface Step {
  readonly line: number
  readonly kind: 'connection' | 'send' | 'expect'
  readonly text: string
}

const KINDS = { '===': 'connection', '-->': 'send', '<--': 'expect' } as const

export function readTranscript(text: string): Transcript {
  const set: string[] = []
  const steps: Step[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const [, mark = '', rest = ''] = /^(\S+) ?(.*)$/.exec(line) ?? []
    if (mark === '' || mark === '#') continue
    if (mark === '@set') set.push(rest)
    else if (mark === '===' || mark === '-->' || mark === '<--') steps.push({ line: index + 1, kind: KINDS[mark], text: rest })
    else throw new Error(`line ${index + 1} is no line of a transcript: ${line}`)
  }
  return { set, steps }
}

/** Plays it from beginning to end. @throws AssertionError naming the line where the daemon said something else */
export async function playTranscript({ steps }: Transcript, socketPath: string, known: Record<string, string> = {}): Promise<void> {
  using connections = new DisposableStack()
  const open = new Map<string, RawLines>()
  const captured = new Map(Object.entries(known))
  let current = connections.use(await RawLines.open(socketPath))
  open.set('', current)
  for (const { kind, text, line } of steps) {
    if (kind === 'connection') {
      current = open.get(text) ?? connections.use(await RawLines.open(socketPath))
      open.set(text, current)
    } else if (kind === 'send') current.write(`${filledIn(text, captured)}\n`)
    else {
      const said = await nextLine(current)
      const at = `line ${line}: the daemon said ${said ?? 'nothing and closed'}`
      if (text === 'closed') assert.equal(said, undefined, at)
      else assertMatches(said === undefined ? undefined : JSON.parse(said), JSON.parse(filledIn(text, captured)), { captured, at })
    }
  }
}

/** How a call gets on is told only when it takes its time, which a transcript does not say. */
async function nextLine(connection: RawLines): Promise<string | undefined> {
  while (true) {
    const said = await connection.line()
    if (said?.includes('"type":"content.progress"') !== true) return said
  }
}

function filledIn(text: string, captured: ReadonlyMap<string, string>): string {
  return text.replace(/\$([A-Z]+)/g, (whole, name: string) => captured.get(name) ?? whole)
}

interface Matching {
  readonly captured: Map<string, string>
  readonly at: string
}

function assertMatches(said: unknown, expected: unknown, matching: Matching): void {
  const { captured, at } = matching
  const [, name, type] = (typeof expected === 'string' ? /^<(?:([A-Z]+)=)?(text|number|any)>$/.exec(expected) : null) ?? []
  if (type !== undefined) {
    assert.ok(type === 'any' ? said !== undefined : typeof said === (type === 'text' ? 'string' : type), at)
    if (name !== undefined) captured.set(name, String(said))
  } else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(said) && said.length === expected.length, at)
    for (const [index, each] of expected.entries()) assertMatches(said[index], each, matching)
  } else if (typeof expected === 'object' && expected !== null) {
    assert.ok(typeof said === 'object' && said !== null && !Array.isArray(said), at)
    const { '...': rest, ...fields } = { ...expected } as Record<string, unknown>
    if (rest === undefined) assert.deepEqual(Object.keys(said).toSorted(), Object.keys(fields).toSorted(), at)
    const found = new Map<string, unknown>(Object.entries(said))
    for (const [field, each] of Object.entries(fields)) assertMatches(found.get(field), each, matching)
  } else assert.deepEqual(said, expected, at)
}
