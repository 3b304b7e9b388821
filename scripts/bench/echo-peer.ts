/** Reference: JSON lines over a Unix socket, parsed and answered, and nothing behind them. */
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { serveCalls } from './peer-process.ts'

serveCalls({
  /** Answers every call with `size` bytes of base64, as long as a small content would be. */
  listen: async (path, size) => {
    const data = Buffer.alloc(Number(size), 7).toString('base64')
    const server = createServer(socket => {
      createInterface({ input: socket }).on('line', line => {
        const { id } = JSON.parse(line) as { readonly id: number }
        socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: { data } })}\n`)
      })
    })
    await new Promise<void>(resolve => server.listen(path, resolve))
    return ''
  }
})
