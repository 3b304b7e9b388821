/** What a content is called on disk when nobody said: pure, and never more than a plain name in this directory. */
import { printable } from './text.ts'

/** File systems take no longer names. Bytes. */
const NAME_BYTES_MAX = 255

/** A name that came with the content becomes a file here only if it can be nothing else. */
export function safeName(name: string | undefined): string | undefined {
  if (name === undefined || name === '' || name.startsWith('.') || /[/\\]/.test(name)) return undefined
  return printable(name) === name && Buffer.byteLength(name) <= NAME_BYTES_MAX ? name : undefined
}

/** The root of an address as a person wrote it, and the last word of the path below it, if there is one. */
export function wordsOfAddress(content: string): { readonly root: string; readonly last: string | undefined } {
  const [root = '', ...path] = content.replace(/^(?:ipfs:\/\/|kith:\/\/|\/ipfs\/|sha256:)/, '').split('/')
  return { root, last: path.filter(segment => segment !== '').at(-1) }
}
