/**
 * What a message costs besides its length, found out before it is parsed: a few megabytes of brackets or of names
 * become a hundred times as much work and memory. Only what travels as one long text may be long.
 */
import { KithError } from '../errors.ts'

/** Values within values. A batch of directories has five; parsing goes as deep as the text does. Count. */
const DEPTH_MAX = 32
/**
 * Texts, brackets and commas of one message, and quotes escaped within texts. An entry of a directory has some seven, a list of
 * all entries that may be put at once fits; as many cost the thread they all share some tens of milliseconds. Count.
 */
const MARKS_MAX = 131_072

/** @throws KithError INVALID_REQUEST for what is nested too deep · TOO_LARGE for what consists of too many parts */
export function checkShape(text: string): void {
  let depth = 0
  let marks = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charAt(at)) {
      case '"': {
        const { end, escaped } = textAt(text, at + 1, MARKS_MAX - marks)
        marks += escaped + 1
        at = end
        break
      }
      case '[':
      case '{':
        depth++
        marks++
        if (depth > DEPTH_MAX) throw tooDeep()
        break
      case ']':
      case '}':
        depth--
        break
      case ',':
        marks++
    }
    if (marks > MARKS_MAX) throw tooMany()
  }
}

/** Where the text that begins at `from` ends, and how many quotes lie within; looks past at most `escapedMax` of them. */
function textAt(text: string, from: number, escapedMax: number): { readonly end: number; readonly escaped: number } {
  let escaped = 0
  let end = text.indexOf('"', from)
  while (end !== -1 && isEscaped(text, end, from) && escaped <= escapedMax) {
    escaped++
    end = text.indexOf('"', end + 1)
  }
  return { end: end === -1 ? text.length : end, escaped }
}

/** An odd number of backslashes stands before it. */
function isEscaped(text: string, at: number, from: number): boolean {
  let before = at
  while (before > from && text[before - 1] === '\\') before--
  return (at - before) % 2 === 1
}

function tooDeep(): KithError {
  return new KithError('INVALID_REQUEST', `the message is nested more than ${DEPTH_MAX} deep; no method takes such a value`, {
    limit: DEPTH_MAX
  })
}

function tooMany(): KithError {
  return new KithError(
    'TOO_LARGE',
    `the message has more than ${MARKS_MAX} parts (texts, brackets and commas). Send it in several, and a large directory by its "path".`,
    { limit: MARKS_MAX }
  )
}
