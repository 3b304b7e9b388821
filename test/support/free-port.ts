/** A port of 127.0.0.1 on which nobody listens, and which the system hands out to nobody else while a test uses it. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below the ports that systems draw for whoever asks for any (Linux from 32768, others from 49152), above known services. */
const [PORT_MIN, PORT_MAX] = [20_000, 32_000]

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_MIN, PORT_MAX)
    const server = createServer()
    try {
      const listening = once(server, 'listening')
      server.listen(port)
      await listening
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
