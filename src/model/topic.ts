/** Topics of apps: how they are named, and where they lie on the wire. Nothing that travels under them is believed. */
import { KithError } from '../errors.ts'
import type { Bytes } from './units.ts'

/** What the topics of apps begin with on the wire, so that none can be mistaken for one of Kith's own. */
export const APP_TOPIC_PREFIX = 'kith/app/'
/** Longest name: it travels with every message and is kept for every subscriber. UTF-8. */
export const TOPIC_NAME_BYTES_MAX: Bytes = 128

/** What `name` breaks, for people; undefined for a good one. */
export function topicNameFault(name: string): string | undefined {
  if (name === '') return 'it is empty'
  if (!name.isWellFormed()) return 'it is not well-formed Unicode'
  if (new TextEncoder().encode(name).byteLength > TOPIC_NAME_BYTES_MAX) return `it is longer than ${TOPIC_NAME_BYTES_MAX} bytes`
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)) return 'it holds characters that are not printed'
  if (name !== name.trim()) return 'it begins or ends with a blank'
  return undefined
}

/** @throws KithError INVALID_PARAMS */
export function wireTopic(name: string): string {
  const fault = topicNameFault(name)
  if (fault !== undefined)
    throw new KithError('INVALID_PARAMS', `"${name.slice(0, 100)}" is no name of a topic: ${fault}`, { parameter: 'topic' })
  return `${APP_TOPIC_PREFIX}${name}`
}

/** Whether a topic a peer names is one an app may have. Looks at no more than a name may hold. */
export function isAppTopic(topic: string): boolean {
  if (topic.length > APP_TOPIC_PREFIX.length + TOPIC_NAME_BYTES_MAX || !topic.startsWith(APP_TOPIC_PREFIX)) return false
  return topicNameFault(topic.slice(APP_TOPIC_PREFIX.length)) === undefined
}
