/** Clears away the socket of a daemon that ended without doing so. Call only while the home's lock is held. */
import { lstat, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { KithError } from '../../errors.ts'
import { errorCode } from './files.ts'

/**
 * @throws KithError START_FAILED if somebody answers there, or something else lies in the way
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const facts = await lstat(path).catch(error => {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  })
  if (facts === undefined) return
  if (!facts.isSocket())
    throw new KithError('START_FAILED', `${path} is in the way: it is not a socket. Move it, or set api.socket to another path`, { path })
  if (await answers(path))
    throw new KithError('START_FAILED', `another process answers on ${path}. Stop it, or set api.socket to another path`, { path })
  await rm(path, { force: true })
}

/** A Unix socket answers or refuses at once; there is nothing to wait for. */
async function answers(path: string): Promise<boolean> {
  return await new Promise(resolve => {
    const socket = connect(path)
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('error', error => end(errorCode(error) === 'EAGAIN'))
  })
}
